"""Answering: the first answer wins."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.actions.funnel import active_run, load_task
from tasks.actions.questions.ending import end_question, outdated, refusal
from tasks.actions.transactions import in_transaction, verb
from tasks.errors import DomainError, Invalid
from tasks.events import kinds
from tasks.finding import find_question
from tasks.models import Question, QuestionState
from tasks.permissions import require_may_answer_question
from tasks.questions import problem_of
from tasks.questions.shapes import same
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Outdated(Exception):
    """What the question is about has changed: it is superseded in a transaction of its own, then refused."""


@in_transaction
def _answer(actor: "User", question_id: int, value: Any, note: str) -> Question:
    question = find_question(actor, question_id)
    require_may_answer_question(actor, question)
    if question.ended_at is not None:
        again = question.state == QuestionState.ANSWERED and question.answered_by_id == actor.pk
        if again and same(question.value, value):
            return question
        raise refusal(question)
    if problem := problem_of(question, value):
        raise Invalid({"value": problem})
    if question.is_bound:
        # Locked, so that no edit comes between this look and the answer; the run first, as everywhere.
        active_run(question.task, lock=True)
        question.task = load_task(question.task, lock=True)
        if outdated(question):
            raise Outdated
    end_question(
        question,
        QuestionState.ANSWERED,
        kind=kinds.QUESTION_ANSWERED,
        row="answer",
        actor=actor,
        value=value,
        note=note,
    )
    return question


@in_transaction
def supersede(question_id: int) -> None:
    """End a question that is about something that has changed, if it is still open and still outdated."""
    question = find_question(None, question_id)
    if question.ended_at is None and (what := outdated(question)):
        end_question(
            question,
            QuestionState.SUPERSEDED,
            kind=kinds.QUESTION_SUPERSEDED,
            row="withdraw",
            actor=None,
            note=what,
        )


@verb(catalogue.ANSWER, opens_transaction=False)
def answer_question(*, actor: "User", question_id: int, value: Any, note: str = "") -> Question:
    """Answer a question; ``value`` as its kind demands (``tasks.questions.problem_of``), ``note`` what else to know.

    The same answer again by the same person changes nothing. A task that waited for this one alone is ready again, for
    the agent that asked first. Raises ``NotFound``, ``NotPermitted``, ``Invalid``, ``AlreadyAnswered`` with who and
    what, ``Superseded`` (which ends the question), ``QuestionEnded``.
    """
    try:
        return _answer(actor, question_id, value, note)
    except Outdated:
        supersede(question_id)
        ended = find_question(actor, question_id)
        if ended.ended_at is None:
            # It was outdated for a moment only, between two edits that undo each other.
            return _answer(actor, question_id, value, note)
        raise refusal(ended) from None


@verb(catalogue.ANSWER_MANY, opens_transaction=False)
def answer_questions(*, actor: "User", items: Sequence[dict[str, Any]]) -> list[Question | DomainError]:
    """Answer several questions, each in a transaction of its own; ``items``: the arguments of ``answer_question``.

    Returns, in order, each question or why it was refused.
    """
    outcomes: list[Question | DomainError] = []
    for item in items:
        try:
            outcomes.append(answer_question(actor=actor, **item))
        except DomainError as error:
            outcomes.append(error)
    return outcomes
