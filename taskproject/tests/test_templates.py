"""What the templates keep that the formatter alone does not."""

from pathlib import Path

from django.conf import settings

LONGEST = 120


def long_lines(root: Path) -> list[str]:
    """``file:line`` of each line of the templates below ``root`` that has more than ``LONGEST`` characters."""
    return [
        f"{path.relative_to(root).as_posix()}:{number}"
        for path in sorted(root.rglob("*.html"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > LONGEST
    ]


def test_templates_have_no_line_beyond_the_limit():
    root = Path(settings.BASE_DIR) / "templates"
    assert (root / "base.html").is_file()
    assert long_lines(root) == []


def test_long_line_is_named_by_file_and_number(tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/page.html").write_text(f"<p></p>\n<p>{'x' * LONGEST}</p>\n<p>{'–' * (LONGEST - 7)}</p>\n")
    assert long_lines(tmp_path) == ["tasks/page.html:2"]
