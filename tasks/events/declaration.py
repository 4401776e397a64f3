"""The declaration of a kind of events: its name, its data, its words, and who listens."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.transitions import Status

if TYPE_CHECKING:
    from tasks.models import Event

#: The actor of events that name nobody.
ENGINE = "The engine"
Data = Mapping[str, Any]
_FIELD_LABELS = {
    "due_at": "due date",
    "start_after": "start date",
    "on_hold": "whether it is on hold",
    "estimate_minutes": "estimate",
}


class UndeclaredEvent(TypeError):
    """An event of a kind, or with data, that the catalogue does not declare: a bug in the code that records it."""


@dataclass(frozen=True)
class DataType:
    """A type of values in an event's data: how a value is recognised, and its JSON Schema."""

    schema: Mapping[str, Any]
    holds: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _all(items: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(items, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_STATUSES = frozenset(Status.values)
TEXT = DataType({"type": "string"}, _is_text)
TEXTS = DataType({"type": "array", "items": {"type": "string"}}, _all(_is_text))
NUMBER = DataType({"type": "integer"}, _is_number)
NUMBERS = DataType({"type": "array", "items": {"type": "integer"}}, _all(_is_number))
SCORE = DataType({"type": "number"}, lambda value: isinstance(value, float) or _is_number(value))
FLAG = DataType({"type": "boolean"}, lambda value: isinstance(value, bool))
#: ISO 8601, as written by ``isoformat``.
MOMENT = DataType({"type": "string", "format": "date-time"}, _is_text)
STATUS = DataType({"type": "string", "enum": list(Status.values)}, lambda value: value in _STATUSES)


@dataclass(frozen=True)
class Datum:
    """One member of an event's data: its type and what it means; ``optional`` ones may be left out."""

    type: DataType
    meaning: str
    optional: bool = False


class Said(NamedTuple):
    """What happened, phrased to follow the actor's name, and an icon of the pages.

    Words that start with a capital letter are a complete sentence: nobody did it.
    """

    what: str
    icon: str


class _Facts(Mapping[str, str]):
    """An event's facts as texts, for the blanks of a template; see ``fill``. Missing facts are empty texts."""

    def __init__(self, event: "Event") -> None:
        self._event = event

    def __getitem__(self, name: str) -> str:
        match name:
            case "who":
                return self._event.actor_name or ENGINE
            case "ref":
                return self._event.task_ref
            case "project":
                return self._event.project_key
            case "agent":
                return self._event.agent_slug
            case "changed":
                fields = self._event.data.get("fields", [])
                return ", ".join(_FIELD_LABELS.get(name, name.replace("_", " ")) for name in map(str, fields))
            case "article":
                return "an" if self._event.data.get("message_kind") == "instruction" else "a"
            case "because":
                by = self._event.data.get("by")
                return f" ({by})" if by else ""
        value = self._event.data.get(name, "")
        return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._event.data)

    def __len__(self) -> int:
        return len(self._event.data)


def fill(template: str, event: "Event") -> str:
    """``template`` with its blanks filled from the event: ``{who}``, ``{ref}``, ``{project}``, ``{agent}``, members of
    its data by name, ``{changed}`` for the names of its fields in words, and ``{because}`` for what caused it.
    """
    return template.format_map(_Facts(event))


Sentence = str | Callable[["Event"], str]
Listens = bool | Callable[[Data], bool]


@dataclass(frozen=True)
class _Declaration:
    meaning: str
    data: Mapping[str, Datum]
    says: Said | Callable[["Event"], Said]
    notifies: Mapping[str, Sentence] = field(default_factory=dict)
    brings_work: Listens = False
    wakes_matching: Listens = False


class Kind(str):
    """The name of a kind of events, as a string that carries the kind's declaration.

    ``meaning``: one sentence for readers of the API. ``data``: its members by name. ``says``: words and icon of the
    timeline, or a function that chooses them; words are templates for ``fill``, and untrusted text enters them only
    through their blanks. ``notifies``: the kinds of notifications that it may cause, each with the sentence for its
    recipient. ``brings_work``: whether an agent that found nothing to claim may find something after it;
    ``wakes_matching``: whether a matching after it may have a different outcome; both may depend on the data.
    """

    declared: _Declaration
    _accepts: dict[str, Callable[[Any], bool]]
    _required: frozenset[str]

    def __new__(cls, name: str, meaning: str, **declaration: Any) -> "Kind":
        kind = super().__new__(cls, name)
        kind.declared = _Declaration(meaning=meaning, **declaration)
        kind._accepts = {key: datum.type.holds for key, datum in kind.declared.data.items()}
        kind._required = frozenset(key for key, datum in kind.declared.data.items() if not datum.optional)
        return kind

    def __deepcopy__(self, memo: Any) -> "Kind":
        """Itself, as it never changes: forms copy their choices."""
        return self

    def check(self, data: Data, *, whole: bool = True) -> None:
        """Raise ``UndeclaredEvent`` unless ``data`` is as declared; without ``whole``, members may be missing."""
        accepts = self._accepts
        for name, value in data.items():
            holds = accepts.get(name)
            if holds is None:
                raise UndeclaredEvent(f"{self} declares no {name!r} in its data.")
            if not holds(value):
                raise UndeclaredEvent(f"{self}: {name} must be {self.declared.data[name].type.schema}, not {value!r}.")
        if whole and not self._required <= data.keys():
            raise UndeclaredEvent(f"{self} lacks {', '.join(sorted(self._required - data.keys()))} in its data.")

    def said_of(self, event: "Event") -> Said:
        """The words of ``event``, which is of this kind, in the timeline."""
        says = self.declared.says
        what, icon = says(event) if callable(says) else says
        return Said(fill(what, event), icon)

    def notice_of(self, event: "Event", notification: str) -> str:
        """The sentence for the recipient of a notification of this kind about ``event``; empty if none is declared."""
        words = self.declared.notifies.get(notification, "")
        return fill(words(event) if callable(words) else words, event)

    def may_bring_work(self, data: Data) -> bool:
        listens = self.declared.brings_work
        return listens(data) if callable(listens) else listens

    def may_wake_matching(self, data: Data) -> bool:
        listens = self.declared.wakes_matching
        return listens(data) if callable(listens) else listens
