"""Definitions counted again in plain Python, slowly, and apart from the vocabulary: a file for each kind of fact.

Nothing that counts here uses its expressions, conditions, periods or aggregates. Rows are read one by one, and what
they mean is said again.
"""

from reports.tests.recounting.answers import Recounted, recount

__all__ = ["Recounted", "recount"]
