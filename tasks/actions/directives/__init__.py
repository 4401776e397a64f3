"""Directives: what the holder of a run must be told. ``queue`` holds them, ``delivery`` puts them into replies."""
