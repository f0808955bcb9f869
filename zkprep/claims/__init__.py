"""What is claimed: the statement, its shape and its form, and the numbers it speaks of."""
