"""Pages of a list that may be long: rows are counted up to a limit, never all of them."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.utils.functional import cached_property

MOST = 10_000


class BoundedPaginator(Paginator):
    """Counts at most ``MOST`` rows; ``has_more`` says whether there are others, which a filter can reach.

    The first page is read before counting: a search that finds little reads the table once, not twice.
    """

    @cached_property
    def head(self) -> list[Any]:
        """The rows of the first page, and one more if there is one."""
        return list(self.object_list[: self.per_page + 1])

    @cached_property
    def _counted(self) -> int:
        if len(self.head) <= self.per_page:
            return len(self.head)
        rows: Any = self.object_list
        # A count needs no order, which would make the database sort the rows.
        return rows.order_by()[: MOST + 1].count()

    @cached_property
    def count(self) -> int:
        return min(self._counted, MOST)

    @property
    def has_more(self) -> bool:
        return self._counted > MOST

    def page(self, number: Any) -> Page[Any]:
        page = super().page(number)
        if page.number == 1:
            page.object_list = self.head[: self.per_page]
        return page
