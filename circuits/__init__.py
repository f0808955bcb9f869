"""The corpus: one folder per case, each with a seeded builder or a trained model."""
