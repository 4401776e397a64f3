"""What a click on a verb's button does: read the posted form, use the verb, return a sentence about the outcome."""

from typing import TYPE_CHECKING, Any

from taskproject.strict_json import DECODER
from tasks.errors import DomainError, Invalid
from tasks.models import FollowUp, Question, Run, Task
from tasks.permissions import agent_of
from tasks.questions.posted import text_posted, value_posted
from tasks.using.calling import outcome, use
from tasks.using.forms import InputForm
from tasks.verbs import Door, On, Verb
from tasks.verbs.catalogue import ANSWER, at
from tasks.verbs.fields import LineComments

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def posted_verb(door: Door, name: str, data: Any) -> Verb | None:
    """The verb of ``door`` with this name; if two share it, the one on a run if the form names a run."""
    of_run = bool(data.get("run"))
    candidates = [verb for verb in at(door, On.TASK, On.RUN, On.ENDED_RUN, On.FOLLOW_UP) if verb.name == name]
    return next(iter(sorted(candidates, key=lambda verb: (verb.on is On.TASK) is of_run)), None)


def press(verb: Verb | None, *, actor: "User", task: Task, data: Any) -> str:
    """Use ``verb`` as the posted form says; returns a sentence about the outcome. Raises ``DomainError``."""
    if verb is None:
        raise Invalid({"verb": "There is no such button."})
    values = InputForm(verb, task, data).values() | _collected(verb, data)
    if verb.on is On.RUN:
        used_on: dict[str, Any] = {"run_id": _own_run(actor, task, data.get("run", "")).pk}
    elif verb.on is On.ENDED_RUN:
        used_on = {"run": _run(task, data.get("run", ""))}
    elif verb.on is On.FOLLOW_UP:
        used_on = {"follow_up": _follow_up(task, data.get("follow_up", ""))}
    else:
        used_on = {"task": task}
    return outcome(verb, task.ref, use(verb, actor=actor, values=values, **used_on))


def _collected(verb: Verb, data: Any) -> dict[str, Any]:
    """What a page's script has collected for the form, as JSON; nothing without it."""
    collected = {}
    for field in verb.fields:
        text = data.get(field.name, "").strip() if isinstance(field, LineComments) else ""
        if text:
            try:
                collected[field.name] = DECODER.decode(text)
            except (ValueError, RecursionError):
                raise Invalid({field.name: "The page sent something else than comments; load it again."}) from None
    return collected


def answer_posted(question: Question, *, actor: "User", data: Any) -> Any:
    """Answer ``question`` as the posted form says (``questions.posted``); returns the value. Raises ``DomainError``."""
    value = value_posted(question, data)
    if value is None:
        raise Invalid({"value": "Choose or type an answer."})
    values = {"value": value, "note": text_posted(data.get("note", ""))}
    use(ANSWER, actor=actor, values=values, question_id=question.pk)
    return value


def sentence(error: DomainError, verb: Verb | None) -> str:
    """The sentence for people; a field is called by its label."""
    labels = {field.name: field.label for field in verb.fields} if verb else {}
    if isinstance(error, Invalid) and error.field in labels:
        return f"{labels[error.field]}: {error.sentence}"
    return error.sentence


def run_numbered(task: Task, number: str) -> Run | None:
    """The run with this number: its id is a secret that no page contains."""
    is_number = number.isascii() and number.isdecimal() and len(number) < 10
    return Run.objects.filter(task=task, number=int(number)).first() if is_number else None


def _run(task: Task, number: str) -> Run:
    run = run_numbered(task, number)
    if run is None:
        raise Invalid({"run": f"{task.ref} has no such run."})
    return run


def _follow_up(task: Task, number: str) -> FollowUp:
    """The follow-up that the page showed."""
    is_number = number.isascii() and number.isdecimal() and len(number) < 16
    follow_up = FollowUp.objects.filter(task=task, pk=int(number)).first() if is_number else None
    if follow_up is None:
        raise Invalid({"follow_up": f"{task.ref} has no such follow-up."})
    return follow_up


def _own_run(actor: "User", task: Task, number: str) -> Run:
    """The run that the page showed: input for one run must not end another.

    The verb itself reports a lost lease.
    """
    agent = agent_of(actor)
    run = run_numbered(task, number)
    if run is None or agent is None or run.agent_id != agent.pk:
        raise Invalid({"run": f"Run {number[:10]} of {task.ref} is not yours."})
    return run
