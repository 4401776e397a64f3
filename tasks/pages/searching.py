"""What the search of every page finds among tasks and projects, for its reader."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from tasks import clock
from tasks.actions.saved_views import views_of
from tasks.conditions import Context, compile
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import read_query
from tasks.models import Project, SavedView, Task
from tasks.refs import parse_ref, ref_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Projects in which a number alone is looked up.
MOST_PROJECTS: Final = 200
_COLUMNS = ("project__key", "number", "title", "status", "created_at", "updated_at")


def find_tasks(user: "User", text: str, *, limit: int) -> list[Task]:
    """The task of this ref or number first, then those with these words, the newest first."""
    named = _named(user, text)[:limit]
    if len(named) == limit:
        return named
    known = {task.pk for task in named}
    listed = _listed(user, f"{_query(q=text)}").exclude(pk__in=known).order_by("-pk")
    return [*named, *listed[: limit - len(named)]]


def find_tasks_by_refs(user: "User", refs: Sequence[str]) -> list[Task]:
    """The tasks of these refs that the user may see, in this order."""
    # As tasks spell them: OPS-007 is OPS-7.
    known = [ref_of(*parsed) for ref in refs if (parsed := parse_ref(ref))]
    if not known:
        return []
    places = {ref: place for place, ref in enumerate(known)}
    return sorted(_listed(user, _query(ref=",".join(known)))[: len(known)], key=lambda task: places[task.ref])


def find_projects(user: "User", text: str, *, limit: int) -> list[Project]:
    """The projects whose key begins with ``text``, or whose name has its words."""
    named = Q()
    for word in text.split():
        named &= Q(name__icontains=word)
    return list(Project.objects.visible_to(user).filter(Q(key__istartswith=text) | named).order_by("key")[:limit])


def find_views(user: "User", text: str, *, limit: int) -> list[SavedView]:
    """The views with these words in their name."""
    named = Q()
    for word in text.split():
        named &= Q(name__icontains=word)
    return list(views_of(user).filter(named).order_by("name", "pk")[:limit])


def _query(**parameters: str) -> str:
    query = QueryDict(mutable=True)
    query.update(parameters)
    return query.urlencode()


def _listed(user: "User", query: str) -> QuerySet[Task]:
    """What the list shows at this address."""
    condition = read_query(QueryDict(query), TASK_FIELDS, TASK_PARAMETERS)
    context = Context(user, timezone.get_current_timezone(), clock.now())
    tasks = Task.objects.visible_to(user).filter(compile(condition, TASK_FIELDS, context))
    return tasks.select_related("project").only(*_COLUMNS)


def _named(user: "User", text: str) -> list[Task]:
    if parse_ref(text):
        return find_tasks_by_refs(user, [text])
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        return []
    projects = list(Project.objects.visible_to(user).order_by("key").values_list("pk", flat=True)[:MOST_PROJECTS])
    tasks = Task.objects.filter(project__in=projects, number=int(text))
    return list(tasks.select_related("project").only(*_COLUMNS).order_by("-updated_at", "pk")[:5])
