"""What the views share: finding what a path names among what the caller may see, inputs, answers with a version."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.db.models import QuerySet
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.pagination import CursorPagination
from tasks.api.task_output import show_tasks, task_outputs, task_rows
from tasks.errors import Invalid, NotFound, unknown_name
from tasks.models import Agent, Project, Task
from tasks.querysets import TaskQuerySet

LIST_QUERY_NAMES = ("limit", "cursor", "ordering")


class View(GenericAPIView):
    """An endpoint whose caller is authenticated; ``actor`` is their user."""

    pagination_class: Any = None
    filter_backends: Sequence[Any] = ()
    #: Query parameters that are understood; any other is refused, because a dropped filter shows the wrong rows.
    query_names: ClassVar[Sequence[str]] = ()

    @property
    def actor(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        for name in request.query_params:
            if name not in self.query_names:
                raise Invalid({name: unknown_name(name, sorted(self.query_names), what="parameter")})

    def read(self, serializer: type[serializers.Serializer]) -> Any:
        """The body as ``serializer`` understands it. Raises DRF's ``ValidationError`` with the fields."""
        return _shared(serializer).run_validation(self.request.data)

    def find_project(self, key: str) -> Project:
        """The project with this key, if the caller may see it. Raises ``NotFound``."""
        projects = Project.objects.visible_to(self.actor)
        project = projects.prefetch_related("memberships__user__agent").filter(key=key.upper()).first()
        if project is None:
            raise NotFound(f"There is no project {key!r} that you are a member of.")
        return project

    def find_task(self, ref: str) -> Task:
        """The task with this ref, if the caller may see it. Raises ``NotFound``."""
        try:
            return self._tasks_named(ref).select_related("project").get()
        except Task.DoesNotExist:
            raise self._no_task(ref) from None

    def find_task_output(self, ref: str) -> dict[str, Any]:
        """``TaskOutput`` of the task with this ref, without an instance. Raises ``NotFound``."""
        shown = show_tasks(task_rows(self._tasks_named(ref)))
        if not shown:
            raise self._no_task(ref)
        return shown[0]

    def _tasks_named(self, ref: str) -> TaskQuerySet:
        key, _, number = ref.rpartition("-")
        tasks: TaskQuerySet = Task.objects.filter(project__key=key.upper(), number=int(number)).order_by()
        return tasks.found_by(self.actor)

    @staticmethod
    def _no_task(ref: str) -> NotFound:
        return NotFound(f"There is no task {ref!r} in the projects that you are a member of.")

    def find_agent(self, slug: str) -> Agent:
        """The agent with this slug, if the caller shares a project with it. Raises ``NotFound``."""
        agent = Agent.objects.visible_to(self.actor).select_related("user").filter(slug=slug).first()
        if agent is None:
            raise NotFound(f"There is no agent {slug!r} in the projects that you are a member of.")
        return agent

    def show_task(self, task: Task, *, status: int = status.HTTP_200_OK) -> Response:
        """The task as it is now, with its version as ``ETag``."""
        return self.show_output(task_outputs([task])[0], status=status)

    def show_output(self, output: dict[str, Any], *, status: int = status.HTTP_200_OK) -> Response:
        return Response(output, status=status, headers={"ETag": etag_of(output)})


@functools.cache
def _shared(serializer: type[serializers.Serializer]) -> serializers.Serializer:
    """One instance for all requests: validation keeps no state, and making the fields costs more than using them."""
    return serializer()


class ListView(View):
    """A list in pages."""

    pagination_class = CursorPagination

    def show_page(self, queryset: QuerySet, show_all: Callable[[list[Any]], list[Any]]) -> Response:
        page = self.paginate_queryset(queryset)
        assert page is not None
        return self.get_paginated_response(show_all(list(page)))


def etag_of(output: dict[str, Any]) -> str:
    return f'"{output["version"]}"'


def read_if_match(request: Request) -> int | None:
    """The version that ``If-Match`` asks for; None where it is left out or ``*``; -1 where it can match nothing."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    version = header.removeprefix("W/").strip('"')
    return int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else -1
