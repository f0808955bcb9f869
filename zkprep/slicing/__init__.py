"""From a prepared model to slices: what becomes one operator, what it takes, where to cut."""
