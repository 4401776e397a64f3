"""The inbox: what needs a reader, most urgent first, read from where it is written."""
