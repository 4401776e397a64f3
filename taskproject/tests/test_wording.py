"""The worst turns of phrase stay out of our own text, and variables are called by what they hold."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

PARTS = ("taskproject", "tasks", "messaging", "reports", "templates", "bench", "docs")
TEXTS = frozenset({".py", ".html", ".js", ".css", ".md"})
#: Names that say nothing about what they hold, and phrases that no native engineer writes.
NAMES = frozenset({"told", "some", "found", "one"})
PHRASES = re.compile(r"\banew\b|\bso (?:many|much|often|long) at most\b|\bat most so (?:many|much|often|long)\b", re.I)


def _sources(root: Path) -> Iterator[Path]:
    files = [path for part in PARTS for path in sorted((root / part).rglob("*")) if path.suffix in TEXTS]
    yield from (path for path in [*files, *sorted(root.glob("*.md"))] if path.name != Path(__file__).name)


def _names(text: str) -> Iterator[tuple[int, str]]:
    """The line and the name of each variable and argument in ``text``."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def wordings(root: Path) -> list[str]:
    """``file:line: word`` for each name and phrase below ``root`` that is to be avoided."""
    listed = []
    for path in _sources(root):
        text, where = path.read_text(), path.relative_to(root).as_posix()
        words = [(text.count("\n", 0, match.start()) + 1, match[0]) for match in PHRASES.finditer(text)]
        if path.suffix == ".py" and "migrations" not in path.parts:
            words += [(line, name) for line, name in _names(text) if name in NAMES]
        listed += [f"{where}:{line}: {word}" for line, word in sorted(words)]
    return listed


def test_texts_and_names_avoid_the_listed_words():
    root = Path(settings.BASE_DIR)
    assert len(list(_sources(root))) > 300
    assert wordings(root) == []


@pytest.mark.parametrize(
    ("name", "text", "listed"),
    [
        ("tasks/a.py", "def f(told):\n    [one for one in told]\n", ["tasks/a.py:1: told", "tasks/a.py:2: one"]),
        ("tasks/a.py", "x = 'no one was found'  # some\n", []),
        ("docs/a.md", "Begin\nanew.", ["docs/a.md:2: anew"]),
        ("a.md", "At most so many.", ["a.md:1: At most so many"]),
    ],
)
def test_word_is_named_by_file_and_line(tmp_path, name, text, listed):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert wordings(tmp_path) == listed
