"""Provers behind one protocol: EZKL in worker processes, and a deterministic fake."""
