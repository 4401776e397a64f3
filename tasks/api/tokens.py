"""Tokens of agents: listed, made and revoked by those who may; and what the token of a call may do."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.serializers import Boolean, Moment, PlainText, StrictSerializer, TextOf
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from tasks.actions import agents as agent_verbs
from tasks.api.fields import Texts
from tasks.errors import NotFound
from tasks.events.recording import name_of
from tasks.finding import find_agent
from tasks.models import AgentToken
from tasks.permissions import tokens_in_hand_of
from tasks.querysets import projects_seen_by

PROJECTS_HELP = "Keys of the only projects that it reaches, now and later, as far as you see them; null: not limited."


class MyTokenOutput(serializers.Serializer):
    """The token of a call, and what it may do."""

    name = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    projects = serializers.ListField(
        child=serializers.CharField(), allow_null=True, source="keys", help_text=PROJECTS_HELP
    )
    read_only = serializers.BooleanField()  # type: ignore[assignment]  # DRF has a field of that name


class TokenOutput(MyTokenOutput):
    """A token as listed: never the token itself."""

    id = serializers.IntegerField()
    hint = serializers.CharField(help_text="Its first characters.")
    made_by = TextOf(
        lambda token: name_of(token.created_by) if token.created_by else None,
        allow_null=True,
        help_text="Null: on the server, or by an account that was deleted.",
    )
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewTokenOutput(MyTokenOutput):
    """A token that was just made."""

    token = serializers.CharField(
        allow_null=True, help_text="Shown only once; keep it safe. Null when the answer is repeated for the same key."
    )


class TokenInput(StrictSerializer):
    name = PlainText(allow_blank=False, max_length=80)
    expires_at = Moment(end_of_day=True, required=False, allow_null=True)
    projects = Texts(required=False, help_text="Keys of the only projects that it is to reach. Default: not limited.")
    read_only = Boolean(required=False, default=False, help_text="It can read, but not change anything.")  # type: ignore[assignment]  # DRF has a field of that name


def with_keys(tokens: Iterable[AgentToken], reader: User) -> list[AgentToken]:
    """The tokens, each with the ``keys`` of its projects, as far as ``reader`` sees them; None if it is not limited."""
    tokens = list(tokens)
    seen = set(projects_seen_by(reader)) if any(token.is_limited for token in tokens) else set()
    for token in tokens:
        keys = None
        if token.is_limited:
            keys = [project.key for project in token.projects.all() if project.pk in seen]
        token.keys = keys  # type: ignore[attr-defined]
    return tokens


class TokensView(ListView):
    """Tokens of an agent."""

    query_names = LIST_QUERY_NAMES
    orderings = {"created_at": "created_at"}

    @operation(
        "team",
        "list_tokens",
        "Tokens of an agent",
        "For its owner; for a manager of a project of a person, those that reach only projects that the manager has. "
        "The tokens themselves are not stored.",
        responses=TokenOutput(many=True),
    )
    def get(self, request: Request, slug: str) -> Response:
        tokens = tokens_in_hand_of(self.actor, find_agent(self.actor, slug))
        rows = tokens.select_related("created_by__agent").prefetch_related("projects")
        return self.show_page(rows, lambda page: [shown(TokenOutput, token) for token in with_keys(page, self.actor)])

    @operation(
        "team",
        "create_token",
        "Create a token",
        "For the agent's owner: it reaches the `projects` that you name and no others, whatever the agent joins later; "
        "without them all that the agent is in. A manager of a project of a person may make one too, which stays "
        "limited to what both are in and the manager manages now. With `read_only` every call that could change "
        "something is refused. The token is shown only once; to change what it may do, make another. Agents cannot "
        "create tokens, and a token makes none that reaches further or lasts longer than itself.",
        request=TokenInput,
        responses={201: NewTokenOutput},
        request_example={"name": "laptop", "expires_at": "2027-01-01T00:00:00Z", "projects": ["OPS"]},
        response_example={
            "token": "tp_…",
            "name": "laptop",
            "expires_at": "2027-01-01T00:00:00Z",
            "projects": ["OPS"],
            "read_only": False,
        },
    )
    def post(self, request: Request, slug: str) -> Response:
        agent = find_agent(self.actor, slug)
        fields = self.read(TokenInput)
        token, secret = agent_verbs.create_token(actor=self.actor, agent=agent, **fields)
        answer = {"token": secret, **shown(MyTokenOutput, *with_keys([token], self.actor))}
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class TokenView(View):
    @operation(
        "team",
        "revoke_token",
        "Revoke a token",
        "For those who may list it. It stops working at once.",
        responses={204: None},
    )
    def delete(self, request: Request, slug: str, id: str) -> Response:
        agent = find_agent(self.actor, slug)
        token = tokens_in_hand_of(self.actor, agent).filter(pk=int(id)).select_related("agent__user").first()
        if token is None:
            raise NotFound(f"{slug} has no token with that id.")
        agent_verbs.revoke_token(actor=self.actor, token=token)
        return Response(status=status.HTTP_204_NO_CONTENT)
