"""The family of errors that every app raises and every door translates. Imports nothing from this project.

An error has a stable ``code``, the fact, the advice if there is any, and data to work with. The API shows it as a
problem (``taskproject.api.problems``); pages, admin and commands show its sentences.
"""

import difflib
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar

#: An answer repeats at most this much of a name that it refuses, and looks for the nearest of no longer one.
LONGEST_SHOWN = 100
#: Unknown names that are shown with the nearest known one; the others are counted.
MOST_SHOWN = 5
#: Known names that an unknown one is compared with.
MOST_COMPARED = 2_000


def shortened(text: str, most: int = LONGEST_SHOWN) -> str:
    """Text as a refusal repeats it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def unknown_name(name: str, known: Iterable[str], *, what: str) -> str:
    """One sentence for an unknown name, with the nearest known one in any case. Its cost and length are bounded."""
    close = nearest(name, known)
    if close is None:
        return f"There is no {what} {shortened(name)!r}."
    return f"There is no {what} {name!r}; did you mean {close!r}?"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of the ``known`` names that ``name`` was probably meant to be, in any case. Its cost is bounded."""
    if len(name) > LONGEST_SHOWN:
        return None
    by_folded = {each.casefold(): each for each in islice(known, MOST_COMPARED)}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[close[0]] if close else None


def unknown_choice(name: str, known: Collection[str], *, what: str = "value") -> str:
    """As ``unknown_name``, for a few known words: all of them are listed."""
    return f"{unknown_name(name, known, what=what)} Known: {', '.join(known)}."


def unknown_names(names: Sequence[str], known: Collection[str], *, what: str) -> dict[str, list[str]]:
    """Sentences for unknown names, by name: the first few with the nearest known ones, the others counted."""
    listed = {shortened(name): [unknown_name(name, known, what=what)] for name in names[:MOST_SHOWN]}
    if len(names) > MOST_SHOWN:
        listed[shortened(names[MOST_SHOWN])] = [f"There are {len(names) - MOST_SHOWN:,} more unknown {what}s."]
    return listed


class DomainError(Exception):
    """A request was refused.

    ``fact`` says why, ``advice`` what to do instead: one sentence each, the advice often empty. ``sentence`` combines
    the two, and so does ``detail``, which names an invalid field as in the request. If ``about`` is given, ``{}`` in
    ``fact`` stands for it, so that a reason that applies to many things can be stated once (``said_of``). ``data``
    has the further members of the problem. ``status`` and ``title`` are those of the problem (RFC 9457): the HTTP
    status, and a summary that is the same for every occurrence.
    """

    code: ClassVar[str] = "validation_error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The input is not valid"

    def __init__(self, fact: str, advice: str = "", *, about: str = "", **data: Any) -> None:
        self._fact, self.about, self.advice, self.data = fact, about, advice, data
        super().__init__(self.detail)

    @property
    def fact(self) -> str:
        return self.said_of(self.about)

    def said_of(self, name: str) -> str:
        """The fact, said of ``name``. Only the first mark is one: the others were written by somebody."""
        return self._fact.replace("{}", name, 1) if self.about else self._fact

    @property
    def sentence(self) -> str:
        """Fact and advice in one sentence."""
        if not self.advice:
            return self.fact
        return f"{self.fact.removesuffix('.')}; {self.advice[0].lower()}{self.advice[1:]}"

    @property
    def detail(self) -> str:
        return self.sentence

    @property
    def in_full(self) -> str:
        """All that was refused, for people who see which field it is about."""
        return self.sentence


class Invalid(DomainError):
    """Input that breaks a rule; ``errors`` maps each field to its messages. The fact is the first of them."""

    def __init__(self, errors: dict[str, list[str] | str], advice: str = "", *, about: str = "") -> None:
        listed = {shortened(field): [text] if isinstance(text, str) else list(text) for field, text in errors.items()}
        self.field, texts = next(iter(listed.items()))
        fact = texts[0]
        if about:
            texts[0] = fact.replace("{}", about, 1)
        super().__init__(fact, advice, about=about, errors=listed)

    @property
    def detail(self) -> str:
        return f"{self.field}: {self.sentence}"

    @property
    def in_full(self) -> str:
        return " ".join(text for texts in self.data["errors"].values() for text in texts)

    @property
    def sentences(self) -> list[str]:
        """Each message with its field, as in the request."""
        return [f"{name}: {text}" for name, texts in self.data["errors"].items() for text in texts]


class NotAuthenticated(DomainError):
    code, status, title = "not_authenticated", 401, "Not authenticated"


class NotPermitted(DomainError):
    code, status, title = "permission_denied", 403, "Not permitted"


class NotFound(DomainError):
    code, status, title = "not_found", 404, "Not found"


class TooManyRequests(DomainError):
    """A limit is reached; ``retry_after_seconds`` says how long to wait."""

    code, status, title = "throttled", 429, "Too many requests"


class Contended(DomainError):
    """Others kept changing the same rows while this request tried."""

    code, status, title = "contended", 409, "Others were faster"


def codes() -> dict[str, tuple[int, str]]:
    """The status and title of every code of this family's errors, in all loaded apps."""
    kinds: list[type[DomainError]] = [DomainError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {kind.code: (kind.status, kind.title) for kind in kinds}
