"""Taking a question back."""

from typing import TYPE_CHECKING

from tasks.actions.questions.ending import end_question, refusal
from tasks.actions.transactions import verb
from tasks.errors import NotPermitted
from tasks.events import kinds
from tasks.finding import find_question
from tasks.models import Question, QuestionState
from tasks.permissions import may_withdraw_question
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@verb(catalogue.WITHDRAW_QUESTION)
def withdraw_question(*, actor: "User", question_id: int, note: str = "") -> Question:
    """Take an open question back; repeating it changes nothing. A task that waited for it alone is ready again.

    Raises ``NotFound``, ``NotPermitted``, ``AlreadyAnswered``, ``Superseded``, ``QuestionEnded``.
    """
    question = find_question(actor, question_id)
    if not may_withdraw_question(actor, question):
        raise NotPermitted(
            f"Only the agent that asked it or a manager of {question.project.key} may withdraw this question."
        )
    if question.state == QuestionState.WITHDRAWN:
        return question
    if question.ended_at is not None:
        raise refusal(question)
    end_question(
        question, QuestionState.WITHDRAWN, kind=kinds.QUESTION_WITHDRAWN, row="withdraw", actor=actor, note=note
    )
    return question
