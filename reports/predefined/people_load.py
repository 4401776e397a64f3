"""What waits for people, and how long they take: questions and reviews."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, DateTimeField, F, OuterRef, QuerySet, Subquery, Value

from reports import charts
from reports.engines import summarise
from reports.measures import Aggregate, Greatest, Percentile, Values
from reports.measures import Count as Counted
from reports.periods import Period
from reports.predefined.agents import ALL, people_named
from reports.predefined.leads import Lead, Where, Words, going_on, in_, is_, just_now
from reports.report import Answer, Column, Report, Result, Row
from reports.scopes import Scope
from reports.sql import Milliseconds, Word
from reports.units import SECONDS, settled
from tasks.events import kinds
from tasks.models import AskedQuestion, Event, Question, QuestionState, StatusInterval
from tasks.transitions import Status

#: The row of what is for a role or for everyone, and of what nobody answered in time.
ANYONE: Final = "Anyone"
DELETED: Final = "Deleted account"
VERDICTS: Final = ("approve", "request_changes")
_SHOWN: Final = ("p50", "p85", "max")
_TIMES: Final[dict[str, Aggregate]] = {
    "n": Counted("took"),
    "p50": Percentile("took", 0.5),
    "p85": Percentile("took", 0.85),
    "max": Greatest("took"),
}


def _answers(scope: Scope, period: Period) -> "QuerySet[AskedQuestion]":
    """Each question that was answered in the period, by a person or by its default, with how long that ``took``."""
    over = scope.of_project(AskedQuestion.objects.order_by()).filter(
        ended_at__gte=period.start, ended_at__lt=period.end
    )
    over = over.filter(state__in=(QuestionState.ANSWERED, QuestionState.DEFAULTED))
    return over.annotate(took=Milliseconds("asked_at", "ended_at"))


def _verdicts(scope: Scope, period: Period) -> "QuerySet[Event]":
    """Each review that was given in the period, with how long it ``took`` from the result on."""
    moves = scope.of_project(Event.objects.order_by()).filter(
        kind=kinds.TASK_STATUS_CHANGED, at__gte=period.start, at__lt=period.end
    )
    lay = StatusInterval.objects.filter(task=OuterRef("task"), status=Status.IN_REVIEW, ended_at=OuterRef("at"))
    given = moves.alias(verb=Word("data", "verb")).filter(verb__in=VERDICTS)
    handed_over = Subquery(lay.order_by("-began_at").values("began_at")[:1], output_field=DateTimeField())
    return given.annotate(handed_over=handed_over).annotate(took=Milliseconds(F("handed_over"), F("at")))


def _open_questions(scope: Scope) -> "QuerySet[Question]":
    return scope.of_project(Question.objects.open().order_by())


def _times(values: Values, what: str) -> Row:
    return {
        f"{what}_{name}" + ("" if name == "n" else "_seconds"): settled(value, "" if name == "n" else SECONDS)
        for name, value in values.items()
    }


def _people_load(scope: Scope, period: Period, now: datetime) -> Result:
    rows: dict[int | None, Row] = defaultdict(dict)
    total: Row = {}
    answers, verdicts = _answers(scope, period), _verdicts(scope, period)
    for what, facts, by in (("answer", answers, "answered_by_id"), ("review", verdicts, "actor_id")):
        summary = summarise(facts, by=[by], measures=_TIMES | {"count": Counted()})
        for (user,), values in summary.groups.items():
            rows[user] |= _figures(values, what)
        total |= _figures(summary.total, what)
    waiting = _open_questions(scope)
    for user, n in waiting.values_list("to_user").annotate(n=Count("pk")):
        rows[user]["open_questions"] = n
    total["open_questions"] = waiting.count()

    named = people_named(rows)
    nothing = _nothing()
    shown: list[Row] = []
    for user, row in rows.items():
        # What was answered and reviewed outlives the account of who did it.
        slug, name = (None, ANYONE) if user is None else named.get(user, (None, DELETED))
        shown.append({"person": slug, "name": name} | nothing | row)
    shown.sort(key=lambda row: (row["person"] is None, -row["answers"], -row["reviews"], row["person"] or row["name"]))
    sizes = total["answers"] + total["reviews"] + total["open_questions"]
    return Result(
        shown, {"person": None, "name": ALL} | nothing | total, _now(scope, now), n=sizes, notes=_notes(total)
    )


def _figures(values: Values, what: str) -> Row:
    count = values.pop("count")
    return {f"{what}s": count} | _times(values, what)


def _nothing() -> Row:
    row: Row = {"open_questions": 0}
    for what in ("answer", "review"):
        row |= {f"{what}s": 0, f"{what}_n": 0} | {f"{what}_{name}_seconds": None for name in _SHOWN}
    return row


def _now(scope: Scope, now: datetime) -> Row:
    """What waits as of now, and since when the oldest."""
    reviews = scope.of_project(StatusInterval.objects.order_by()).filter(status=Status.IN_REVIEW, ended_at__isnull=True)
    figures: Row = {}
    for what, facts, since in (("questions", _open_questions(scope), "asked_at"), ("reviews", reviews, "began_at")):
        moment: Any = Value(now, output_field=DateTimeField())
        waiting = summarise(facts.annotate(took=Milliseconds(F(since), moment)), measures=_TIMES).total
        figures[f"{what}_waiting"] = waiting["n"]
        figures[f"{what}_oldest_seconds"] = settled(waiting["max"], SECONDS)
    return figures


def _notes(total: Row) -> tuple[str, ...]:
    unknown = total["reviews"] - total["review_n"]
    if not unknown:
        return ()
    return (f"{unknown:,} of {total['reviews']:,} reviews began at an unknown time and are in no duration.",)


def _person(dimension: str) -> Callable[[Row], Words | None]:
    """Whose a row is; what is a deleted account's leads nowhere."""

    def words(row: Row) -> Words | None:
        if row.get("person") is not None:
            return {dimension: row["person"]}
        return {} if row.get("name", ALL) in (ALL, ANYONE) else None

    return words


def _by_default(answer: Answer, row: Row) -> list[Where]:
    """Nobody answered those of the row of anyone."""
    return [is_("state", QuestionState.DEFAULTED.value)] if row.get("name") == ANYONE else []


_ANSWERED = Lead(
    "questions",
    "ended",
    where=(in_("state", QuestionState.ANSWERED.value, QuestionState.DEFAULTED.value),),
    words=_person("answered_by"),
    more=_by_default,
)
_REVIEWED = Lead("reviews", "given", words=_person("reviewer"))
_IN_REVIEW = going_on("intervals", just_now, is_("status", Status.IN_REVIEW.value))

PEOPLE_LOAD = Report(
    slug="people_load",
    title="People’s load",
    description=(
        "What people answered and reviewed in the period and how long it took from the question, or the result, on; "
        "and what waits for them as of now. The row “Anyone” has open questions for a role or for everyone, and those "
        "that were answered by their default."
    ),
    formula="time to answer = answer − question; time to review = verdict − result; percentiles of type 7.",
    source="Questions; events and intervals of reviews; what waits as of now.",
    columns=(
        Column("person", "Person", "text", "dimension"),
        Column("name", "Name", "text", "dimension"),
        Column("open_questions", "Open questions (now)", "questions"),
        Column("answers", "Questions answered", "questions"),
        Column("answer_n", "Time to answer: n", "questions", "n"),
        Column("answer_p50_seconds", "Time to answer: median", "seconds", n="answer_n", needs=2),
        Column("answer_p85_seconds", "Time to answer: 85th percentile", "seconds", n="answer_n", needs=7),
        Column("answer_max_seconds", "Time to answer: most", "seconds", n="answer_n"),
        Column("reviews", "Reviews given", "reviews"),
        Column("review_n", "Time to review: n", "reviews", "n"),
        Column("review_p50_seconds", "Time to review: median", "seconds", n="review_n", needs=2),
        Column("review_p85_seconds", "Time to review: 85th percentile", "seconds", n="review_n", needs=7),
        Column("review_max_seconds", "Time to review: most", "seconds", n="review_n"),
    ),
    figures=(
        Column("questions_waiting", "Questions open (now)", "questions"),
        Column("questions_oldest_seconds", "Oldest of them (now)", "seconds", n="questions_waiting"),
        Column("reviews_waiting", "Reviews waiting (now)", "reviews"),
        Column("reviews_oldest_seconds", "Oldest of them (now)", "seconds", n="reviews_waiting"),
    ),
    charts=(
        charts.Bars(label="name", value="answers", of="person", title="Questions answered", unit="questions"),
        charts.Bars(label="name", value="reviews", of="person", title="Reviews given", unit="reviews"),
    ),
    query=_people_load,
    behind={
        **dict.fromkeys(("answers", "answer_n", *(f"answer_{name}_seconds" for name in _SHOWN)), _ANSWERED),
        "reviews": _REVIEWED,
        "review_n": _REVIEWED.of("wait_count"),
        **{f"review_{name}_seconds": _REVIEWED.of(f"wait_{name}") for name in _SHOWN},
        **dict.fromkeys(("reviews_waiting", "reviews_oldest_seconds"), _IN_REVIEW),
    },
    sample="answers",
    headline=("answers", "answer_p50_seconds", "reviews", "review_p50_seconds"),
)
