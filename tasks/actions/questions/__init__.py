"""Questions: asked by the holder of a run, answered by people, taken back, and what time does to them."""

from tasks.actions.questions.answering import answer_question, answer_questions
from tasks.actions.questions.asking import Asked, ask_run
from tasks.actions.questions.expiring import expire_question, expiring_questions
from tasks.actions.questions.withdrawing import withdraw_question

__all__ = [
    "Asked",
    "answer_question",
    "answer_questions",
    "ask_run",
    "expire_question",
    "expiring_questions",
    "withdraw_question",
]
