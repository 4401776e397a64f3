"""Filters of the task list. Each offers only what the user may see and is one indexed condition."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tasks import clock
from tasks.admin.scope import managed_agents, managed_ids, managed_projects
from tasks.models import (
    AgentSkill,
    Assignment,
    Label,
    Priority,
    RequiredSkill,
    Run,
    Skill,
    Task,
    counting,
)
from tasks.permissions import agent_of
from tasks.transitions import OPEN, Status

LISTED = 12
SUGGESTED = 500
#: No slug, label or skill starts with a dash, so this is not a name.
NOBODY = "-"


class ProjectFilter(admin.SimpleListFilter):
    title = "project"
    parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, f"{key} · {name}") for key, name in managed_projects(request).values_list("key", "name")]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1 or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        # The id, not a join, so that the project's indexes are walked in the list's order.
        project = managed_projects(request).filter(key=self.value()).first()
        return queryset.filter(project_id=project.pk) if project else queryset.none()


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open (not ended)"), *[(status.value, str(status.label)) for status in Status]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "open":
            return queryset.filter(status__in=sorted(OPEN))
        return queryset.filter(status=self.value()) if self.value() in Status.values else queryset


class StateFilter(admin.SimpleListFilter):
    """States derived from the status and related tasks."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("ready", "Ready"),
            ("blocked", "Blocked"),
            ("on_hold", "On hold"),
            ("deferred", "Deferred"),
            ("stalled", "Stalled"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        tasks: Any = queryset
        if self.value() == "ready":
            return tasks.ready(clock.now())
        if self.value() == "blocked":
            return tasks.blocked()
        if self.value() == "on_hold":
            return tasks.held()
        if self.value() == "deferred":
            return tasks.deferred(clock.now())
        if self.value() == "stalled":
            return tasks.filter(pk__in=Run.objects.active().filter(stalled_at__isnull=False).values("task"))
        return queryset


class DueFilter(admin.SimpleListFilter):
    """Days are in the reader's zone."""

    title = "due date"
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("overdue", "Overdue"),
            ("today", "Today"),
            ("week", "Within 7 days"),
            ("later", "Later"),
            ("none", "No due date"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow, next_week = midnight + timedelta(days=1), midnight + timedelta(days=7)
        tasks: Any = queryset
        if self.value() == "overdue":
            return tasks.overdue(clock.now())
        conditions = {
            "today": Q(due_at__gte=midnight, due_at__lt=tomorrow),
            "week": Q(due_at__gte=midnight, due_at__lt=next_week),
            "later": Q(due_at__gte=next_week),
            "none": Q(due_at__isnull=True),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class PriorityFilter(admin.SimpleListFilter):
    title = "priority"
    parameter_name = "priority"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name.lower(), str(label)) for name, label in zip(Priority.names, Priority.labels, strict=True)][::-1]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = dict(zip((name.lower() for name in Priority.names), Priority.values, strict=True))
        wanted = known.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(priority=wanted)


class NameFilter(admin.SimpleListFilter):
    """One of many names: the first ones as links, all others by typing, with suggestions."""

    template = "admin/tasks/name_filter.html"

    def names(self, request: HttpRequest) -> QuerySet[Any]:
        """The names that the user may see, as flat values, in order."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        suggestions = list(self.names(request)[:SUGGESTED])
        self.suggested = suggestions if len(suggestions) > LISTED else []
        listed = suggestions[:LISTED]
        if (value := self.value()) and value in suggestions[LISTED:]:
            listed.append(value)
        return [*self.always(request), *((name, name) for name in listed)]

    def always(self, request: HttpRequest) -> Iterable[tuple[str, str]]:
        return ()

    def has_output(self) -> bool:
        # A filter without output would not be applied either, and would show everything instead of nothing.
        return bool(self.lookup_choices) or self.value() is not None

    def choices(self, changelist: Any) -> Iterator[Any]:
        self.others = [
            (key, value)
            for key, values in changelist.get_filters_params().items()
            for value in values
            if key != self.parameter_name
        ]
        if changelist.query:
            self.others.append(("q", changelist.query))
        yield from super().choices(changelist)


class AssigneeFilter(NameFilter):
    """Also finds tasks that an agent was assigned to when they ended."""

    title = "assignee"
    parameter_name = "assignee"

    def names(self, request: HttpRequest) -> QuerySet[Any]:
        return managed_agents(request).order_by("slug").values_list("slug", flat=True)

    def always(self, request: HttpRequest) -> Iterable[tuple[str, str]]:
        yield NOBODY, "Unassigned"
        if agent_of(request.user) is not None:  # type: ignore[arg-type]
            yield f"{NOBODY}me", "Me"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        tasks: Any = queryset
        slug = self.value()
        if not slug:
            return queryset
        if slug == NOBODY:
            return tasks.unassigned()
        if slug == f"{NOBODY}me":
            agent = agent_of(request.user)  # type: ignore[arg-type]
        else:
            agent = managed_agents(request).filter(slug=slug).first()
        if agent is None:
            return queryset.none()
        return queryset.filter(pk__in=Assignment.objects.filter(counting(), agent=agent).values("task"))


class SkillFilter(NameFilter):
    title = "required skill"
    parameter_name = "skill"

    def names(self, request: HttpRequest) -> QuerySet[Any]:
        # Skills are not tied to projects; finding those that tasks require would scan all requirements.
        return Skill.objects.order_by("name").values_list("name", flat=True)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(pk__in=RequiredSkill.objects.filter(skill__name=self.value()).values("task"))


class LabelFilter(NameFilter):
    title = "label"
    parameter_name = "label"

    def names(self, request: HttpRequest) -> QuerySet[Any]:
        labels, ids = Label.objects.all(), managed_ids(request)
        if ids is not None:
            labels = labels.filter(project__in=ids)
        return labels.order_by("name").values_list("name", flat=True).distinct()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        labelled = Task.labels.through.objects.filter(label__name=self.value())
        return queryset.filter(pk__in=labelled.values("task"))


class AgentSkillFilter(NameFilter):
    """For the list of agents."""

    title = "skill"
    parameter_name = "skill"

    def names(self, request: HttpRequest) -> QuerySet[Any]:
        rows = AgentSkill.objects.filter(agent__in=managed_agents(request).values("pk"))
        return rows.order_by("skill__name").values_list("skill__name", flat=True).distinct()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(skills__skill__name=self.value())
