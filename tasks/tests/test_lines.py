"""Lists in one line: names with commas, and skills with levels, alike wherever they are typed."""

import pytest

from tasks.errors import Invalid
from tasks.pages.new_agent import AgentForm
from tasks.using.lines import USUAL, in_one_line, names_in, skills_in


@pytest.mark.parametrize("names", [["a, b", "c"], ["a", "b c"], ['say "a"', "b"], []])
def test_names_are_read_as_they_are_written(names):
    assert names_in(in_one_line(names), "labels") == names


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("", {}),
        ("python", {"python": 1}),
        ("python:3,docs", {"python": 3, "docs": 1}),
        ("python:4 docs:2", {"python": 4, "docs": 2}),
        ("+python : 3 , +docs:", {"python": 3, "docs": 1}),
    ],
)
def test_skills_are_separated_by_commas_or_spaces(text, levels):
    assert skills_in(text, "required_skills") == levels


@pytest.mark.parametrize("text", ["python:6", "python:0", "python:x", "python:٣", "python:1:2", ":3", ":"])
def test_skill_without_a_name_or_with_another_level_is_refused(text):
    with pytest.raises(Invalid):
        skills_in(text, "skills")


def test_agent_has_a_skill_as_usual_where_nothing_else_is_said():
    form = AgentForm({"slug": "x", "skills": "python, docs:5", "max_concurrent": "1"})
    assert form.is_valid()
    assert dict(form.cleaned_data["skills"]) == {"python": USUAL, "docs": 5}
    form = AgentForm({"slug": "x", "skills": "python:9", "max_concurrent": "1"})
    assert form.errors["skills"] == ["The level of python must be from 1 to 5."]
