"""The list of tasks without filters, the most requested of all: the same page as any list, by prepared statements."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from taskproject.keyset import Place, beyond
from taskproject.prepared.querysets import prepared
from taskproject.ranges import MOST_RANGES
from tasks.models import Task
from tasks.querysets import projects_seen_by, sees_all

#: How many places are read for pages of up to 50, and for larger ones: few texts serve all limits.
_READ = (51, 201)


class PlainTasks:
    """All tasks that ``user`` sees, for ``keyset.page_of``; its rows are their ids.

    ``serves`` says whether they are in few enough projects for that; otherwise take ``conditions.listing``.
    """

    model = Task

    def __init__(self, user: User) -> None:
        self.projects = None if sees_all(user) else projects_seen_by(user)
        self.serves = self.projects is None or len(self.projects) <= MOST_RANGES
        self.query = Task.objects.none().query

    def first_rows(
        self, column: str, place: Place | None, *, reverse: bool, count: int
    ) -> list[tuple[Any, int, dict[str, int]]]:
        """As ``Listing.first_rows``."""
        values: dict[str, Any] = {
            "value": place and place.value,
            "pk": place and place.pk,
            "column": column,
            "reverse": reverse,
            "goes_on": place is not None,
            "of_project": self.projects is not None,
            "most": next((most for most in _READ if count <= most), count),
        }
        if self.projects is None:
            rows = _places.all(project=None, **values)
        else:
            way = "DESC" if reverse else "ASC"
            order = f"1 {way}" if column == "pk" else f"1 {way}, 2 {way}"
            rows = _places.merged([{"project": pk, **values} for pk in self.projects], order=order, most=values["most"])
        return [(row[0], row[-1], {"id": row[-1]}) for row in rows[:count]]


@prepared
def _places(
    project: Any, value: Any, pk: Any, *, column: str, reverse: bool, goes_on: bool, of_project: bool, most: int
) -> QuerySet[Task, Any]:
    """The value of ``column`` and the id of the first tasks, of a project or of all: each walks an index."""
    columns = ("pk",) if column == "pk" else (column, "pk")
    rows = Task.objects.filter(project=project) if of_project else Task.objects.all()
    if goes_on:
        rows = rows.filter(beyond(column, Place(value, pk), reverse=reverse))
    return rows.order_by(*(f"-{each}" if reverse else each for each in columns)).values_list(*columns)[:most]
