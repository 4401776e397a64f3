"""Pages of a list that may be long: rows are counted up to a bound, never all of them."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

MOST = 10_000


class BoundedPaginator(Paginator):
    """Counts at most ``MOST`` rows; ``has_more`` tells that there are others, which a filter brings within reach."""

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        # The order is of no use to a count, and would make the database sort what it only has to count.
        return rows.order_by()[: MOST + 1].count()

    @cached_property
    def count(self) -> int:
        return min(self._counted, MOST)

    @property
    def has_more(self) -> bool:
        return self._counted > MOST
