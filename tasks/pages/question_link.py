"""The page behind a link to one question: whoever has it answers as the person it was made for, without signing in."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from taskproject.errors import TooManyRequests
from taskproject.guessing import address_in, count_wrong_token
from tasks import clock
from tasks.errors import DomainError, Invalid
from tasks.links import read_link, use_link
from tasks.models import Question, QuestionLink
from tasks.permissions import may_answer_question
from tasks.questions import value_posted
from tasks.questions.posted import OTHER_CHOICE, VALUE
from tasks.questions.shapes import OTHER_MOST, TEXT_MOST
from tasks.using.calling import use
from tasks.using.posting import sentence
from tasks.verbs.catalogue import VERBS

#: No script runs here, nothing is loaded but our style, and the form leads back here.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class FormField:
    """A field of a form, by its part of the JSON Schema; its words are untrusted."""

    name: str
    label: str
    help: str
    kind: str
    required: bool
    value: Any
    choices: tuple[str, ...]

    @property
    def is_number(self) -> bool:
        return self.kind in ("number", "integer")


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def question_link(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows the question and changes nothing, however often; POST answers it, once.

    The token alone is the authority, so a session and its CSRF token have no part in it.
    """
    link = read_link(token)
    if link is None:
        try:
            count_wrong_token(address_in(request.META))
        except TooManyRequests as error:
            return _said(request, "Too many wrong links", error.detail, 429)
        words = "Copy it whole from the e-mail. It may also have been revoked."
        return _said(request, "This link is not valid", words, 404)
    if not may_answer_question(link.user, link.question):
        # Nothing of the project is shown to somebody who is no longer in it.
        words = "It was for somebody who may no longer answer it. Sign in to see what you can do."
        return _said(request, "This question is not yours to answer any more", words, 403)
    if link.question.ended_at is not None:
        return _ended(request, 410 if request.method == "POST" else 200)
    return _answer(request, link) if request.method == "POST" else _asked(request, link)


def _answer(request: HttpRequest, link: QuestionLink) -> HttpResponse:
    question, verb = link.question, VERBS["answer_question"]
    try:
        value = value_posted(question, request.POST)
        if value is None:
            raise Invalid({"value": "Choose or type an answer."})
        values = {"value": value, "note": request.POST.get("note", "").replace("\r\n", "\n").strip()}
        if problems := verb.problems(values):
            raise Invalid({**problems})
        use(verb, actor=link.user, values=values, question_id=question.pk)
    except DomainError as error:
        if Question.objects.open().filter(pk=question.pk).exists():
            return _asked(request, link, problem=sentence(error, verb))
        return _ended(request, 409)
    use_link(link, at=clock.now())
    return _said(request, "Thank you", f"Your answer is on its way to {question.run.agent.slug}.")


def _asked(request: HttpRequest, link: QuestionLink, problem: str = "") -> HttpResponse:
    question, posted = link.question, request.POST if problem else None
    context = {
        "question": question,
        "name": link.user.get_username(),
        "asker": question.run.agent.slug,
        "problem": problem,
        "fields": _fields(question, posted),
        "chosen": posted.getlist(VALUE) if posted else [],
        "typed": posted.get(VALUE, "") if posted else "",
        "other": OTHER_CHOICE,
        "other_typed": posted.get("other", "") if posted else "",
        "note_typed": posted.get("note", "") if posted else "",
        "text_most": TEXT_MOST,
        "other_most": OTHER_MOST,
    }
    return _shown(request, context, 400 if problem else 200)


def _fields(question: Question, posted: Any) -> list[FormField]:
    schema = question.schema or {}
    required = schema.get("required", [])
    fields = []
    for name, part in schema.get("properties", {}).items():
        value = posted.get(f"{VALUE}.{name}", "") if posted else part.get("default", "")
        choices = tuple(map(str, part.get("enum") or ()))
        label, about = part.get("title") or name, part.get("description") or ""
        fields.append(
            FormField(
                f"{VALUE}.{name}", label, about, part["type"], name in required, _as_typed(value, part["type"]), choices
            )
        )
    return fields


def _as_typed(value: Any, kind: str) -> Any:
    """``value`` as the field shows it: whether a box is ticked, else text."""
    return value not in ("", "false", False) if kind == "boolean" else str(value)


def _ended(request: HttpRequest, status: int) -> HttpResponse:
    words = "It was answered, or needs no answer any more. A link counts once; sign in to see what became of it."
    return _said(request, "This question has ended", words, status)


def _said(request: HttpRequest, title: str, text: str, status: int = 200) -> HttpResponse:
    return _shown(request, {"title": title, "text": text, "home": reverse("board")}, status)


def _shown(request: HttpRequest, context: dict[str, Any], status: int) -> HttpResponse:
    response = render(request, "tasks/question_link.html", context, status=status)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
