"""The page behind a link to one question: whoever has it answers as the person it was made for, without signing in."""

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
from tasks.errors import DomainError
from tasks.links import read_link, use_link
from tasks.models import Question, QuestionLink
from tasks.pages.questions import Control
from tasks.permissions import may_answer_question
from tasks.using.posting import answer_posted, sentence
from tasks.verbs.catalogue import ANSWER

#: No script runs here, nothing is loaded but our style, and the form leads back here.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


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
    question = link.question
    try:
        answer_posted(question, actor=link.user, data=request.POST)
    except DomainError as error:
        if Question.objects.open().filter(pk=question.pk).exists():
            return _asked(request, link, problem=sentence(error, ANSWER))
        return _ended(request, 409)
    use_link(link, at=clock.now())
    return _said(request, "Thank you", f"Your answer is on its way to {question.run.agent.slug}.")


def _asked(request: HttpRequest, link: QuestionLink, problem: str = "") -> HttpResponse:
    posted = request.POST if problem else None
    control = Control(link.question, may_answer=True, posted=posted, problem=problem)
    return _shown(request, {"control": control, "name": link.user.get_username()}, 400 if problem else 200)


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
