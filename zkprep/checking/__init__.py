"""What EZKL would reject or get wrong in a model, before anything is proved."""
