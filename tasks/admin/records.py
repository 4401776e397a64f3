"""Runs, reviews, messages and events as read-only lists; the verbs write them, and nobody edits them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from taskproject.errors import shortened
from tasks.admin.columns import progress_bar, when
from tasks.admin.filters import NameFilter, ProjectFilter
from tasks.admin.paginator import BoundedPaginator
from tasks.admin.scope import PUBLIC, ReadOnlyAdmin, managed_agents, managed_projects
from tasks.events.kinds import CATALOGUE
from tasks.events.words import sentence
from tasks.models import Event, Message, Project, Review, Run, RunStatus, Task, Verdict
from tasks.refs import parse_ref, ref_of


def link_to_task(task: Task) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("admin:tasks_task_change", args=[task.pk]), task.ref)


class OfTaskProjectFilter(ProjectFilter):
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        path = "task__project" if queryset.model is Run else "run__task__project"
        return queryset.filter(**{f"{path}__in": managed_projects(request).filter(key=self.value()).values("pk")})


class RunStatusFilter(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((status.value, str(status.label)) for status in RunStatus), ("late", "With a late result")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "late":
            return queryset.filter(late_result__isnull=False, adopted_at__isnull=True)
        return queryset.filter(status=self.value()) if self.value() else queryset


class RunAgentFilter(NameFilter):
    title = "agent"
    parameter_name = "agent"

    def names(self, request: HttpRequest) -> QuerySet[Any]:
        return managed_agents(request).order_by("slug").values_list("slug", flat=True)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(agent__slug=self.value()) if self.value() else queryset


class VerdictFilter(admin.SimpleListFilter):
    title = "verdict"
    parameter_name = "verdict"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(verdict.value, str(verdict.label)) for verdict in Verdict]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(verdict=self.value()) if self.value() else queryset


class RecordAdmin(ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_per_page = 100
    list_max_show_all = 0
    search_help_text = "A task's ref, as in OPS-42."
    search_fields = ("pk",)
    sortable_by = ()

    def change_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """No page for a single row: a run's address would contain its id, which is the fencing secret."""
        raise Http404

    def history_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        raise Http404

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        ref = parse_ref(search_term.strip())
        project = managed_projects(request).filter(key=ref[0]).first() if ref else None
        if ref is None or project is None:
            return queryset.none(), False
        return self.of_task(queryset, project, ref[1]), False

    def of_task(self, queryset: QuerySet[Any], project: Project, number: int) -> QuerySet[Any]:
        raise NotImplementedError


@admin.register(Run)
class RunAdmin(RecordAdmin):
    project_path = "task__project_id"
    # The newest tasks' runs first: there is an index in that order, but none by start.
    ordering = ("-task_id", "-number")
    list_filter = (RunStatusFilter, RunAgentFilter, OfTaskProjectFilter)
    list_display = ("task_", "number", "agent", "outcome", "progress_", "started", "ended", "tokens", "late")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("task__project", "agent").defer("checkpoint", "result")

    def of_task(self, queryset: QuerySet[Any], project: Project, number: int) -> QuerySet[Any]:
        return queryset.filter(task__project=project, task__number=number)

    @admin.display(description="Task")
    def task_(self, run: Run) -> SafeString:
        return link_to_task(run.task)

    @admin.display(description="Outcome")
    def outcome(self, run: Run) -> str:
        return run.get_status_display()

    @admin.display(description="Progress")
    def progress_(self, run: Run) -> SafeString:
        return progress_bar(run.progress_percent)

    @admin.display(description="Started")
    def started(self, run: Run) -> SafeString | str:
        return when(run.started_at)

    @admin.display(description="Ended")
    def ended(self, run: Run) -> SafeString | str:
        return when(run.ended_at)

    @admin.display(description="Tokens (in, out)")
    def tokens(self, run: Run) -> str:
        return f"{run.input_tokens:,}, {run.output_tokens:,}" if run.input_tokens or run.output_tokens else "–"

    @admin.display(description="Late result")
    def late(self, run: Run) -> str:
        if run.late_result is None:
            return "–"
        return "adopted" if run.adopted_at else "waits to be adopted"


@admin.register(Review)
class ReviewAdmin(RecordAdmin):
    project_path = "run__task__project_id"
    ordering = ("-id",)
    list_filter = (VerdictFilter, OfTaskProjectFilter)
    list_display = ("task_", "verdict", "reviewer", "note_", "at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("run__task__project", "reviewer")

    def of_task(self, queryset: QuerySet[Any], project: Project, number: int) -> QuerySet[Any]:
        return queryset.filter(run__task__project=project, run__task__number=number)

    @admin.display(description="Task")
    def task_(self, review: Review) -> SafeString:
        return link_to_task(review.run.task)

    @admin.display(description="Note")
    def note_(self, review: Review) -> str:
        return review.note[:200] or "–"

    @admin.display(description="At")
    def at(self, review: Review) -> SafeString | str:
        return when(review.created_at)


class EventKindFilter(NameFilter):
    title = "kind"
    parameter_name = "kind"

    def names(self, request: HttpRequest) -> QuerySet[Any]:
        return Event.objects.none().values_list("kind", flat=True)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.suggested = []
        subjects = dict.fromkeys(name.partition(".")[0] for name in CATALOGUE)
        # What is recorded for one person alone is not listed.
        return [(f"{subject}.", f"{subject.capitalize()}s") for subject in subjects if subject != "notification"]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind__startswith=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(RecordAdmin):
    ordering = ("-id",)
    list_filter = (EventKindFilter, ProjectFilter)
    list_display = ("at_", "subject", "what", "by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Events outlive their tasks, so the names stored in them are shown, not those of the related rows.
        return super().get_queryset(request).filter(PUBLIC)

    def of_task(self, queryset: QuerySet[Any], project: Project, number: int) -> QuerySet[Any]:
        task = Task.objects.filter(project=project, number=number).first()
        if task is not None:
            return queryset.filter(task=task)
        return queryset.filter(project=project, task_ref=ref_of(project.key, number))

    @admin.display(description="At")
    def at_(self, event: Event) -> SafeString | str:
        return when(event.at)

    @admin.display(description="Of")
    def subject(self, event: Event) -> str:
        return event.task_ref or event.project_key

    @admin.display(description="What")
    def what(self, event: Event) -> str:
        return sentence(event)

    @admin.display(description="By")
    def by(self, event: Event) -> str:
        return event.actor_name or "the engine"


@admin.register(Message)
class MessageAdmin(RecordAdmin):
    """What was said in threads and channels. Direct messages are for their two participants alone: nobody else reads
    them, superusers included.
    """

    ordering = ("-id",)
    list_filter = (ProjectFilter,)
    list_display = ("at_", "where", "author_name", "kind", "state", "said")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(to__isnull=True).select_related("project", "task")

    def of_task(self, queryset: QuerySet[Any], project: Project, number: int) -> QuerySet[Any]:
        return queryset.filter(task__project=project, task__number=number)

    @admin.display(description="At")
    def at_(self, message: Message) -> SafeString | str:
        return when(message.at)

    @admin.display(description="In")
    def where(self, message: Message) -> SafeString | str:
        if message.task is None:
            return message.project.key
        message.task.project = message.project
        return link_to_task(message.task)

    @admin.display(description="Message")
    def said(self, message: Message) -> str:
        return shortened(message.body, 200)
