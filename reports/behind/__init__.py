"""What is behind a figure: the facts that it counts, one row each, and the addresses that lead to them."""

from reports.behind.cells import Cell, behind, cell_in, href_of, query_of

__all__ = ["Cell", "behind", "cell_in", "href_of", "query_of"]
