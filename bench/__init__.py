"""Benchmarks: how fast the project is next to a yardstick doing the same work, in one run on one machine.

``python -m bench --help``. Kept out of the tests, which never assert on time.
"""
