"""The same function in a form that EZKL proves rightly, or for fewer cells."""
