"""Filters of the task list. Unknown ones are refused: an ignored filter shows the wrong tasks."""

from datetime import datetime
from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from taskproject.errors import unknown_choice
from taskproject.times import read_moment
from tasks.api.tasks.output import PRIORITIES
from tasks.errors import Invalid
from tasks.models import Agent, Assignment, AssignmentEnd, Project, RequiredSkill, Task
from tasks.querysets import TaskQuerySet
from tasks.refs import parse_ref
from tasks.transitions import Status

FLAGS = {"true": True, "1": True, "false": False, "0": False}


class FlagField(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        if value in (None, ""):
            return None
        if str(value).lower() not in FLAGS:
            raise forms.ValidationError("Must be true or false.")
        return FLAGS[str(value).lower()]


@extend_schema_field(OpenApiTypes.BOOL)
class FlagFilter(django_filters.Filter):
    field_class = FlagField


class TimeField(forms.Field):
    """A time, or a day, which means its start in the server's zone: ``after`` includes the day, ``before`` does not."""

    def to_python(self, value: Any) -> datetime | None:
        if value in (None, ""):
            return None
        try:
            # A plus sign that was not encoded arrives as a space.
            return read_moment(str(value).replace(" ", "+"))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


@extend_schema_field(OpenApiTypes.DATETIME)
class TimeFilter(django_filters.Filter):
    field_class = TimeField


class SeveralField(forms.Field):
    """Values given several times or separated by commas."""

    widget = forms.SelectMultiple

    def __init__(self, *args: Any, words: dict[str, Any] | None = None, **kwargs: Any) -> None:
        kwargs.pop("max_length", None)
        super().__init__(*args, **kwargs)
        self.words = words

    def to_python(self, value: Any) -> list[Any] | None:
        parts = [part.strip() for text in value or [] for part in str(text).split(",") if part.strip()]
        if self.words is None:
            return parts or None
        for part in parts:
            if part not in self.words:
                # As a parameter: in the message itself, a % from the caller would be read as a format.
                raise forms.ValidationError("%(sentence)s", params={"sentence": unknown_choice(part, list(self.words))})
        return [self.words[part] for part in parts] or None


@extend_schema_field(OpenApiTypes.STR)
class SeveralFilter(django_filters.Filter):
    field_class = SeveralField


class UsedFilterSet(django_filters.FilterSet):
    """A filter set that creates only the filters used: creating all of them takes longer than finding the rows."""

    base_filters: ClassVar[dict[str, Any]]

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        used = {name: field for name, field in type(self).base_filters.items() if name in (data or {})}
        self.base_filters = used  # type: ignore[misc]  # shadows the class's own for this request
        super().__init__(data, *args, **kwargs)


class TaskFilter(UsedFilterSet):
    project = SeveralFilter(field_name="project__key", lookup_expr="in", label="Keys of projects.")
    status = SeveralFilter(lookup_expr="in", words={status.value: status.value for status in Status})
    priority = SeveralFilter(lookup_expr="in", words=PRIORITIES)
    assignee = SeveralFilter(method="by_assignee", label="Slugs of agents; `me` for yourself.")
    unassigned = FlagFilter(method="by_unassigned")
    label = SeveralFilter(method="by_label", label="Tasks that carry any of these.")
    skill = SeveralFilter(method="by_skill", label="Tasks that require any of these.")
    ready = FlagFilter(method="by_ready")
    blocked = FlagFilter(method="by_blocked")
    overdue = FlagFilter(method="by_overdue")
    parent = django_filters.CharFilter(method="by_parent", label="Ref of the parent, or `none`.")
    q = django_filters.CharFilter(method="by_text", label="A ref, or part of title or description.")
    created_before = TimeFilter(field_name="created_at", lookup_expr="lt")
    created_after = TimeFilter(field_name="created_at", lookup_expr="gte")
    updated_before = TimeFilter(field_name="updated_at", lookup_expr="lt")
    updated_after = TimeFilter(field_name="updated_at", lookup_expr="gte")
    due_before = TimeFilter(field_name="due_at", lookup_expr="lt")
    due_after = TimeFilter(field_name="due_at", lookup_expr="gte")
    completed_before = TimeFilter(method="by_completion")
    completed_after = TimeFilter(method="by_completion")

    class Meta:
        model = Task
        fields: list[str] = []

    def by_assignee(self, queryset: TaskQuerySet, name: str, slugs: list[str]) -> QuerySet:
        agents = Agent.objects.filter(slug__in=[slug for slug in slugs if slug != "me"])
        if "me" in slugs and self.request is not None:
            agents = agents | Agent.objects.filter(user=self.request.user)
        ids = list(agents.values_list("pk", flat=True))
        assigned = Assignment.objects.filter(task=OuterRef("pk"), agent__in=ids)
        return queryset.filter(Exists(assigned.filter(Q(ended_at__isnull=True) | Q(end_reason=AssignmentEnd.CLOSED))))

    def by_completion(self, queryset: TaskQuerySet, name: str, moment: datetime) -> QuerySet:
        within = Q(completed_at__lt=moment) if name == "completed_before" else Q(completed_at__gte=moment)
        return queryset.filter(within, status=Status.COMPLETED)

    def by_unassigned(self, queryset: TaskQuerySet, name: str, wanted: bool) -> QuerySet:
        active = Assignment.objects.active().filter(task=OuterRef("pk"))
        return queryset.unassigned() if wanted else queryset.filter(Exists(active))

    def by_label(self, queryset: TaskQuerySet, name: str, labels: list[str]) -> QuerySet:
        carried = Task.labels.through.objects.filter(task=OuterRef("pk"), label__name__in=labels)
        return queryset.filter(Exists(carried))

    def by_skill(self, queryset: TaskQuerySet, name: str, skills: list[str]) -> QuerySet:
        needs = RequiredSkill.objects.filter(task=OuterRef("pk"), skill__name__in=skills)
        return queryset.filter(Exists(needs))

    def by_ready(self, queryset: TaskQuerySet, name: str, wanted: bool) -> QuerySet:
        return queryset.ready() if wanted else queryset.exclude(pk__in=Task.objects.ready().values("pk"))

    def by_blocked(self, queryset: TaskQuerySet, name: str, wanted: bool) -> QuerySet:
        blocked = Q(status=Status.NOT_STARTED, open_blockers__gt=0)
        return queryset.filter(blocked if wanted else ~blocked)

    def by_overdue(self, queryset: TaskQuerySet, name: str, wanted: bool) -> QuerySet:
        return queryset.overdue() if wanted else queryset.exclude(pk__in=Task.objects.overdue().values("pk"))

    def by_parent(self, queryset: TaskQuerySet, name: str, ref: str) -> QuerySet:
        if ref == "none":
            return queryset.filter(parent__isnull=True)
        parsed = parse_ref(ref)
        if parsed is None:
            raise Invalid({"parent": "Must be a ref such as OPS-42, or none."})
        key, number = parsed
        return queryset.filter(parent__project__key=key, parent__number=number)

    def by_text(self, queryset: TaskQuerySet, name: str, text: str) -> QuerySet:
        if "\0" in text:
            raise Invalid({"q": "Must be a text."})
        matches = Q(title__icontains=text) | Q(description__icontains=text)
        if parsed := parse_ref(text.strip()):
            key, number = parsed
            matches |= Q(project__in=Project.objects.filter(key=key), number=number)
        return queryset.filter(matches)
