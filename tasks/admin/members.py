"""Members of projects: rows in the form of a small project, and a separate list for any project."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString

from tasks.actions import projects as project_verbs
from tasks.actions.members import KEPT, MemberWish, change_members, users_named
from tasks.admin.columns import mark
from tasks.admin.filters import ProjectFilter
from tasks.admin.paginator import BoundedPaginator
from tasks.admin.scope import ScopedAdmin, ScopedInline, managed_projects
from tasks.admin.verb_form import VerbForm, VerbFormAdmin
from tasks.errors import DomainError
from tasks.events.recording import name_of
from tasks.models import Invitation, Membership, Role

#: Where a request keeps what to say instead of “added”.
_INVITED = "_invited"

BY_NAME = "Username, or the agent's slug. Whom you may not simply add is invited, and joins by accepting."
#: Each row has four fields, and Django accepts a thousand fields in one request.
MOST_INLINE = 150


class MemberField(forms.CharField):
    """A username or agent slug, as text: whether there is such an account is not for everyone to know."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"label": "User or agent", "max_length": 150, "help_text": BY_NAME, **kwargs})


class MemberForm(forms.ModelForm):
    member = MemberField()

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = ["role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["member"].disabled = True
            self.initial["member"] = self.instance.user.get_username()


class MemberFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        super().clean()
        seen: set[str] = set()
        for form in self.forms:
            name = getattr(form, "cleaned_data", {}).get("member")
            if not name or form.cleaned_data.get("DELETE"):
                continue
            if name in seen:
                form.add_error("member", f"{name} is already listed.")
            seen.add(name)


class MemberInline(ScopedInline):
    model = Membership
    form = MemberForm
    formset = MemberFormSet
    fields = ("member", "role")
    verbose_name_plural = "members"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user").order_by("user__username")


class MembershipForm(VerbForm):
    member = MemberField()
    field_of: ClassVar[dict[str, str]] = {"members": "member"}

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields.pop("member")


class RoleFilter(admin.SimpleListFilter):
    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(role.value, str(role.label)) for role in Role]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(role=self.value()) if self.value() in Role.values else queryset


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin, VerbFormAdmin):
    form = MembershipForm
    paginator = BoundedPaginator
    list_display = ("member_", "project_", "role", "paused_", "created_at")
    list_filter = (ProjectFilter, RoleFilter)
    list_select_related = ("user", "project")
    search_fields = ("user__username", "user__agent__slug")
    ordering = ("project__key", "user__username")
    actions = ("pause", "resume")

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Without Django's "delete selected", which would bypass ``remove_member``; none on a membership's page."""
        if getattr(action_location, "name", "CHANGE_LIST") != "CHANGE_LIST":
            return {}
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    @admin.display(description="Work")
    def paused_(self, membership: Membership) -> SafeString | str:
        return mark("Paused", "warn") if membership.paused_at else "–"

    @admin.action(description="Pause in the project")
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._pause(request, queryset, True)

    @admin.action(description="Let take work again")
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._pause(request, queryset, False)

    def _pause(self, request: HttpRequest, rows: QuerySet[Any], paused: bool) -> None:
        actor: Any = request.user
        for row in rows.select_related("project", "user__agent"):
            wish = MemberWish(name_of(row.user), KEPT, row.user, paused=paused)
            try:
                [done] = change_members(actor=actor, project=row.project, wishes=[wish])
                self.message_user(request, done.sentence, messages.SUCCESS)
            except DomainError as error:
                self.message_user(request, error.detail, messages.WARNING)

    @admin.display(description="Member", ordering="user__username")
    def member_(self, membership: Membership) -> str:
        return membership.user.get_username()

    @admin.display(description="Project", ordering="project__key")
    def project_(self, membership: Membership) -> str:
        return membership.project.key

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ("project", "member", "role") if obj is None else ("project_", "member_", "role")
        return ((None, {"fields": fields}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("project_", "member_")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "project":
            kwargs["queryset"] = managed_projects(request)
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        return field

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "project" in form.base_fields:
            widget = form.base_fields["project"].widget
            form.base_fields["project"].widget = getattr(widget, "widget", widget)
        return form

    def write(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> Membership | Invitation:
        data = form.cleaned_data
        actor: Any = request.user
        row, role = form.instance, Role(data["role"])
        if change:
            return project_verbs.set_member(actor=actor, project=row.project, user=row.user, role=role)
        project, wish = data["project"], MemberWish(data["member"], role)
        [done] = change_members(actor=actor, project=project, wishes=[wish])
        if done.invitation is not None:
            setattr(request, _INVITED, done.sentence)
            return done.invitation
        return Membership.objects.get(project=project, user=users_named([wish.name])[wish.name])

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None if hasattr(request, _INVITED) else super().log_addition(request, obj, message)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """An invitation is not yet a membership, so there is nothing to continue with."""
        sentence = getattr(request, _INVITED, None)
        if sentence is None:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, sentence, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:tasks_invitation_changelist"))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        listed = [f"{row.user} in {row.project.key}: assignments there end, an active run is revoked" for row in objs]
        return listed, {self.opts.verbose_name_plural: len(listed)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        actor: Any = request.user
        project_verbs.remove_member(actor=actor, project=obj.project, user=obj.user)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:tasks_membership_change", args=[object_id]))
