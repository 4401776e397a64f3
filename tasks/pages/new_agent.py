"""A new LLM agent of a project, with its first token and the call to try it: for managers, without the admin."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tasks.actions.agents import create_agent, create_skill, create_token
from tasks.actions.projects import set_member
from tasks.errors import DomainError, Invalid, NotFound
from tasks.finding import find_project
from tasks.models import Agent, Project, Role, Skill
from tasks.permissions import may_in_project
from tasks.using.lines import USUAL, skills_in


class AgentForm(forms.Form):
    """A new agent; the models validate it."""

    slug = forms.CharField(
        max_length=60,
        label="Name in the API",
        help_text="Permanent: lowercase letters, digits, dots and dashes, such as atlas.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )
    skills = forms.CharField(
        required=False,
        max_length=500,
        label="Skills",
        help_text="With levels from 1 to 5, such as python:4, docs:2. A skill that is new here is added.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    max_concurrent = forms.IntegerField(
        min_value=1, max_value=100, initial=1, label="Tasks at a time", help_text="More wait until one is done."
    )

    def clean_skills(self) -> list[tuple[str, int]]:
        try:
            return list(skills_in(self.cleaned_data["skills"], "skills", otherwise=USUAL).items())
        except Invalid as error:
            raise forms.ValidationError(error.sentence) from None


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new_agent(request: HttpRequest, key: str) -> HttpResponse:
    """The form; a POST makes all of it or nothing. The token is in the answer, and nowhere else."""
    user = request.user
    assert isinstance(user, User)
    try:
        project = find_project(user, key)
    except NotFound:
        raise Http404 from None
    if not may_in_project(user, "manage_members", project):
        raise PermissionDenied(f"Only a manager of {project.key} may add agents to it.")
    form = AgentForm(request.POST or None)
    context: dict[str, Any] = {"project": project, "form": form}
    if request.method == "POST" and (made := _make(user, project, form)):
        context["agent"], context["plain"] = made
        address = request.build_absolute_uri("/api/v1/tasks/claim_next")
        context["first_call"] = (
            f"curl -X POST {address} -H 'Authorization: Bearer {context['plain']}' "
            "-H 'Content-Type: application/json' -d '{\"wait_seconds\": 30}'"
        )
    return render(request, "tasks/new_agent.html", context, status=400 if form.errors else 200)


def _make(user: User, project: Project, form: AgentForm) -> tuple[Agent, str] | None:
    """The agent and its token; None, with the errors on the form, if it is refused."""
    if not form.is_valid():
        return None
    given = form.cleaned_data
    try:
        with transaction.atomic():
            names = [name for name, _ in given["skills"]]
            known = set(Skill.objects.filter(name__in=names).values_list("name", flat=True))
            for name in names:
                if name not in known:
                    create_skill(actor=user, name=name)
            agent = create_agent(
                actor=user,
                slug=given["slug"],
                skills=given["skills"],
                max_concurrent=given["max_concurrent"],
                owner=project,
            )
            set_member(actor=user, project=project, user=agent.user, role=Role.WORKER)
            _, plain = create_token(actor=user, agent=agent, name="first")
    except Invalid as error:
        # A skill's name is the only one that has no field of its own.
        for name, texts in error.data["errors"].items():
            form.add_error("skills" if name == "name" else name if name in form.fields else None, list(texts))
    except DomainError as error:
        form.add_error(None, error.sentence)
    else:
        return agent, plain
    return None
