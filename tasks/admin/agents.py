"""Agents in the admin: their skills, load and tokens."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, Q, QuerySet
from django.db.models.functions import Now
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks import clock
from tasks.actions import agents as agent_verbs
from tasks.actions.projects import set_member
from tasks.admin.columns import STATE_MARKS, mark, when
from tasks.admin.filters import AgentSkillFilter
from tasks.admin.paginator import BoundedPaginator
from tasks.admin.scope import ScopedAdmin, managed_agents, managed_ids, managed_projects, manages
from tasks.admin.skill_rows import AgentSkillInline, skills_of
from tasks.admin.verb_form import VerbForm, VerbFormAdmin
from tasks.assignment.candidates import ALIVE_FOR
from tasks.assignment.presence import state_of
from tasks.assignment.track_record import track_record
from tasks.errors import DomainError, NotPermitted
from tasks.finding import find_owner
from tasks.models import Agent, AgentKind, AgentToken, Availability, Membership, Project, Role
from tasks.permissions import manages_a_project_of, may_describe, may_offer_sign_in, owns
from tasks.using.tokens import TokenForm, tokens_shown

OWNERSHIP = "The owner alone pauses the agent everywhere, says what it can do, and makes and revokes its tokens."


class AgentForm(VerbForm):
    projects = forms.ModelMultipleChoiceField(
        queryset=Project.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="The agent is given tasks of these projects only.",
    )
    role = forms.ChoiceField(
        choices=[(role.value, role.label) for role in (Role.WORKER, Role.REVIEWER)], required=False, initial=Role.WORKER
    )

    owning_project = forms.ModelChoiceField(queryset=Project.objects.none(), required=False, label="Project")
    owning_person = forms.CharField(
        label="Or a person",
        max_length=150,
        required=False,
        help_text="Username, or the person's slug. Leave it empty if a project is to own the agent.",
    )
    field_of: ClassVar[dict[str, str]] = {"owner": "owning_person"}

    class Meta:
        model = Agent
        fields: list[str] = []

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        changed = {"owning_project", "owning_person"} & set(self.changed_data)
        if changed and bool(data.get("owning_project")) == bool(data.get("owning_person")):
            self.add_error("owning_person", "Choose a project, or name a person.")
        return data


class AvailabilityFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "availability"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("available", "Available, or off hours"),
            ("silent", "Silent, or never seen"),
            ("paused", "Paused"),
            ("disabled", "Disabled"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        silent = Q(kind=AgentKind.LLM) & (Q(last_seen_at=None) | Q(last_seen_at__lte=Now() - ALIVE_FOR))
        match self.value():
            case "disabled":
                return queryset.filter(enabled=False)
            case "paused":
                return queryset.filter(enabled=True, availability=Availability.PAUSED)
            case "silent":
                return queryset.filter(silent, enabled=True, availability=Availability.AVAILABLE)
            case "available":
                return queryset.filter(~silent, enabled=True, availability=Availability.AVAILABLE)
        return queryset


class KindFilter(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, str(kind.label)) for kind in AgentKind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Agent)
class AgentAdmin(ScopedAdmin, VerbFormAdmin):
    form = AgentForm
    inlines = (AgentSkillInline,)
    paginator = BoundedPaginator
    list_display = ("slug", "name", "kind", "state", "load", "skills_", "projects_", "last_seen")
    list_filter = (AvailabilityFilter, KindFilter, AgentSkillFilter)
    search_fields = ("slug", "name")
    ordering = ("slug",)
    actions = ("make_available", "pause")
    change_form_template = "admin/tasks/agent/change_form.html"

    # -- scope: agents have no project of their own, only memberships -----------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        ids = managed_ids(request)
        members = Membership.objects.select_related("project")
        if ids is not None:
            members = members.filter(project__in=ids)
        return (
            managed_agents(request)
            .with_load()  # type: ignore[attr-defined]
            .annotate(as_of=Now())
            .prefetch_related("skills__skill", Prefetch("user__memberships", members, to_attr="shown_memberships"))
            .order_by("slug")
        )

    def may_reach(self, request: HttpRequest, obj: Any) -> bool:
        user: Any = request.user
        return manages(request) and (obj is None or manages_a_project_of(user, obj) or owns(user, obj))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """For its owner; others that manage a project of the agent only read it here."""
        return self.may_reach(request, obj) and (obj is None or may_describe(request.user, obj))  # type: ignore[arg-type]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Runs record who did what, so agents are disabled, not deleted."""
        return False

    # -- the list -----------------------------------------------------------------------------------------------------

    @admin.display(description="State", ordering="availability")
    def state(self, agent: Any) -> SafeString:
        state = state_of(agent, agent.as_of)
        return mark(str(state.label), STATE_MARKS.get(state, "warn"))

    @admin.display(description="Load")
    def load(self, agent: Any) -> SafeString:
        return format_html(
            '<meter aria-label="Load" min="0" max="{2}" value="{3}">{3}</meter> {0} active + {1} assigned of {2}',
            agent.active_runs,
            agent.open_assignments,
            agent.max_concurrent,
            agent.active_runs + agent.open_assignments,
        )

    @admin.display(description="Skills")
    def skills_(self, agent: Agent) -> str:
        return ", ".join(f"{row.skill.name} {row.level}" for row in agent.skills.all()) or "–"

    @admin.display(description="Projects")
    def projects_(self, agent: Any) -> str:
        shown = agent.user.shown_memberships
        return ", ".join(f"{row.project.key} ({row.get_role_display().lower()})" for row in shown) or "–"

    @admin.display(description="Last seen", ordering="last_seen_at")
    def last_seen(self, agent: Agent) -> SafeString | str:
        return when(agent.last_seen_at) if agent.last_seen_at else "never"

    @admin.action(description="Make available")
    def make_available(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_availability(request, queryset, Availability.AVAILABLE)

    @admin.action(description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set_availability(request, queryset, Availability.PAUSED)

    def _set_availability(self, request: HttpRequest, agents: QuerySet[Any], availability: Availability) -> None:
        done = []
        for agent in agents:
            try:
                agent_verbs.set_availability(actor=request.user, agent=agent, availability=availability)  # type: ignore[arg-type]
                done.append(agent.slug)
            except DomainError as error:
                self.message_user(request, error.detail, messages.WARNING)
        if done:
            self.message_user(request, f"{availability.label}: {', '.join(done)}.", messages.SUCCESS)

    # -- the form -----------------------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            own = ("user",) if managed_ids(request) is None else ()
            return (
                (None, {"fields": ("slug", "name", "kind", "max_concurrent")}),
                ("Projects", {"fields": ("projects", "role")}),
                *([("Account", {"fields": own, "description": "If empty, an account is created."})] if own else []),
            )
        may_hand_over = obj.kind == AgentKind.LLM and owns(request.user, obj)  # type: ignore[arg-type]
        owner = (("Owner", {"fields": ("owning_project", "owning_person"), "description": OWNERSHIP}),)
        return (
            (None, {"fields": ("slug", "kind", "name", "enabled", "availability", "max_concurrent", "version")}),
            ("Working hours", {"fields": ("working_hours", "time_zone")}),
            *(owner if may_hand_over else ()),
            ("Now", {"fields": ("load", "projects_", "last_seen", "created_at")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        shown = ("slug", "kind", "load", "projects_", "last_seen", "created_at")
        if obj.kind == AgentKind.LLM or managed_ids(request) is None:
            return shown
        return (*shown, "enabled", "availability", "version")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is not None:
            for name in ("projects", "role"):
                form.base_fields.pop(name, None)
            project, person = form.base_fields.get("owning_project"), form.base_fields.get("owning_person")
            if project is not None and person is not None:
                project.queryset, project.initial = managed_projects(request), obj.owner_project_id
                person.initial = obj.owner_user.get_username() if obj.owner_user else ""
            return form
        for name in ("owning_project", "owning_person"):
            form.base_fields.pop(name, None)
        form.base_fields["projects"].queryset = managed_projects(request)
        # Staff see only agents of their projects, so they would lose sight of one without a project.
        form.base_fields["projects"].required = managed_ids(request) is not None
        form.base_fields["name"].required = False
        if "user" in form.base_fields:
            field = form.base_fields["user"]
            field.required = False
            field.widget = field.widget.widget
            field.queryset = field.queryset.filter(agent__isnull=True, is_active=True)
        return form

    def write(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> Agent:
        actor: Any = request.user
        data = form.cleaned_data
        skills = skills_of(formsets, "level")
        if change:
            changes = {name: data[name] for name in form.changed_data if name in agent_verbs.EDITABLE_FIELDS}
            moved = any(formset.has_changed() for formset in formsets)
            agent = agent_verbs.edit_agent(
                actor=actor, agent=form.instance, changes=changes, skills=skills if moved else None
            )
            if {"owning_project", "owning_person"} & set(form.changed_data):
                agent = agent_verbs.hand_over_agent(actor=actor, agent=agent, owner=self._owner(actor, data))
            return agent
        agent = agent_verbs.create_agent(
            actor=actor,
            slug=data["slug"],
            name=data["name"],
            kind=AgentKind(data["kind"]),
            max_concurrent=data["max_concurrent"],
            skills=skills,
            user=data.get("user"),
            owner=next(iter(data["projects"]), None) if data["kind"] == AgentKind.LLM else None,
        )
        for project in data["projects"]:
            set_member(actor=actor, project=project, user=agent.user, role=Role(data["role"] or Role.WORKER))
        return agent

    @staticmethod
    def _owner(actor: Any, data: dict[str, Any]) -> Any:
        project = data["owning_project"]
        return project if project is not None else find_owner(actor, user=data["owning_person"])

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if (agent := context.get("original")) is not None:
            context["tokens"] = self._tokens(request, agent)
            context["may_issue"] = context["tokens"] is not None
            context["may_offer_sign_in"] = may_offer_sign_in(request.user, agent)  # type: ignore[arg-type]
            context["record"] = track_record(agent, clock.now(), managed_ids(request))
            context["now"] = clock.now()
        return super().render_change_form(request, context, *args, **kwargs)

    # -- tokens -------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:agent_id>/tokens/", wrap(self.token_view), name="tasks_agent_tokens"),
            path("<int:agent_id>/tokens/<int:token_id>/revoke/", wrap(self.revoke_view), name="tasks_agent_revoke"),
            *super().get_urls(),
        ]

    def _tokens(self, request: HttpRequest, agent: Agent) -> QuerySet[AgentToken] | None:
        """The tokens that the user may see; None if they may see none and create none."""
        try:
            return tokens_shown(request.user, agent)
        except NotPermitted:
            return None

    def _agent(self, request: HttpRequest, agent_id: int) -> Agent:
        agent = managed_agents(request).filter(pk=agent_id).first()
        if agent is None:
            raise Http404
        if self._tokens(request, agent) is None:
            raise PermissionDenied
        return agent

    def token_view(self, request: HttpRequest, agent_id: int) -> HttpResponse:
        """The form of a new token; after a POST the token itself, in this response and nowhere else."""
        agent = self._agent(request, agent_id)
        try:
            form = TokenForm(request.POST or None, actor=request.user, agent=agent)
        except NotPermitted:
            raise PermissionDenied from None
        plain = None
        if request.method == "POST" and form.is_valid():
            plain = form.create()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": f"New token of {agent.slug}" if plain is None else f"Token of {agent.slug}",
            "agent": agent,
            "form": form,
            "plain": plain,
            "name": form.cleaned_data.get("name") if plain else "",
            "host": request.build_absolute_uri("/").rstrip("/"),
        }
        response = TemplateResponse(request, "admin/tasks/agent/token.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def revoke_view(self, request: HttpRequest, agent_id: int, token_id: int) -> HttpResponse:
        agent = self._agent(request, agent_id)
        tokens = self._tokens(request, agent)
        token = None if tokens is None else tokens.select_related("agent__user").filter(pk=token_id).first()
        if token is None:
            raise Http404
        if request.method == "POST":
            try:
                agent_verbs.revoke_token(actor=request.user, token=token)  # type: ignore[arg-type]
                self.message_user(request, f"Revoked the token {token.name} of {agent.slug}.", messages.SUCCESS)
            except DomainError as error:
                self.message_user(request, error.detail, messages.ERROR)
        return HttpResponseRedirect(reverse("admin:tasks_agent_change", args=[agent.pk]) + "#tokens")
