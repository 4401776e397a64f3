"""What is behind a figure: the facts that it counts, one row each, and the addresses that lead to them."""

from reports.behind.cells import behind, cell_in, href_of, query_of

__all__ = ["behind", "cell_in", "href_of", "query_of"]
