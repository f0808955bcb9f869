"""Reports: their types, what they add up to, how they look, and how two of them compare."""
