"""What a run asks people."""

from typing import Final

from tasks.events import phrases
from tasks.events.declaration import FLAG, NUMBER, NUMBERS, STATUS, TEXT, TEXTS, Datum, Kind, Said
from tasks.events.kinds.shared import NOTE, RUN, USED, WAITS_FOR

_QUESTION: Final = {
    "question": Datum(NUMBER, "Its id."),
    "prompt": Datum(TEXT, "The start of what was asked; untrusted."),
    "run": RUN,
}
_CONTINUED: Final = {
    "verb": Datum(TEXT, "Of the table of transitions, if the task moved by it.", optional=True),
    "from": Datum(STATUS, "The status before, if it moved.", optional=True),
    "to": Datum(STATUS, "The status after, if it moved.", optional=True),
    **WAITS_FOR,
}
QUESTION_ASKED = Kind(
    "question.asked",
    "A run asked people; each question is answered by its id.",
    data={
        "questions": Datum(NUMBERS, "Ids of the questions."),
        "prompt": Datum(TEXT, "The start of the first; untrusted."),
        "run": RUN,
        "urgency": Datum(TEXT, "The highest of them: `low`, `normal`, `high` or `urgent`."),
        "asks": Datum(TEXTS, "Slugs, usernames and roles that they are for; absent: everyone.", optional=True),
        "outcome": Datum(TEXT, "`parked`, if the run ended to wait.", optional=True),
        **_CONTINUED,
        **USED,
    },
    says=phrases.says_asked,
    notifies={"question_for_me": phrases.notice_asked, "watched_changed": phrases.notice_watched},
    wakes_matching=lambda data: "to" in data,
)
QUESTION_ANSWERED = Kind(
    "question.answered",
    "A question has its answer: the first, or at its expiry the default.",
    data={
        **_QUESTION,
        "value": Datum(TEXT, "The start of the answer, as text; untrusted."),
        "note": NOTE,
        "by_default": Datum(FLAG, "True if nobody answered in time.", optional=True),
        **_CONTINUED,
    },
    says=phrases.says_answered,
    notifies={"question_answered": phrases.notice_answered, "watched_changed": phrases.notice_watched},
    brings_work=lambda data: "to" in data,
    wakes_matching=lambda data: "to" in data,
)
QUESTION_WITHDRAWN = Kind(
    "question.withdrawn",
    "Whoever asked, or a manager, took a question back.",
    data={**_QUESTION, "note": NOTE, **_CONTINUED},
    says=Said("withdrew a question of {agent}", "back"),
    brings_work=lambda data: "to" in data,
    wakes_matching=lambda data: "to" in data,
)
QUESTION_SUPERSEDED = Kind(
    "question.superseded",
    "What a question was about has changed: its answer was refused.",
    data={**_QUESTION, "note": Datum(TEXT, "What has changed."), **_CONTINUED},
    says=Said("A question of {agent} is about something that has changed", "alert"),
    brings_work=lambda data: "to" in data,
    wakes_matching=lambda data: "to" in data,
)
QUESTION_EXPIRED = Kind(
    "question.expired",
    "Nobody answered a question in time: it stays open, or is over because its run has ended otherwise.",
    data={**_QUESTION, "on_expiry": Datum(TEXT, "`keep` or `fail`.")},
    says=phrases.says_question_expired,
    notifies={"question_for_me": "A question of {agent} about {ref} is late, and still open."},
)
QUESTION_ESCALATED = Kind(
    "question.escalated",
    "Nobody answered a question in time, so it goes to the managers; who could answer it still can.",
    data=_QUESTION,
    says=Said("A question of {agent} was not answered in time and goes to the managers", "alert"),
    notifies={"question_for_me": "Nobody answered {agent} about {ref} in time; the question goes to the managers."},
)
