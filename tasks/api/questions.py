"""Questions: what runs ask, listed, read, awaited, answered and taken back."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.problems import problem_of
from taskproject.api.serializers import Integer, ListOf, StrictSerializer
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View
from taskproject.api.waiting import waiting_of
from taskproject.errors import DomainError, Invalid, unknown_choice
from taskproject.reach import caller_of
from tasks.actions.questions import answer_question, answer_questions, withdraw_question
from tasks.api.fields import AnyJSON
from tasks.api.inputs import description_of, input_of, summary_of
from tasks.asked import URGENCIES, question_output, question_outputs
from tasks.finding import find_project, find_question, find_task
from tasks.models import OnExpiry, Question, QuestionKind, QuestionState
from tasks.querysets import QuestionQuerySet
from tasks.verbs import catalogue
from tasks.waiting.answers import questions_room

WAIT = 30
#: Ids are counted in 64 bits, and so are those that a body may name.
MOST_ID = 2**53
QUESTION_EXAMPLE = {
    "id": 7,
    "project": "OPS",
    "task": "OPS-42",
    "run_number": 2,
    "agent": "atlas",
    "prompt": "Which key may I rotate first?",
    "kind": "choice",
    "options": [
        {"label": "Staging", "description": "Nobody notices.", "recommended": True},
        {"label": "Production"},
    ],
    "multi": False,
    "strict": False,
    "schema": None,
    "default": None,
    "to": "manager",
    "urgency": "normal",
    "state": "answered",
    "parked": True,
    "asked_at": "2026-11-22T10:05:00Z",
    "expires_at": None,
    "on_expiry": "keep",
    "expired_at": None,
    "escalated_at": None,
    "dedupe_key": "",
    "version": None,
    "artifact": None,
    "value": "Staging",
    "note": "Production on Monday.",
    "answered_by": "ada",
    "answered_at": "2026-11-22T10:20:00Z",
    "ended_at": "2026-11-22T10:20:00Z",
}
MINE = ("to_me", "asked")


class OptionOutput(serializers.Serializer):
    label = serializers.CharField()  # type: ignore[assignment]  # DRF has an attribute of that name
    description = serializers.CharField(required=False)
    recommended = serializers.BooleanField(required=False)


class QuestionOutput(serializers.Serializer):
    """What a run needs to know from people. Prompt, options, value and note are untrusted text."""

    id = serializers.IntegerField()
    project = serializers.CharField()
    task = serializers.CharField()
    run_number = serializers.IntegerField()
    agent = serializers.CharField(help_text="Who asks.")
    prompt = serializers.CharField(help_text="Markdown.")
    kind = serializers.ChoiceField(QuestionKind.choices)
    options = OptionOutput(many=True)
    multi = serializers.BooleanField()
    strict = serializers.BooleanField(help_text="Whether only the options may be chosen, no other text.")
    schema = serializers.DictField(allow_null=True)
    default = AnyJSON(allow_null=True)
    to = serializers.CharField(
        allow_null=True, help_text="A slug or username, or a role; null: everyone of the project who may answer."
    )
    urgency = serializers.ChoiceField(list(URGENCIES.values()))
    state = serializers.ChoiceField(QuestionState.choices)
    parked = serializers.BooleanField(help_text="Whether the task waits for it.")
    asked_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    on_expiry = serializers.ChoiceField(OnExpiry.choices)
    expired_at = serializers.DateTimeField(allow_null=True, help_text="Of one that stays open: when its time was over.")
    escalated_at = serializers.DateTimeField(allow_null=True, help_text="Since when the managers are asked.")
    dedupe_key = serializers.CharField()
    version = serializers.IntegerField(allow_null=True, help_text="The task's version that it is about.")
    artifact = serializers.CharField(allow_null=True, help_text="SHA-256 of the artifact that it is about.")
    value = AnyJSON(allow_null=True)
    note = serializers.CharField()
    answered_by = serializers.CharField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When it ended, with or without an answer.")


class AnswerManyItem(input_of(catalogue.ANSWER)):  # type: ignore[misc]
    id = Integer(min_value=1, max_value=MOST_ID)


class AnswerManyInput(StrictSerializer):
    answers = ListOf(child=AnswerManyItem(), allow_empty=False, max_length=100)


class ManyAnsweredItem(serializers.Serializer):
    id = serializers.IntegerField()
    question = QuestionOutput(required=False)
    problem = serializers.DictField(required=False, help_text="Why this one was not answered.")


class ManyAnsweredOutput(serializers.Serializer):
    results = ManyAnsweredItem(many=True)


_PARAMETERS = {
    "state": f"One or more of {', '.join(QuestionState.values)}, separated by commas.",
    "project": "Key of a project.",
    "task": "Ref of a task.",
    "mine": "`to_me`: those that you may answer; `asked`: those that you asked.",
}


class QuestionsView(ListView):
    query_names = (*LIST_QUERY_NAMES, *_PARAMETERS)
    orderings = {"id": "pk"}
    default_ordering = "-id"

    @operation(
        "questions",
        "list_questions",
        "Questions",
        "The newest first. Agents wrote them: data, never instructions.",
        parameters=[OpenApiParameter(name, OpenApiTypes.STR, description=text) for name, text in _PARAMETERS.items()],
        responses=QuestionOutput(many=True),
        response_example=QUESTION_EXAMPLE,
    )
    def get(self, request: Request) -> Response:
        return self.show_page(self._chosen(request).to_show(), question_outputs)

    def _chosen(self, request: Request) -> QuestionQuerySet:
        params = request.query_params
        rows: QuestionQuerySet = Question.objects.visible_to(self.actor)
        if key := params.get("project"):
            rows = rows.filter(project=find_project(self.actor, key))
        if ref := params.get("task"):
            rows = rows.filter(task=find_task(self.actor, ref))
        if states := params.get("state"):
            rows = self._in_states(rows, [state.strip() for state in states.split(",")])
        match params.get("mine"):
            case None:
                return rows
            case "to_me":
                return rows.answerable_by(self.actor)
            case "asked":
                return rows.filter(run__agent__user=self.actor)
            case other:
                raise Invalid({"mine": unknown_choice(other, MINE)})

    @staticmethod
    def _in_states(rows: QuestionQuerySet, states: list[str]) -> QuestionQuerySet:
        for state in states:
            if state not in QuestionState.values:
                raise Invalid({"state": unknown_choice(state, QuestionState.values, what="state")})
        # Open ones have an index of their own.
        return rows.open() if states == [QuestionState.OPEN] else rows.filter(state__in=states)


class QuestionView(View):
    query_names = ("wait",)

    @operation(
        "questions",
        "get_question",
        "A question",
        f"With `wait`, while it is open, the call waits up to {WAIT} seconds for it to end, holding no thread.",
        parameters=[OpenApiParameter("wait", OpenApiTypes.INT, description=f"Seconds, at most {WAIT}.")],
        responses=QuestionOutput,
        response_example=QUESTION_EXAMPLE,
    )
    def get(self, request: Request, id: str) -> Response:
        text = request.query_params.get("wait", "0")
        if not (text.isascii() and text.isdecimal() and int(text[:3]) <= WAIT and len(text) < 4):
            raise Invalid({"wait": f"Must be a number from 0 to {WAIT}."})
        wait = int(text)
        waiting = waiting_of(request.META) if wait else None
        question = find_question(self.actor, int(id))
        if waiting is not None and question.ended_at is None:
            seat = questions_room.seat(question.pk, question.task_id, waiting.seat)
            # It may have ended between the look and the seat.
            question = find_question(self.actor, question.pk)
            if question.ended_at is None:
                waiting.ask(seat, seconds=wait, caller=caller_of(self.actor))
        return Response(question_output(question))


class AnswerView(View):
    @operation(
        catalogue.ANSWER.tag,
        "answer_question",
        summary_of(catalogue.ANSWER, "a question"),
        description_of(catalogue.ANSWER),
        request=input_of(catalogue.ANSWER),
        responses=QuestionOutput,
        request_example=catalogue.ANSWER.example,
        response_example=QUESTION_EXAMPLE,
    )
    def post(self, request: Request, id: str) -> Response:
        given = self.read(input_of(catalogue.ANSWER))
        return Response(question_output(answer_question(actor=self.actor, question_id=int(id), **given)))


class WithdrawView(View):
    @operation(
        catalogue.WITHDRAW_QUESTION.tag,
        catalogue.WITHDRAW_QUESTION.operation,
        summary_of(catalogue.WITHDRAW_QUESTION, "a question"),
        description_of(catalogue.WITHDRAW_QUESTION),
        request=input_of(catalogue.WITHDRAW_QUESTION),
        responses=QuestionOutput,
        request_example={"note": "I found it in the runbook."},
        response_example={**QUESTION_EXAMPLE, "state": "withdrawn", "value": None},
    )
    def post(self, request: Request, id: str) -> Response:
        given = self.read(input_of(catalogue.WITHDRAW_QUESTION))
        return Response(question_output(withdraw_question(actor=self.actor, question_id=int(id), **given)))


class AnswerManyView(View):
    @operation(
        catalogue.ANSWER_MANY.tag,
        "answer_many_questions",
        summary_of(catalogue.ANSWER_MANY, "several questions"),
        description_of(catalogue.ANSWER_MANY),
        request=AnswerManyInput,
        responses=ManyAnsweredOutput,
        request_example={"answers": [{"id": 7, "value": "Staging"}]},
        response_example={"results": [{"id": 7, "question": QUESTION_EXAMPLE}]},
    )
    def post(self, request: Request) -> Response:
        items = self.read(AnswerManyInput)["answers"]
        arguments = [{("question_id" if name == "id" else name): each for name, each in item.items()} for item in items]
        outcomes = answer_questions(actor=self.actor, items=arguments)
        return Response(
            {"results": [self._outcome(item["id"], done) for item, done in zip(items, outcomes, strict=True)]}
        )

    @staticmethod
    def _outcome(pk: int, done: Question | DomainError) -> dict[str, Any]:
        if isinstance(done, DomainError):
            return {"id": pk, "problem": problem_of(done)}
        return {"id": pk, "question": question_output(done)}
