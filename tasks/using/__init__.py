"""What every door does with declared verbs: list the open ones, read the input, use one, report the outcome."""
