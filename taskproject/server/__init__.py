"""The server of `up`, and what its first start creates."""
