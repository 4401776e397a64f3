"""JSON in and out: what comes in goes out again, or is refused with one sentence. Imports nothing from this project.

Whole numbers between the limits of 64 bits are exact; other numbers are the nearest double, as in RFC 8259, section 6.
Python, PostgreSQL and the encoder each accept more than that, and not the same: what is beyond is refused.
"""

import json
import math
import re
from decimal import Decimal
from typing import Any, NoReturn

import orjson

LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**64 - 1
#: Deeper nesting is a problem for databases and encoders.
DEEPEST = 50
NO_SURROGATES = "Surrogate characters are not allowed."
TOO_DEEP = f"Is nested more than {DEEPEST} levels deep."
#: What is written in spite of all: a value that was stored when these limits did not exist.
_DEEPEST_WRITTEN = 200
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}", re.ASCII)
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


class NotAllowed(ValueError):
    """Python accepts it and JSON does not, or programs differ in what it means; the message is one sentence."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise NotAllowed(f"{shown_name(twice)} is given twice in one object.")
    return made


def _refuse_constant(name: str) -> NoReturn:
    raise NotAllowed(f"{name} is not JSON.")


#: Decodes text; raises ``ValueError`` and ``RecursionError``, which ``why`` puts into words.
DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)


def why(error: ValueError | RecursionError) -> str:
    """The sentence for an error of ``DECODER``, without its position."""
    if isinstance(error, NotAllowed):
        return str(error)
    if isinstance(error, RecursionError):
        return "Is nested too deeply."
    return error.msg if isinstance(error, json.JSONDecodeError) else "Contains a number with too many digits."


class Unreadable(ValueError):
    """Bytes that are not JSON, or not JSON that is accepted; the message is one sentence."""


def loads(data: bytes) -> Any:
    """Decode a whole document. Raises ``Unreadable``."""
    try:
        text = data.decode()
        value = DECODER.decode(text)
    except UnicodeDecodeError:
        raise Unreadable("Is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"Is not valid JSON: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(why(error)) from None
    # Only an escape can be half a character, and few documents contain one.
    if "\\ud" in text.lower() and _LONE_SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise Unreadable(NO_SURROGATES)
    return value


def shown_name(name: str) -> str:
    """The name of a member, safe to print: shortened, and quoted if it is more than a word."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return json.dumps(name if len(name) <= 40 else name[:39] + "…")


def unstorable(text: str) -> str | None:
    """Why a database cannot store ``text``."""
    if "\0" in text:
        return "Null characters are not allowed."
    if not text.isascii() and _LONE_SURROGATE.search(text):
        return NO_SURROGATES
    return None


def unfit(value: Any) -> str | None:
    """Why a decoded value would not come out as it came in, with the path to the part; None if it would."""
    problem = _unfit(value, "", 0)
    if problem is None:
        return None
    path, sentence = problem
    return f"{path}: {sentence}" if path else sentence


def _unfit(value: Any, path: str, depth: int) -> tuple[str, str] | None:
    if depth > DEEPEST:
        return "", TOO_DEEP
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                return path, "Names of members must be text."
            if sentence := unstorable(name):
                return path, sentence
            if problem := _unfit(item, f"{path}.{shown_name(name)}".removeprefix("."), depth + 1):
                return problem
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            if problem := _unfit(item, f"{path}[{place}]", depth + 1):
                return problem
    elif sentence := _unfit_leaf(value):
        return path, sentence
    return None


def _unfit_leaf(value: Any) -> str | None:
    if isinstance(value, str):
        return unstorable(value)
    if isinstance(value, int) and not LEAST_INTEGER <= value <= MOST_INTEGER:
        return f"Whole numbers must be from {LEAST_INTEGER} to {MOST_INTEGER}; send a larger one as text."
    if isinstance(value, float) and not math.isfinite(value):
        return "Numbers must be finite; a number has at most 308 digits before the decimal point."
    return None


def dumps(data: Any) -> bytes:
    """``data`` as UTF-8 JSON, times in UTC with ``Z``. Never fails because of a value that is stored."""
    try:
        return orjson.dumps(data, default=_plain, option=_OPTIONS)
    except TypeError:
        # PostgreSQL returns 1e20 as a whole number, which orjson does not write.
        return json.dumps(_writable(data, 0), ensure_ascii=False, separators=(",", ":")).encode()


def pretty(data: Any) -> str:
    """``data`` as JSON for people to read; as safe as ``dumps``."""
    return json.dumps(_writable(data, 0), indent=2, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Values that JSON does not have: decimals become numbers, lazy texts become texts."""
    return float(value) if isinstance(value, Decimal) else str(value)


def _as_double(value: int) -> float | int:
    """The double that PostgreSQL returned as a whole number: they are equal only to programs that read doubles."""
    try:
        return float(value)
    except OverflowError:
        return value


def _writable(value: Any, depth: int) -> Any:
    if depth > _DEEPEST_WRITTEN:
        return "… (nested too deeply)"
    if isinstance(value, dict):
        return {_writable(str(name), depth): _writable(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item, depth + 1) for item in value]
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if LEAST_INTEGER <= value <= MOST_INTEGER else _as_double(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return orjson.loads(orjson.dumps(value, default=_plain, option=_OPTIONS))
