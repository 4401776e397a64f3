"""Views by concern: each loads what the path names, calls one verb, and shows what it returned."""
