"""Tasks in the admin: the list with its actions, and the page of one task."""

from datetime import time
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from taskproject.strict_json import pretty
from taskproject.times import END_OF_DAY
from tasks.actions import dependencies
from tasks.actions import tasks as task_verbs
from tasks.admin import filters
from tasks.admin.bulk_views import BulkActions
from tasks.admin.columns import when
from tasks.admin.scope import managed_agents, managed_projects
from tasks.admin.skill_rows import RequiredSkillInline, skills_of
from tasks.admin.task_form import DayAndTimeField, TaskForm
from tasks.admin.task_list import TaskList
from tasks.admin.task_page import TaskPage
from tasks.admin.verb_form import VerbFormAdmin
from tasks.elsewhere import completed_at_unknown_times
from tasks.errors import Contended, DomainError, VersionMismatch
from tasks.models import Assignment, Dependency, Task
from tasks.refs import parse_ref
from tasks.transitions import has_result

SHOWN_RESULT = 20_000


def site_page(name: str, *args: Any) -> str | None:
    """The address of a page of the site, if the site has it."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return None


@admin.register(Task)
class TaskAdmin(TaskList, TaskPage, BulkActions, VerbFormAdmin):
    form = TaskForm
    inlines = (RequiredSkillInline,)
    autocomplete_fields = ("parent",)
    list_filter = (
        filters.StatusFilter,
        filters.StateFilter,
        filters.AssigneeFilter,
        filters.DueFilter,
        filters.PriorityFilter,
        filters.ProjectFilter,
        filters.SkillFilter,
        filters.LabelFilter,
    )
    readonly_fields = (
        "attempts",
        "lease_losses",
        "run_count",
        "deferred_until",
        "created_by",
        "created_at",
        "updated_at",
        "started_at",
        "completed_",
        "external_id",
        "summary_",
        "result_",
        "last_failure_",
    )
    change_form_template = "admin/tasks/task/change_form.html"

    # -- what is shown ------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("project")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Also by ref, so that ``…/task/OPS-42/change/`` can be typed by hand."""
        if parsed := parse_ref(object_id):
            key, number = parsed
            return self.get_queryset(request).filter(project__key=key, number=number).first()
        return super().get_object(request, object_id, from_field)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        what = ("title", "description", "priority", "label_names", "criteria")
        when_ = ("due_at", "start_after", "on_hold", "estimate_minutes")
        around = ("depends_on", "parent")
        rules = ("review_required", "max_attempts")
        if obj is None:
            return (
                (None, {"fields": ("project", *what, "assignees")}),
                ("Time", {"fields": when_}),
                ("Waits for", {"fields": around}),
                ("Rules", {"fields": rules}),
            )
        state = [name for name in self.readonly_fields if name not in ("summary_", "result_")]
        return (
            (None, {"fields": what}),
            ("Time", {"fields": when_}),
            ("Waits for", {"fields": around}),
            ("Rules", {"fields": rules}),
            ("Result", {"fields": ("summary_", "result_")}),
            ("Written by the system", {"fields": state, "classes": ("collapse",)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is not None else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "project":
            kwargs["queryset"] = managed_projects(request)
        elif db_field.name == "parent":
            kwargs["queryset"] = self.get_queryset(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in ("due_at", "start_after"):
            end = db_field.name == "due_at"
            kwargs |= {"form_class": DayAndTimeField, "day_means": END_OF_DAY if end else time()}
            meant = "A day without a time means its end." if end else "A day without a time means its start."
            zone = f"Times are in {timezone.get_current_timezone_name()}."
            kwargs["help_text"] = f"{db_field.help_text} {meant} {zone}".strip()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        fields = form.base_fields
        for name in ("project", "parent"):
            if name in fields:
                widget = fields[name].widget
                widget.can_add_related = widget.can_change_related = False
                widget.can_delete_related = widget.can_view_related = False
        self._pick_many(fields["depends_on"], self.get_queryset(request), Dependency._meta.get_field("depends_on"))
        self._pick_many(fields["assignees"], managed_agents(request), Assignment._meta.get_field("agent"))
        return form

    def _pick_many(self, field: Any, queryset: QuerySet[Any], source: Any) -> None:
        field.widget = AutocompleteSelectMultiple(source, self.admin_site)
        field.queryset = queryset

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        initial: dict[str, Any] = {**super().get_changeform_initial_data(request)}
        if "project" not in initial and len(projects := managed_projects(request)[:2]) == 1:
            initial["project"] = projects[0].pk
        return initial

    @admin.display(description="Summary")
    def summary_(self, task: Task) -> str:
        return task.summary if has_result(task.status) else "–"

    @admin.display(description="Completed at")
    def completed_(self, task: Task) -> SafeString | str:
        return "before its import, time not known" if completed_at_unknown_times([task]) else when(task.completed_at)

    @admin.display(description="Last failure")
    def last_failure_(self, task: Task) -> str:
        failure = task.last_failure
        if failure is None:
            return "–"
        return f"Attempt {failure['attempt']}, by {failure['agent']}: {failure['code']}. {failure['detail']}"

    @admin.display(description="Result")
    def result_(self, task: Task) -> SafeString | str:
        if task.result is None or not has_result(task.status):
            return "–"
        text = pretty(task.result)
        cut = text[:SHOWN_RESULT] + ("\n… (cut)" if len(text) > SHOWN_RESULT else "")
        return format_html('<pre class="tp-result">{}</pre>', cut)

    def get_urls(self) -> list[URLPattern]:
        return [*self.bulk_urls(), *self.page_urls(), *super().get_urls()]

    def view_on_site(self, obj: Task) -> str | None:
        return site_page("task", obj.ref)

    # -- what is written ----------------------------------------------------------------------------------------------

    def write(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> Task:
        skills = skills_of(formsets, "min_level")
        if not change:
            return self._create(request, form.cleaned_data, skills)
        return self._edit(request, form, skills)

    def _create(self, request: HttpRequest, data: dict[str, Any], skills: list[tuple[str, int]]) -> Task:
        new = task_verbs.NewTask(
            **{name: data[name] for name in task_verbs.PLAIN_FIELDS if name in data},
            labels=data["label_names"],
            required_skills=skills,
            assignees=list(data["assignees"]),
            depends_on=list(data["depends_on"]),
            parent=data["parent"],
        )
        # An unticked box cannot mean "the project's default"; ticking it can only add a review.
        new.review_required = new.review_required or None
        return task_verbs.create_task(actor=request.user, project=data["project"], new=new)  # type: ignore[arg-type]

    def _edit(self, request: HttpRequest, form: Any, skills: list[tuple[str, int]]) -> Task:
        actor: Any = request.user
        data, changed = form.cleaned_data, set(form.changed_data)
        changes = {name: data[name] for name in (*task_verbs.PLAIN_FIELDS, "parent") if name in changed}
        if "label_names" in changed:
            changes["labels"] = data["label_names"]
        changes["required_skills"] = skills
        task = form.instance
        # First the graph, then the task: the lock order of all verbs.
        dependencies.lock_graph(task.project_id)
        for _ in range(3):
            current = Task.objects.select_related("project").get(pk=task.pk)
            form.refuse_if_stale(current)
            try:
                saved = task_verbs.edit_task(
                    actor=actor, task=current, changes=changes, expected_version=current.version
                )
                break
            except VersionMismatch:
                # A run's progress intervened; if it was more than that, the next check says so.
                continue
        else:
            raise Contended("Others changed this at the same moment.", "Save again.")
        if "depends_on" in changed:
            saved = self._set_dependencies(actor, saved, list(data["depends_on"]))
        return saved

    def _set_dependencies(self, actor: Any, task: Task, wanted: list[Task]) -> Task:
        keep = {other.pk for other in wanted}
        present = Task.objects.filter(dependents__task=task)
        if gone := [other for other in present if other.pk not in keep]:
            task = dependencies.remove_dependencies(actor=actor, task=task, depends_on=gone)
        known = {other.pk for other in present}
        if new := [other for other in wanted if other.pk not in known]:
            task = dependencies.add_dependencies(actor=actor, task=task, depends_on=new)
        return task

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Only the tasks: their runs are deleted with them, which needs no separate permission."""
        listed = [f"{task} (its runs and results are deleted too; its events stay)" for task in objs]
        return listed, {self.opts.verbose_name_plural: len(listed)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        task_verbs.delete_task(actor=request.user, task=obj)  # type: ignore[arg-type]

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for task in queryset:
            self.delete_model(request, task)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:tasks_task_change", args=[object_id]))
