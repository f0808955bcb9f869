"""Do these proofs prove this statement, and is it this model's? What only verifiers need."""
