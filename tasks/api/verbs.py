"""The endpoints of the verbs, made from the catalogue: path, input, texts and answer."""

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth.models import User
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from taskproject.api.operations import operation
from taskproject.api.views import View
from tasks.actions.questions import Asked
from tasks.actions.runs import Finished
from tasks.api.assignment import DecisionOutput, decision_output
from tasks.api.inputs import description_of, input_of, summary_of
from tasks.api.questions import QUESTION_EXAMPLE, QuestionOutput
from tasks.api.runs import (
    BRIEF_EXAMPLE,
    FINISHED_EXAMPLE,
    RUN_EXAMPLE,
    FinishedOutput,
    RunBriefOutput,
    RunOutput,
    finished_response,
    run_brief,
    run_outputs,
)
from tasks.api.tasks.output import TaskOutput, task_response
from tasks.asked import question_output, question_outputs
from tasks.finding import find_task
from tasks.replies import count_unread
from tasks.using.calling import use
from tasks.verbs import Answer, Door, On, Verb
from tasks.verbs.catalogue import at


def _task(actor: User, result: Any) -> Response:
    return task_response(result.task if isinstance(result, Finished) else result)


def _run(actor: User, run: Any) -> Response:
    return Response(run_outputs([run], holder=actor, unread=count_unread(actor))[0])


def _brief(actor: User, run: Any) -> Response:
    return Response(run_brief(run, holder=actor, unread=count_unread(actor)))


class AskedOutput(serializers.Serializer):
    """The questions, and the run in brief, which may have parked."""

    questions = QuestionOutput(many=True)
    run = RunBriefOutput()


ASKED_EXAMPLE = {
    "questions": [
        {**QUESTION_EXAMPLE, "state": "open", "value": None, "note": "", "answered_by": None}
        | {"answered_at": None, "ended_at": None}
    ],
    "run": {**BRIEF_EXAMPLE, "status": "parked"},
}


def _asked(actor: User, asked: Asked) -> Response:
    brief = run_brief(asked.run, holder=actor, unread=count_unread(actor))
    return Response({"questions": question_outputs(asked.questions), "run": brief})


#: For each kind of answer: its serializer, how it is made from the verb's return value, and an example.
ANSWERS: dict[Answer, tuple[type[serializers.Serializer], Callable[[User, Any], Response], Any]] = {
    Answer.TASK: (TaskOutput, _task, None),
    Answer.FINISHED: (FinishedOutput, lambda actor, finished: finished_response(finished), FINISHED_EXAMPLE),
    Answer.RUN: (RunOutput, _run, RUN_EXAMPLE),
    Answer.BRIEF: (RunBriefOutput, _brief, BRIEF_EXAMPLE),
    Answer.ASKED: (AskedOutput, _asked, ASKED_EXAMPLE),
    Answer.QUESTION: (QuestionOutput, lambda actor, question: Response(question_output(question)), QUESTION_EXAMPLE),
    Answer.DECISION: (DecisionOutput, lambda actor, decision: Response(decision_output(decision)), None),
}


def view_of(verb: Verb) -> type[View]:
    """The view of a verb on a task, addressed by its ref, or on the caller's run, addressed by its id."""
    output, respond, example = ANSWERS[verb.answer]
    takes = input_of(verb) if verb.fields else None

    class VerbView(View):
        @operation(
            verb.tag,
            verb.operation or verb.key,
            summary_of(verb),
            description_of(verb),
            request=takes,
            responses=output,
            request_example=verb.example,
            response_example=example,
        )
        def post(self, request: Request, **named: Any) -> Response:
            if verb.on is On.TASK:
                used_on = {"task": find_task(self.actor, named["ref"])}
            else:
                used_on = {"run_id": named["id"]}
            values = self.read(takes) if takes else {}
            return respond(self.actor, use(verb, actor=self.actor, values=values, **used_on))

    VerbView.__name__ = VerbView.__qualname__ = f"{verb.key}_view"
    return VerbView


def verb_paths() -> Iterator[tuple[str, type[View], str]]:
    """Path, view and name of each verb with a regular path; ``REF`` and ``RUN`` are placeholders."""
    of_runs = {verb.name for verb in at(Door.API, On.RUN)}
    for verb in at(Door.API, On.TASK, On.RUN):
        if not verb.regular:
            continue
        name = verb.name.replace("_", "-")
        if verb.on is On.RUN:
            yield f"runs/RUN/{verb.name}", view_of(verb), name
        else:
            yield f"tasks/REF/{verb.name}", view_of(verb), f"task-{name}" if verb.name in of_runs else name
