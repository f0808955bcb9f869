"""The run directory: stages done once by content, what they tell, and all runs from outside."""
