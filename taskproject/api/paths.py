"""The paths of the API as templates, to name the one that a mistyped path was meant to be."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.regex_helper import normalize

#: A longer path is not a typo.
LONGEST, MOST_SEGMENTS = 200, 8
#: How alike each fixed part must be.
ALIKE = 0.6
#: What a variable part counts: less than a fixed part that fits.
VARIABLE = 0.5


def nearest_path(path: str) -> str:
    """The path of the API, with the variable parts of ``path``, that is most like it; empty if none is."""
    given = path.strip("/").split("/")
    if len(path) > LONGEST or len(given) > MOST_SEGMENTS:
        return ""
    best, nearest = 0.0, ""
    for template in _templates():
        if len(template) != len(given):
            continue
        scores = [
            VARIABLE if part is None else SequenceMatcher(None, part, text.lower()).ratio()
            for part, text in zip(template, given, strict=True)
        ]
        if all(score >= ALIKE for score, part in zip(scores, template, strict=True) if part) and sum(scores) > best:
            best = sum(scores)
            nearest = "/".join(part or text for part, text in zip(template, given, strict=True))
    return nearest


@cache
def _templates() -> list[tuple[str | None, ...]]:
    """The segments of each path, None for a variable one."""
    return list(dict.fromkeys(_segments(get_resolver("taskproject.api_urls").url_patterns)))


def _segments(patterns: list[URLPattern | URLResolver]) -> Iterator[tuple[str | None, ...]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _segments(pattern.url_patterns)
            continue
        template = normalize(pattern.pattern.regex.pattern)[0][0]
        yield tuple(None if "%(" in part else part for part in template.strip("/").split("/"))
