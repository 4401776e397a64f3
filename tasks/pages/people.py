"""The people and agents of a project: who is in it as what, and for its managers whom to invite, change and remove."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tasks import clock
from tasks.actions.invitation_links import MOST_DAYS, MOST_LINKS, make_link, revoke_link
from tasks.actions.invitations import require_possible_name
from tasks.actions.members import MemberWish, change_members
from tasks.errors import DomainError, Invalid, NotFound
from tasks.events.recording import name_of
from tasks.finding import find_project
from tasks.models import Agent, AgentKind, Invitation, InvitationLink, Membership, Project, Role
from tasks.permissions import agent_of, is_llm, may_in_project

ON_A_PAGE: Final = 100
SHOWN: Final = 200
#: The least first; LLM agents can have those in the middle.
ROLES: Final = [(role.value, role.label) for role in Role]
ROLES_OF_AGENTS: Final = [(role.value, role.label) for role in (Role.WORKER, Role.REVIEWER)]


class LinkForm(forms.Form):
    """A new invitation link."""

    role = forms.ChoiceField(choices=ROLES, initial=Role.WORKER.value, label="Role")
    days = forms.IntegerField(
        min_value=1, max_value=MOST_DAYS, initial=7, label="Valid for days", help_text=f"At most {MOST_DAYS}."
    )
    once = forms.ChoiceField(
        choices=[("once", "One person"), ("many", "Everybody who has it")], initial="once", label="For"
    )
    note = forms.CharField(
        required=False, max_length=80, label="Note", help_text="For your list, such as who gets it. Not shown to them."
    )


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: HttpRequest, key: str) -> HttpResponse:
    """The list; a POST of ``do`` changes it. A new link is in the answer to its form, and nowhere else."""
    user = request.user
    assert isinstance(user, User)
    try:
        project = find_project(user, key)
    except NotFound:
        raise Http404 from None
    form = LinkForm()
    secret: str | None = None
    if request.method == "POST" and request.POST.get("do") == "make_link":
        form = LinkForm(request.POST)
        secret = _make(user, project, form)
    elif request.method == "POST":
        return _changed(request, user, project)
    context = _context(request, user, project) | {"form": form}
    if secret is not None:
        context["new_link"] = request.build_absolute_uri(reverse("join", args=[secret]))
    refused = request.method == "POST" and secret is None
    response = render(request, "tasks/people.html", context, status=400 if refused else 200)
    return response


def _make(user: User, project: Project, form: LinkForm) -> str | None:
    """The secret of a new link; None, with the errors on the form, if it is refused."""
    if not form.is_valid():
        return None
    given = form.cleaned_data
    try:
        _, secret = make_link(
            actor=user,
            project=project,
            role=Role(given["role"]),
            days=given["days"],
            once=given["once"] == "once",
            note=given["note"],
        )
    except Invalid as error:
        for name, texts in error.data["errors"].items():
            form.add_error(name if name in form.fields else None, forms.ValidationError(texts))
    except DomainError as error:
        form.add_error(None, error.sentence)
    else:
        return secret
    return None


def _changed(request: HttpRequest, user: User, project: Project) -> HttpResponse:
    try:
        messages.success(request, _do(request, user, project))
    except DomainError as error:
        messages.error(request, error.sentence)
    if not Project.objects.visible_to(user).filter(pk=project.pk).exists():
        return HttpResponseRedirect(reverse("board"))
    page = request.POST.get("page", "")
    tail = f"?page={page}" if page.isascii() and page.isdecimal() and len(page) < 9 and page != "1" else ""
    return HttpResponseRedirect(reverse("people", args=[project.key]) + tail)


def _do(request: HttpRequest, user: User, project: Project) -> str:
    """Do what the button says; returns a sentence about the outcome. Raises ``DomainError``."""
    button = request.POST.get("do")
    if button == "revoke_link":
        link = InvitationLink.objects.filter(project=project, pk=_number(request, "link")).select_related("project")
        if (present := link.first()) is None or not may_in_project(user, "manage_members", project):
            raise NotFound(f"{project.key} has no such link.")
        revoke_link(actor=user, link=present)
        return "The link is revoked: nobody can join by it any more."
    if button == "add":
        name = request.POST.get("name", "").strip()
        if not name:
            raise Invalid({"name": "Write the user name of the person or agent to add."})
        require_possible_name(name)
        wish = MemberWish(name, _role(request))
    elif button in ("set_role", "remove"):
        members = Membership.objects.filter(project=project, pk=_number(request, "member"))
        if (member := members.select_related("user__agent").first()) is None:
            raise NotFound("They are no longer a member.")
        role = _role(request) if button == "set_role" else None
        wish = MemberWish(name_of(member.user), role, member.user)
    else:
        raise Invalid({"do": "There is no such button."})
    [change] = change_members(actor=user, project=project, wishes=[wish])
    return change.sentence


def _role(request: HttpRequest) -> Role:
    role = request.POST.get("role", "")
    if role not in Role.values:
        raise Invalid({"role": f"Choose a role: {', '.join(Role.values)}."})
    return Role(role)


def _number(request: HttpRequest, field: str) -> int:
    text = request.POST.get(field, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


def _context(request: HttpRequest, user: User, project: Project) -> dict[str, Any]:
    members = Membership.objects.filter(project=project).select_related("user__agent").order_by("user__username", "pk")
    page: Page = Paginator(members, ON_A_PAGE).get_page(request.GET.get("page") or request.POST.get("page"))
    manages = may_in_project(user, "manage_members", project)
    context: dict[str, Any] = {
        "project": project,
        "page": page,
        "rows": _rows(page.object_list, user, manages),
        "manages": manages,
        "roles": ROLES,
    }
    if manages:
        links = InvitationLink.objects.filter(project=project).standing(clock.now())
        context["links"] = links.select_related("invited_by__agent").order_by("-pk")[:MOST_LINKS]
        invited = Invitation.objects.standing().filter(project=project)
        context["invited"] = invited.select_related("invited_by__agent").order_by("-pk")[:SHOWN]
    return context


def _rows(members: Iterable[Membership], reader: User, manages: bool) -> list[dict[str, Any]]:
    """The members as the list shows them, with what ``reader`` may do."""
    present = list(members)
    answered = {reader.pk}
    if not manages:
        owned = Agent.objects.filter(Agent.objects.owned_by(reader), kind=AgentKind.LLM)
        answered |= set(owned.filter(user__in=[each.user_id for each in present]).values_list("user", flat=True))
    return [
        {
            "member": member,
            "called": name_of(member.user),
            "agent": agent_of(member.user),
            "is_reader": member.user_id == reader.pk,
            "roles": (ROLES_OF_AGENTS if is_llm(member.user) else ROLES) if manages else [],
            "may_take_out": manages or member.user_id in answered,
        }
        for member in present
    ]
