"""The history of a task in words: one entry per event."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tasks.events import kinds
from tasks.events.declaration import ENGINE, Said
from tasks.models import Event
from tasks.transitions import Status

#: Long texts are cut to this length if an event is shown as one sentence; elsewhere they are shown in full.
CUT = 300
#: Members of an event's data that contain what somebody wrote.
_QUOTED = ("value", "note", "summary", "detail", "prompt")


@dataclass
class Entry:
    """One line of the timeline: ``who`` (empty: nobody in particular) did ``what``; ``quote`` is untrusted text."""

    id: int
    at: datetime
    who: str
    what: str
    icon: str
    quote: str = ""
    status: str = ""
    percent: int | None = None

    @property
    def status_label(self) -> str:
        return str(Status(self.status).label) if self.status in Status.values else self.status


def _said(event: Event) -> Said:
    kind = kinds.CATALOGUE.get(event.kind)
    if kind is None:
        # Recorded by another version of this server.
        return Said(event.kind.replace(".", " ").replace("_", " "), "in_progress")
    return kind.said_of(event)


def _entry(event: Event) -> Entry:
    what, icon = _said(event)
    # A complete sentence starts with a capital letter: nobody did it.
    who = "" if what[:1].isupper() else event.actor_name or ENGINE
    quote = next((event.data[name] for name in _QUOTED if event.data.get(name)), "")
    entry = Entry(event.pk, event.at, who, what, icon, str(quote))
    entry.status = str(event.data.get("to", ""))
    if isinstance(event.data.get("percent"), int):
        entry.percent = event.data["percent"]
    return entry


def sentence(event: Event) -> str:
    """One event as one plain sentence, who did what; the caller escapes it."""
    entry = _entry(event)
    words = f"{entry.who} {entry.what}".strip()
    if entry.status:
        words += f" ({entry.status_label})"
    if entry.percent is not None:
        words += f" ({entry.percent} %)"
    quote = entry.quote if len(entry.quote) <= CUT else entry.quote[: CUT - 1] + "…"
    return f"{words}: {quote}" if quote else words


def in_words(events: Iterable[Event]) -> list[Entry]:
    """An entry for each of ``events``, in their order."""
    return [_entry(event) for event in events]
