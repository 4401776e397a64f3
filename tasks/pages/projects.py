"""The projects of the reader, with the way to their boards and people; and a new one, for whoever may create it."""

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from tasks.actions.projects import create_project
from tasks.errors import DomainError, Invalid
from tasks.models import Membership, Project, Role
from tasks.permissions import may_create_projects

ON_A_PAGE: Final = 100


class ProjectForm(forms.Form):
    """A new project; the model validates it."""

    name = forms.CharField(max_length=200, label="Name", help_text="Such as “Operations”.")
    key = forms.CharField(
        max_length=12,
        label="Key",
        help_text="Short and permanent: it starts every task's ref, as in OPS-42.",
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        return key.upper()


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def projects(request: HttpRequest) -> HttpResponse:
    """The list; a POST creates a project, whose board it leads to."""
    user = request.user
    assert isinstance(user, User)
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and (key := _create(user, form)):
        messages.success(request, f"{key} is ready. Invite people, and add the agents that work in it.")
        return HttpResponseRedirect(f"{reverse('board')}?project={key}")
    # The count is of all members, so it must not share the join by which the reader sees the project.
    seen = Project.objects.filter(pk__in=Project.objects.visible_to(user).order_by().values("pk"))
    seen = seen.annotate(team=Count("memberships")).order_by("name", "pk")
    page = Paginator(seen, ON_A_PAGE).get_page(request.GET.get("page"))
    own = Membership.objects.filter(user=user, project__in=[each.pk for each in page.object_list])
    roles = {project: Role(role).label for project, role in own.values_list("project", "role")}
    context: dict[str, Any] = {
        "page": page,
        "rows": [(project, roles.get(project.pk, "")) for project in page.object_list],
        "may_create": may_create_projects(user),
        "form": form,
    }
    return render(request, "tasks/projects.html", context, status=400 if form.errors else 200)


def _create(user: User, form: ProjectForm) -> str | None:
    """The key of the new project; None, with the errors on the form, if it is refused. A form that is sent twice makes
    one project.
    """
    if not form.is_valid():
        return None
    key, name = form.cleaned_data["key"], form.cleaned_data["name"]
    try:
        return create_project(actor=user, key=key, name=name).key
    except Invalid as error:
        made = Project.objects.filter(key=key, name=name, memberships__user=user, memberships__role=Role.MANAGER)
        if made.exists():
            return str(key)
        for name, texts in error.data["errors"].items():
            form.add_error(name if name in form.fields else None, forms.ValidationError(texts))
    except DomainError as error:
        form.add_error(None, error.sentence)
    return None
