"""What the templates keep that the formatter alone does not."""

import re
from pathlib import Path

from django.conf import settings

LONGEST = 120
ONE_TAG = re.compile(r"\s*{%[^%]*%}\s*")


def too_long(text: str) -> list[int]:
    """The numbers of the lines beyond ``LONGEST`` that could be broken; a template tag must stay on one line."""
    lines = enumerate(text.splitlines(), start=1)
    return [number for number, line in lines if len(line) > LONGEST and not ONE_TAG.fullmatch(line)]


def test_templates_have_no_line_that_runs_out_of_sight():
    paths = sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html"))
    assert len(paths) > 40
    assert {str(path): lines for path in paths if (lines := too_long(path.read_text()))} == {}


def test_long_line_is_found_unless_it_is_one_tag():
    tag = f'{{% include "tasks/_card.html" with words="{"x" * LONGEST}" %}}'
    assert too_long(f"<p></p>\n<p>{'x' * LONGEST}</p>\n  {tag}\n{tag} <p></p>\n") == [2, 4]
