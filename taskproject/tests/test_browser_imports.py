"""What the browser loads keeps the import rule of the Python packages.

The site's frame (`taskproject/static`) is the ground floor and knows no app; tasks builds on the frame; messaging and
reports build on both, but not on each other. Only the two templates that compose a page may refer to all of them.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

FRAME = "taskproject"
MAY_USE = {
    FRAME: [FRAME],
    "tasks": [FRAME, "tasks"],
    "messaging": [FRAME, "tasks", "messaging"],
    "reports": [FRAME, "tasks", "reports"],
}
COMPOSE = {"templates/base.html", "templates/admin/base_site.html"}

IMPORTS = {
    ".js": re.compile(
        r"""^[ \t]*(?:import|export)\s(?:[\w$*{},\s]*\sfrom\s)?\s*["']([^"']+)["']"""
        r"""|\bimport\(\s*["'`]([^"'`]+)["'`]""",
        re.MULTILINE,
    ),
    ".css": re.compile(r"""@import\s+(?:url\()?["']?([^"')\s;]+)|\burl\(\s*["']?(?!data:|#)([^"')]+)"""),
}
STATIC_TAG = re.compile(r"""{%\s*static\s+["']([^"']+)["']""")
STATIC_PATH = re.compile(r"""["']/static/([^"'#?]+)""")


def _references(root: Path) -> Iterator[tuple[str, str, str]]:
    """Each reference in a static file or template: the file, the package it belongs to, and the static path."""
    for app in MAY_USE:
        static = root / app / "static"
        for path in sorted(static.rglob("*")):
            if (pattern := IMPORTS.get(path.suffix)) is None:
                continue
            here = path.relative_to(static).as_posix()
            for match in pattern.finditer(path.read_text()):
                named = next(filter(None, match.groups()))
                if named.startswith("/static/"):
                    named = named.removeprefix("/static/")
                elif named.startswith("."):
                    named = posixpath.normpath(posixpath.join(posixpath.dirname(here), named))
                yield path.relative_to(root).as_posix(), app, named
    templates = root / "templates"
    for path in sorted(templates.rglob("*.html")):
        app = next((part for part in path.relative_to(templates).parts[:-1] if part in MAY_USE), FRAME)
        text = path.read_text()
        for named in STATIC_TAG.findall(text) + STATIC_PATH.findall(text):
            yield path.relative_to(root).as_posix(), app, named


def broken_rules(root: Path) -> list[str]:
    """One sentence for each reference below ``root`` that breaks the rule or leads nowhere."""
    sentences = []
    for file, app, named in _references(root):
        target = named.partition("/")[0]
        if target not in MAY_USE and target != "admin":
            sentences.append(f"{file} loads {named}, which is none of our static files.")
        elif target in MAY_USE and not (root / target / "static" / named).is_file():
            sentences.append(f"{file} loads {named}, which does not exist.")
        elif target in MAY_USE and file not in COMPOSE and target not in MAY_USE[app]:
            allowed = " and ".join(MAY_USE[app])
            sentences.append(f"{file} loads {named}, but the browser's half of {app} may load {allowed} alone.")
    return sentences


def test_load_keeps_the_import_rule_in_every_module_and_template():
    root = Path(settings.BASE_DIR)
    seen = {file for file, _, _ in _references(root)}
    assert {
        "tasks/static/tasks/follow.js",
        "messaging/static/messaging/notifications.js",
        "templates/base.html",
    } <= seen
    assert broken_rules(root) == []


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        (
            "taskproject/static/taskproject/page.js",
            'import { follow } from "../tasks/follow.js";\n',
            "taskproject/static/taskproject/page.js loads tasks/follow.js, "
            "but the browser's half of taskproject may load taskproject alone.",
        ),
        (
            "tasks/static/tasks/follow.js",
            'import {\n  a,\n  b,\n} from "../messaging/bell.js";\n',
            "tasks/static/tasks/follow.js loads messaging/bell.js, "
            "but the browser's half of tasks may load taskproject and tasks alone.",
        ),
        (
            "reports/static/reports/chart.js",
            'const bell = await import("../messaging/bell.js");\n',
            "reports/static/reports/chart.js loads messaging/bell.js, "
            "but the browser's half of reports may load taskproject and tasks and reports alone.",
        ),
        (
            "tasks/static/tasks/task.css",
            '@import url("/static/messaging/bell.css");\n',
            "tasks/static/tasks/task.css loads messaging/bell.css, which does not exist.",
        ),
        (
            "tasks/static/tasks/follow.js",
            'import "lodash";\n',
            "tasks/static/tasks/follow.js loads lodash, which is none of our static files.",
        ),
        (
            "templates/admin/tasks/task/bulk.html",
            "<script src=\"{% static 'messaging/bell.js' %}\"></script>",
            "templates/admin/tasks/task/bulk.html loads messaging/bell.js, "
            "but the browser's half of tasks may load taskproject and tasks alone.",
        ),
        (
            "templates/404.html",
            "<script src=\"{% static 'tasks/follow.js' %}\"></script>",
            "templates/404.html loads tasks/follow.js, "
            "but the browser's half of taskproject may load taskproject alone.",
        ),
    ],
)
def test_load_against_the_import_rule_is_named_in_one_sentence(tmp_path, file, text, sentence):
    for existing in ("tasks/static/tasks/follow.js", "messaging/static/messaging/bell.js"):
        (tmp_path / existing).parent.mkdir(parents=True)
        (tmp_path / existing).write_text('import { paced } from "./follow.js";\n' if "tasks" in existing else "")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    assert broken_rules(tmp_path) == [sentence]


def test_load_by_a_template_that_composes_the_page_may_name_every_app(tmp_path):
    (tmp_path / "messaging/static/messaging").mkdir(parents=True)
    (tmp_path / "messaging/static/messaging/bell.js").write_text("")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/base.html").write_text("<script src=\"{% static 'messaging/bell.js' %}\"></script>")
    assert broken_rules(tmp_path) == []
