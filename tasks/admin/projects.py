"""Projects in the admin with their members, and the skills and labels that tasks use."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.forms import ChoiceField
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from tasks.actions import agents as agent_verbs
from tasks.actions import projects as project_verbs
from tasks.actions.members import MemberWish, Outcome, change_members
from tasks.admin.filters import ProjectFilter
from tasks.admin.members import MOST_INLINE, MemberInline
from tasks.admin.paginator import BoundedPaginator
from tasks.admin.scope import ScopedAdmin, managed_ids, managed_projects, manages
from tasks.admin.verb_form import VerbForm, VerbFormAdmin
from tasks.matching.policies import DEFAULT, named, names
from tasks.models import Label, Project, Role, Skill, Task
from tasks.permissions import is_llm


@admin.register(Project)
class ProjectAdmin(ScopedAdmin, VerbFormAdmin):
    project_path = "pk"
    form = VerbForm
    change_form_template = "admin/tasks/project/change_form.html"
    paginator = BoundedPaginator
    list_display = ("key", "name", "mode", "members_", "tasks_")
    search_fields = ("key", "name")
    ordering = ("key",)
    rules = (
        "allow_pull",
        "workers_create",
        "review_required",
        "lease_seconds",
        "stalled_after_seconds",
        "stop_grace_seconds",
        "limit_in_progress",
        "limit_in_review",
    )
    assignment_rules = (
        "mode",
        "policy",
        "patience_minutes",
        "share_weight",
        "accept_within_llm_seconds",
        "accept_within_human_seconds",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(member_count=Count("memberships"))

    def project_id_of(self, obj: Any) -> int | None:
        return obj.pk

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or self.may_reach(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever creates a project manages it, so any staff may."""
        return not is_llm(request.user)  # type: ignore[arg-type]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Members in the form while there are few; a form with a thousand rows is more than a request may hold."""
        many = obj is not None and obj.member_count > MOST_INLINE
        return () if many else (MemberInline,)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (
            (None, {"fields": ("key", "name", "description")}),
            ("Rules", {"fields": self.rules}),
            ("Assignment", {"fields": self.assignment_rules}),
        )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "policy":
            choices = [(name, policy.label) for name in names() if (policy := named(name))]
            return ChoiceField(choices=choices, initial=DEFAULT, help_text=db_field.help_text)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("key",) if obj is not None else ()

    @admin.display(description="Members")
    def members_(self, project: Any) -> SafeString:
        url = f"{reverse('admin:tasks_membership_changelist')}?{urlencode({'project': project.key})}"
        return format_html('<a href="{}">{}</a>', url, project.member_count)

    @admin.display(description="Tasks")
    def tasks_(self, project: Project) -> SafeString:
        url = f"{reverse('admin:tasks_task_changelist')}?{urlencode({'project': project.key, 'status': 'open'})}"
        return format_html('<a href="{}">open tasks</a>', url)

    def write(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> Project:
        actor: Any = request.user
        data = form.cleaned_data
        if change:
            changes = {name: data[name] for name in form.changed_data if name in project_verbs.EDITABLE_FIELDS}
            project = project_verbs.edit_project(actor=actor, project=form.instance, changes=changes)
        else:
            rules = {name: data[name] for name in project_verbs.EDITABLE_FIELDS if name in data and name != "name"}
            project = project_verbs.create_project(actor=actor, key=data["key"], name=data["name"], **rules)
        for formset in formsets:
            if wishes := _wishes(formset):
                for done in change_members(actor=actor, project=project, wishes=wishes):
                    if done.outcome is Outcome.INVITED:
                        self.message_user(request, done.sentence, messages.SUCCESS)
        return project


def _wishes(formset: Any) -> list[MemberWish]:
    """What the rows of the members that were changed ask for."""
    wishes = []
    for form in formset.forms:
        if not form.has_changed():
            continue
        user = form.instance.user if form.instance.pk else None
        name = user.get_username() if user else form.cleaned_data.get("member")
        if name:
            role = None if form.cleaned_data.get("DELETE") else Role(form.cleaned_data["role"])
            wishes.append(MemberWish(name, role, user))
    return wishes


class SkillForm(VerbForm):
    class Meta:
        model = Skill
        fields = ("name", "description")


@admin.register(Skill)
class SkillAdmin(ScopedAdmin, VerbFormAdmin):
    """Skills are not tied to projects: staff add them; only superusers change what others use."""

    form = SkillForm
    paginator = BoundedPaginator
    list_display = ("name", "description", "agents_", "tasks_")
    search_fields = ("name",)
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Skill.objects.order_by("name")

    def may_reach(self, request: HttpRequest, obj: Any) -> bool:
        return manages(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return managed_ids(request) is None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name",) if obj is not None else ()

    @admin.display(description="Agents")
    def agents_(self, skill: Skill) -> SafeString:
        url = f"{reverse('admin:tasks_agent_changelist')}?{urlencode({'skill': skill.name})}"
        return format_html('<a href="{}">who has it</a>', url)

    @admin.display(description="Tasks")
    def tasks_(self, skill: Skill) -> SafeString:
        url = f"{reverse('admin:tasks_task_changelist')}?{urlencode({'skill': skill.name})}"
        return format_html('<a href="{}">what requires it</a>', url)

    def write(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> Skill:
        data = form.cleaned_data
        actor: Any = request.user
        if not change:
            return agent_verbs.create_skill(actor=actor, name=data["name"], description=data["description"])
        # A description is not part of any state, so no verb writes it.
        Skill.objects.filter(pk=form.instance.pk).update(description=data["description"])
        return Skill.objects.get(pk=form.instance.pk)


@admin.register(Label)
class LabelAdmin(ScopedAdmin):
    """A label is part of the tasks that carry it and is removed by editing them; only unused ones are deleted here."""

    paginator = BoundedPaginator
    list_display = ("name", "project", "tasks_")
    list_filter = (ProjectFilter,)
    search_fields = ("name",)
    fields = ("project", "name")
    list_select_related = ("project",)
    actions = None

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "project":
            kwargs["queryset"] = managed_projects(request)
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.widget = getattr(field.widget, "widget", field.widget)
        return field

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None or not self.may_reach(request, obj):
            return False
        used = Task.labels.through.objects.filter(label=OuterRef("pk"))
        return not Label.objects.filter(Exists(used), pk=obj.pk).exists()

    @admin.display(description="Tasks")
    def tasks_(self, label: Label) -> SafeString:
        query = urlencode({"label": label.name, "project": label.project.key})
        return format_html('<a href="{}?{}">tasks</a>', reverse("admin:tasks_task_changelist"), query)
