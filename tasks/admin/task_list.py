"""The list of tasks: its columns and its search, both at a cost independent of the number of tasks."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Prefetch, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks import clock
from tasks.admin.columns import marks_of, progress_bar, status_badge, when
from tasks.admin.paginator import BoundedPaginator
from tasks.admin.scope import ScopedAdmin, managed_projects
from tasks.models import Assignment, Priority, Run, Task, counting
from tasks.refs import parse_ref
from tasks.search.matching import matching

#: Refs that can be given at once.
WORDS = 8


class TaskChangeList(ChangeList):
    """Loads what the columns need for one page, but not for the selection of an action."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        paginator = self.paginator
        rows = list(self.result_list if self.multi_page else paginator.head)
        prefetch_related_objects(
            rows,
            Prefetch("assignments", Assignment.objects.filter(counting()).select_related("agent"), to_attr="counting"),
            Prefetch("runs", Run.objects.active(), to_attr="active_runs"),
        )
        # Once for all rows: on PostgreSQL reading the clock is a query.
        now = clock.now()
        for task in rows:
            task.read_at = now
        self.result_list = rows


def search_tasks(request: HttpRequest, tasks: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Tasks whose refs are given, or else those that the search finds."""
    words = text.split()[:WORDS]
    if not words:
        return tasks
    refs = [parse_ref(word.strip(",;")) for word in words]
    if all(refs):
        ids = dict(managed_projects(request).values_list("key", "pk"))
        wanted = Q(pk__in=())
        for ref in refs:
            if ref is not None and (project := ids.get(ref[0])):
                wanted |= Q(project_id=project, number=ref[1])
        return tasks.filter(wanted)
    return tasks.filter(matching(text))


class TaskList(ScopedAdmin):
    """Columns and search of the task list."""

    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 0
    ordering = ("-id",)
    list_display = (
        "ref_",
        "title",
        "status_",
        "priority_",
        "assignees",
        "progress_",
        "due",
        "updated",
    )
    list_display_links = ("ref_", "title")
    # Only declares that there is a search; ``search_tasks`` does it.
    search_fields = ("title",)
    search_help_text = "A ref (OPS-42), several refs, a number, or words of title, labels and description."

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TaskChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return search_tasks(request, queryset, search_term), False

    @admin.display(description="Ref", ordering="pk")
    def ref_(self, task: Task) -> str:
        return task.ref

    @admin.display(description="Status", ordering="status")
    def status_(self, task: Any) -> SafeString:
        marks = marks_of(task, is_stalled=any(run.stalled_at for run in task.active_runs), now=task.read_at)
        return format_html("{} {}", status_badge(task), marks)

    @admin.display(description="Priority", ordering="priority")
    def priority_(self, task: Task) -> SafeString:
        return format_html('<span class="tp-priority-{}">{}</span>', task.priority, Priority(task.priority).label)

    @admin.display(description="Assignees")
    def assignees(self, task: Any) -> str:
        return ", ".join(dict.fromkeys(assignment.agent.slug for assignment in task.counting)) or "–"

    @admin.display(description="Progress")
    def progress_(self, task: Task) -> SafeString | str:
        return progress_bar(task.progress_percent) if task.progress_percent else "–"

    @admin.display(description="Due", ordering="due_order")
    def due(self, task: Task) -> SafeString | str:
        return when(task.due_at, this_year="j M")

    @admin.display(description="Updated", ordering="updated_at")
    def updated(self, task: Task) -> SafeString | str:
        return when(task.updated_at)
