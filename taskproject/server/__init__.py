"""The server of `up`, and what is made at its first start."""
