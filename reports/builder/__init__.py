"""The page on which people define a report: its fields, the definition that they make, and its address."""
