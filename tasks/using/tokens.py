"""Tokens for people: the form of a new one, and the list, in the admin and on the pages."""

from datetime import datetime, time, timedelta
from typing import Any, ClassVar

from django import forms
from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from taskproject.times import require_in_range
from tasks import clock
from tasks.actions import agents as agent_verbs
from tasks.errors import DomainError, Invalid, NotPermitted
from tasks.models import Agent, AgentToken, Project
from tasks.permissions import bound_of_new_token, tokens_in_hand_of


def tokens_shown(actor: Any, agent: Agent) -> QuerySet[AgentToken]:
    """The tokens of ``agent`` that ``actor`` may see and revoke, newest first, each with ``listed``: those of its
    projects that ``actor`` sees. Raises ``NotPermitted``.
    """
    seen = Prefetch("projects", Project.objects.visible_to(actor), to_attr="listed")
    return tokens_in_hand_of(actor, agent).select_related("created_by").prefetch_related(seen).order_by("-id")


def may_have_tokens(actor: Any, agent: Agent) -> bool:
    """Whether ``actor`` may list, make and revoke tokens of ``agent``."""
    try:
        tokens_in_hand_of(actor, agent)
        bound_of_new_token(actor, agent)
    except NotPermitted:
        return False
    return True


class TokenForm(forms.Form):
    """A new token of ``agent``. Raises ``NotPermitted`` if ``actor`` may make none."""

    #: What the verb calls otherwise.
    field_of: ClassVar[dict[str, str]] = {"expires_at": "valid_until"}

    name = forms.CharField(max_length=80, help_text="Where it will be used, such as “laptop” or “ci”.")
    valid_until = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        validators=[require_in_range],
        help_text="The last day on which it is valid, in your time zone. Empty: it does not expire.",
    )
    projects = forms.ModelMultipleChoiceField(
        queryset=Project.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Only these projects",
    )
    read_only = forms.BooleanField(required=False, label="Read only", help_text="It can read, but not change anything.")

    def __init__(self, *args: Any, actor: Any, agent: Agent, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor, self.agent = actor, agent
        field: Any = self.fields["projects"]
        field.queryset = agent_verbs.projects_for_token(actor, agent).order_by("key")
        field.help_text = (
            f"None ticked: every project that {agent.slug} is in, also those it joins later."
            if bound_of_new_token(actor, agent) is None
            else "None ticked: all of these. Later projects are not added."
        )

    def expires_at(self) -> datetime | None:
        """The end of the last day."""
        day = self.cleaned_data["valid_until"]
        if day is None:
            return None
        return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))

    def create(self) -> str | None:
        """The token itself, to be shown once; None, with an error on the form, if it is refused."""
        data = self.cleaned_data
        valid = Q(expires_at__isnull=True) | Q(expires_at__gt=clock.now())
        # Only among those that the actor may see: what others call theirs is not the actor's business.
        shown = tokens_in_hand_of(self.actor, self.agent)
        if shown.filter(valid, name=data["name"], revoked_at__isnull=True).exists():
            # A form submitted twice also ends here.
            self.add_error("name", f"{self.agent.slug} has a token of this name; revoke it or choose another name.")
            return None
        try:
            _, plain = agent_verbs.create_token(
                actor=self.actor,
                agent=self.agent,
                name=data["name"],
                expires_at=self.expires_at(),
                projects=[project.key for project in data["projects"]] or None,
                read_only=data["read_only"],
            )
        except Invalid as error:
            for name, texts in error.data["errors"].items():
                field = self.field_of.get(name, name)
                self.add_error(field if field in self.fields else None, texts)
            return None
        except DomainError as error:
            self.add_error(None, error.sentence)
            return None
        return plain
