"""The list of tasks without filters, the most requested of all: the same page as any list, by prepared statements."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from taskproject.keyset import Place, beyond
from taskproject.prepared.parameters import Parameter
from taskproject.prepared.querysets import prepared
from tasks.models import Task
from tasks.querysets import projects_seen_by, sees_all

#: Projects whose tasks are merged; a statement of more takes too long to plan.
MOST_RANGES = 50
#: How many places are read for pages of up to 50, and for larger ones: few texts serve all limits.
_READ = (51, 201)


class PlainTasks:
    """All tasks that ``user`` sees, for ``keyset.page_of``; its rows are their ids.

    ``serves`` says whether they are in few enough projects for that; otherwise take ``visible_to``.
    """

    model = Task

    def __init__(self, user: User) -> None:
        self.projects = None if sees_all(user) else projects_seen_by(user)
        self.serves = self.projects is None or len(self.projects) <= MOST_RANGES
        self.query = Task.objects.none().query

    def first_rows(
        self, column: str, place: Place | None, *, reverse: bool, count: int
    ) -> list[tuple[Any, int, dict[str, int]]]:
        """As ``TaskQuerySet.first_rows``."""
        if self.projects == []:
            return []
        values = {_name(n): project for n, project in enumerate(self.projects or ())}
        rows = _places.all(
            value=place and place.value,
            pk=place and place.pk,
            **values,
            column=column,
            reverse=reverse,
            goes_on=place is not None,
            projects=None if self.projects is None else len(self.projects),
            most=next((most for most in _READ if count <= most), count),
        )
        return [(row[0], row[-1], {"id": row[-1]}) for row in rows[:count]]


def _name(number: int) -> str:
    return f"project {number}"


@prepared
def _places(
    value: Any, pk: Any, *, column: str, reverse: bool, goes_on: bool, projects: int | None, most: int
) -> QuerySet[Task, Any]:
    """The value of ``column`` and the id of the first tasks, merged from an index of each project."""
    columns = ("pk",) if column == "pk" else (column, "pk")
    rows = Task.objects.order_by()
    if goes_on:
        rows = rows.filter(beyond(column, Place(value, pk), reverse=reverse))
    if projects is None:
        pairs = rows.values_list(*columns)
    else:
        first, *others = (rows.filter(project=Parameter(_name(n))).values_list(*columns) for n in range(projects))
        pairs = first.union(*others, all=True) if others else first
    return pairs.order_by(*(f"-{each}" if reverse else each for each in columns))[:most]
