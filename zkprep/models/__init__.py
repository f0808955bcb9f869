"""Models and inputs as files: read strictly and refused with a reason, run, written back."""
