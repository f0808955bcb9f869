"""What a circuit costs before it exists: cells per operator, columns and bytes, prover work."""
