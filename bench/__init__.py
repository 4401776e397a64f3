"""Benchmarks: how fast the project is beside a yardstick of the same work, in one run on one machine.

``python -m bench --help``. Outside the tests, which never assert on time.
"""
