"""Questions on pages: the control for an answer, made from kind and schema, and what became of those that ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tasks.errors import DomainError
from tasks.events.recording import name_of
from tasks.finding import task_named
from tasks.models import OnExpiry, Priority, Question, QuestionState, Role, Task
from tasks.pages.returning import way_back
from tasks.permissions import may_answer_question
from tasks.questions import shown_value
from tasks.questions.posted import OTHER_CHOICE, VALUE
from tasks.questions.shapes import OTHER_MOST, TEXT_MOST
from tasks.using.posting import answer_posted, sentence
from tasks.verbs.catalogue import ANSWER

#: Of a task's questions, how many its page shows.
SHOWN = 50


@dataclass(frozen=True)
class Option:
    """What may be chosen; untrusted."""

    label: str
    description: str = ""
    recommended: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class FormField:
    """A field of a form, by its part of the JSON Schema; its words are untrusted."""

    id: str
    name: str
    label: str
    help: str
    kind: str
    required: bool
    value: Any
    choices: tuple[str, ...]
    least: Any = None
    most: Any = None

    @property
    def is_long(self) -> bool:
        """Whether a text of it may have several lines."""
        return self.kind == "string" and (self.most is None or self.most > 200)

    @property
    def step(self) -> str:
        return "1" if self.kind == "integer" else "any"


class Control:
    """A question for a reader. ``posted``: the form that was refused, for the reason ``problem``."""

    def __init__(self, question: Question, *, may_answer: bool, posted: Any = None, problem: str = "") -> None:
        self.question, self.may_answer = question, may_answer
        self.posted, self.problem = posted, problem
        self.other, self.other_most, self.text_most = OTHER_CHOICE, OTHER_MOST, TEXT_MOST

    @property
    def is_open(self) -> bool:
        return self.question.state == QuestionState.OPEN

    @property
    def typed(self) -> str:
        """What was typed before, in the field of this name or as the text."""
        return self.posted.get(VALUE, "") if self.posted else ""

    @property
    def other_chosen(self) -> bool:
        return OTHER_CHOICE in self.posted.getlist(VALUE) if self.posted else False

    @property
    def other_typed(self) -> str:
        return self.posted.get("other", "") if self.posted else ""

    @property
    def note_typed(self) -> str:
        return self.posted.get("note", "") if self.posted else ""

    @property
    def options(self) -> list[Option]:
        chosen = self.posted.getlist(VALUE) if self.posted else ()
        return [
            Option(
                option["label"],
                option.get("description") or "",
                bool(option.get("recommended")),
                option["label"] in chosen,
            )
            for option in self.question.options
        ]

    @property
    def fields(self) -> list[FormField]:
        schema = self.question.schema or {}
        required = schema.get("required", [])
        return [self._field(name, part, name in required) for name, part in schema.get("properties", {}).items()]

    def _field(self, name: str, part: dict[str, Any], required: bool) -> FormField:
        kind = part["type"]
        lengths = kind == "string"
        value = part.get("default")
        if self.posted is not None:
            typed = self.posted.get(f"{VALUE}.{name}", "")
            value = bool(typed) if kind == "boolean" else typed
        return FormField(
            id=f"question-{self.question.pk}-{name}",
            name=f"{VALUE}.{name}",
            label=part.get("title") or name,
            help=part.get("description") or "",
            kind=kind,
            required=required,
            value=value if kind == "boolean" or value is None else str(value),
            choices=tuple(map(str, part.get("enum") or ())),
            least=part.get("minLength" if lengths else "minimum"),
            most=part.get("maxLength" if lengths else "maximum"),
        )

    @property
    def urgency(self) -> str:
        """As a label; empty for the usual one."""
        urgency = Priority(self.question.urgency)
        return "" if urgency is Priority.NORMAL else str(urgency.label)

    @property
    def asker(self) -> str:
        return self.question.run.agent.slug

    @property
    def addressees(self) -> str:
        if self.question.to_user is not None:
            return name_of(self.question.to_user)
        if self.question.to_role:
            return f"{Role(self.question.to_role).label.lower()}s of {self.question.project.key}"
        return f"everyone who works in {self.question.project.key}"

    @property
    def on_expiry(self) -> str:
        """What happens at ``expires_at``."""
        match self.question.on_expiry:
            case OnExpiry.DEFAULT:
                return f"it takes the default: {shown_value(self.question.default)}"
            case OnExpiry.ESCALATE:
                return "it goes to the managers"
            case OnExpiry.FAIL:
                return "the attempt fails"
        return "it is late, and stays open"

    @property
    def outcome(self) -> str:
        """Who gave which answer, or why there is none; the answer is untrusted."""
        question = self.question
        match question.state:
            case QuestionState.ANSWERED:
                return f"{name_of(question.answered_by) or 'Somebody'} answered: {shown_value(question.value, 1_000)}"
            case QuestionState.DEFAULTED:
                return f"Nobody answered in time; its default was taken: {shown_value(question.value, 1_000)}"
            case QuestionState.WITHDRAWN:
                return "It was withdrawn: no answer is needed any more."
            case QuestionState.SUPERSEDED:
                return "What it was about has changed, so it takes no answer any more."
            case QuestionState.FAILED:
                return "Nobody answered in time."
        return ""


def with_all(questions: QuerySet[Question]) -> QuerySet[Question]:
    """``questions`` with what their controls show."""
    return questions.select_related("project", "task__project", "run__agent", "to_user__agent", "answered_by__agent")


def controls_of(task: Task, user: Any) -> tuple[list[Control], list[Control]]:
    """The latest questions about ``task``: the open ones in their order, and those that have ended, latest first."""
    questions = list(with_all(Question.objects.filter(task=task)).order_by("-pk")[:SHOWN])
    answerable = _answerable(questions, user)
    controls = [Control(question, may_answer=question.pk in answerable) for question in questions]
    return [each for each in reversed(controls) if each.is_open], [each for each in controls if not each.is_open]


def _answerable(questions: Iterable[Question], user: Any) -> set[int]:
    ids = [question.pk for question in questions if question.ended_at is None]
    if not ids:
        return set()
    return set(Question.objects.answerable_by(user).filter(pk__in=ids).values_list("pk", flat=True))


def _find(user: Any, pk: int) -> Question:
    question = with_all(Question.objects.filter(pk=pk).found_by(user)).first() if pk < 2**63 else None
    if question is None:
        raise Http404
    return question


@require_safe
@login_required
def questions_of_task(request: HttpRequest, ref: str) -> HttpResponse:
    """The questions about a task alone; a card of the board shows them in a dialog."""
    user: Any = request.user
    task = task_named(user, ref).select_related("project").first()
    if task is None:
        raise Http404
    questions, answered = controls_of(task, user)
    context = {"task": task, "questions": questions, "answered": answered, "back": request.path}
    return render(request, "tasks/questions.html", context)


@require_safe
@login_required
def question(request: HttpRequest, pk: int) -> HttpResponse:
    """One question with its control, or with what became of it."""
    asked = _find(request.user, pk)
    user: Any = request.user
    control = Control(asked, may_answer=may_answer_question(user, asked))
    return render(request, "tasks/question.html", {"control": control, "task": asked.task})


@require_POST
@login_required
def answer_question(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the posted answer, then lead back; a refused one is shown with the reason and what was typed."""
    asked = _find(request.user, pk)
    user: Any = request.user
    back = way_back(request)
    try:
        value = answer_posted(asked, actor=user, data=request.POST)
    except DomainError as error:
        # Somebody may have been faster: the page says who, and what they answered.
        now = _find(request.user, pk)
        control = Control(
            now,
            may_answer=may_answer_question(user, now),
            posted=request.POST,
            problem=sentence(error, ANSWER),
        )
        context = {"control": control, "task": now.task, "back": back}
        return render(request, "tasks/question.html", context, status=409)
    messages.success(request, f"Answered {asked.task.ref}: {shown_value(value, 100)}")
    return HttpResponseRedirect(back or reverse("task", args=[asked.task.ref]))
