"""The caller's conversations over HTTP: which there are, and how far they have read."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from messaging.conversation.listing import KINDS, Listed, conversations_of, cursor_of, listed, place_of, title_of
from messaging.conversation.reading import read_conversation
from messaging.notifications.reading import count_unread
from taskproject.api.operations import operation
from taskproject.api.pagination import limit_in
from taskproject.api.serializers import Integer, ListOf, PlainText, StrictSerializer
from taskproject.api.views import ListView, View
from taskproject.errors import Invalid, shortened, unknown_choice
from tasks.conversations import Conversation, conversation_of, find_conversation
from tasks.models import Message

TAG = "messages"
#: How much of the last message the list shows.
BODY_SHOWN = 200
MOST_IDS = 200
ROW_EXAMPLE = {
    "conversation": "OPS-42",
    "kind": "task",
    "title": "Rotate the signing keys",
    "last": {"id": 9, "at": "2026-11-22T10:00:00Z", "author": "ada", "body": "Which branch are you on?"},
    "unread": 2,
    "first_unread": 8,
    "unread_since": "2026-11-22T09:58:00Z",
    "read_up_to": 7,
}


class LastMessageOutput(serializers.Serializer):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    author = serializers.CharField()
    body = serializers.CharField(help_text="The start of it; Markdown, untrusted.")


class ConversationOutput(serializers.Serializer):
    """A task's thread, a project's channel, or what the caller and one other member write to each other."""

    conversation = serializers.CharField(help_text="Its name: the ref of a task, the key of a project, or `@ada`.")
    kind = serializers.ChoiceField([(kind, kind) for kind in KINDS])
    title = serializers.CharField(help_text="Of the task, the project or the other; untrusted.")
    last = LastMessageOutput(allow_null=True)
    unread = serializers.IntegerField(help_text="Messages of others after `read_up_to`, counted up to 100.")
    first_unread = serializers.IntegerField(
        allow_null=True, help_text="The id of the first of those: `from` for reading on from there."
    )
    unread_since = serializers.DateTimeField(allow_null=True, help_text="When that was written.")
    read_up_to = serializers.IntegerField(allow_null=True, help_text="The id of the last message that was read.")


class MessagesReadInput(StrictSerializer):
    conversation = PlainText(required=False, allow_blank=False, max_length=200)
    up_to = Integer(required=False, min_value=1, max_value=2**63 - 1, help_text="The id of a message; default: all.")
    ids = ListOf(child=Integer(min_value=1, max_value=2**63 - 1), required=False, max_length=MOST_IDS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("conversation" in attrs):
            raise serializers.ValidationError({"conversation": "Send either a conversation, or ids."})
        if "ids" in attrs and "up_to" in attrs:
            raise serializers.ValidationError({"up_to": "Goes with a conversation, not with ids."})
        return attrs


class ReadUpToOutput(serializers.Serializer):
    conversation = serializers.CharField()
    read_up_to = serializers.IntegerField(allow_null=True)


class MessagesReadOutput(serializers.Serializer):
    read = ReadUpToOutput(many=True)
    unread = serializers.IntegerField(help_text="How many notifications are unread now, counted up to 1000.")


class ConversationsView(ListView):
    query_names = ("kind", "conversation", "limit", "cursor")

    @operation(
        TAG,
        "list_conversations",
        "My conversations",
        "Those with the newest message first: threads of tasks that you created, have, watch, wrote in or are mentioned"
        " in;"
        " the channels of your projects; direct ones. `previous` is always null.",
        parameters=[
            OpenApiParameter("kind", OpenApiTypes.STR, enum=KINDS, description="Only those of one kind."),
            OpenApiParameter(
                "conversation",
                OpenApiTypes.STR,
                description="The name of one that you may read, such as `OPS-42`, `OPS` or `@ada`: only that one.",
            ),
        ],
        responses=ConversationOutput(many=True),
        response_example=[ROW_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        params = request.query_params
        kind, name = params.get("kind"), params.get("conversation")
        if kind and kind not in KINDS:
            raise Invalid({"kind": unknown_choice(kind, KINDS, what="kind")})
        if name:
            return self._answer([listed(self.actor, find_conversation(self.actor, name))])
        rows, place = conversations_of(
            self.actor,
            kinds=(kind,) if kind else KINDS,
            after=place_of(params["cursor"]) if params.get("cursor") else None,
            limit=limit_in(params.get("limit")),
        )
        url = replace_query_param(request.build_absolute_uri(), "cursor", cursor_of(place)) if place else None
        return self._answer(rows, url)

    def _answer(self, rows: list[Listed], following: str | None = None) -> Response:
        return Response({"results": [_shown(row) for row in rows], "next": following, "previous": None})


class MessagesReadView(View):
    @operation(
        TAG,
        "read_messages",
        "Mark messages as read",
        "Up to one message of a conversation, or all of it; or, with `ids`, each of their conversations up to the last"
        " of them. Notifications of these messages are read as well. A mark never moves back, so repeating it changes"
        " nothing. An id that you may not read is refused and"
        " nothing is marked.",
        request=MessagesReadInput,
        responses=MessagesReadOutput,
        examples=[
            OpenApiExample("Up to one", value={"conversation": "OPS-42", "up_to": 9}, request_only=True),
            OpenApiExample("All", value={"conversation": "@ada"}, request_only=True),
            OpenApiExample("By ids", value={"ids": [8, 9]}, request_only=True),
            OpenApiExample(
                "Answer",
                value={"read": [{"conversation": "OPS-42", "read_up_to": 9}], "unread": 0},
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        given = self.read(MessagesReadInput)
        if "ids" in given:
            wanted = self._by_ids(given["ids"])
        else:
            wanted = [(find_conversation(self.actor, given["conversation"]), given.get("up_to"))]
        read = [
            {"conversation": conversation.name, "read_up_to": read_conversation(conversation, up_to=up_to)}
            for conversation, up_to in wanted
        ]
        return Response({"read": read, "unread": count_unread(self.actor)})

    def _by_ids(self, ids: list[int]) -> list[tuple[Conversation, int]]:
        messages = Message.objects.found_by(self.actor).to_show().in_bulk(set(ids))
        if unknown := sorted(set(ids) - messages.keys()):
            shown = ", ".join(map(str, unknown[:10])) + (" and more" if len(unknown) > 10 else "")
            raise Invalid({"ids": f"There is no message {shown} that you may read."})
        last = {conversation_of(self.actor, messages[pk]): pk for pk in sorted(messages)}
        return list(last.items())


def _shown(row: Listed) -> dict[str, Any]:
    conversation, last = row.conversation, row.last
    return {
        "conversation": conversation.name,
        "kind": "task" if conversation.task else "channel" if conversation.channel else "direct",
        "title": title_of(row),
        "last": last
        and {"id": last.pk, "at": last.at, "author": last.author_name, "body": shortened(last.body, BODY_SHOWN)},
        "unread": row.unread.count,
        "first_unread": row.unread.first,
        "unread_since": row.first_unread and row.first_unread.at,
        "read_up_to": row.unread.read_up_to,
    }
