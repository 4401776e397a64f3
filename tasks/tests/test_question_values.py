"""What a question may ask and which values answer it; pure."""

from types import SimpleNamespace

import pytest
from django.http import QueryDict

from tasks.questions import problem_of, problems_of_shape, shown_value, value_posted
from tasks.questions.shapes import same

OPTIONS = [{"label": "Staging", "description": "Safe", "recommended": True}, {"label": "Production"}]
FORM = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "enum": ["eu", "us"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "share": {"type": "number"},
        "dry": {"type": "boolean", "default": True},
        "why": {"type": "string", "minLength": 2, "maxLength": 5},
    },
    "required": ["region", "count"],
}


def question(kind="text", *, options=(), multi=False, strict=False, schema=None):
    return SimpleNamespace(kind=kind, options=list(options), multi=multi, strict=strict, schema=schema)


def choice(**kwargs):
    return question("choice", options=OPTIONS, **kwargs)


def form(**field):
    return question("form", schema={"properties": {"x": field}})


def test_problems_of_shape_valid_have_none():
    for valid in (
        question(),
        question("confirm"),
        choice(),
        choice(multi=True, strict=True),
        question("form", schema=FORM),
    ):
        assert problems_of_shape(valid) == {}


@pytest.mark.parametrize(
    ("shape", "member", "words"),
    [
        (question("chioce"), "kind", "did you mean 'choice'"),
        (question("choice"), "options", "requires options"),
        (question("choice", options=["Yes"]), "options", "Each must be an object"),
        (question("choice", options=[{"label": "a"}, {"label": "a"}]), "options", "given twice"),
        (question("choice", options=[{"lable": "a"}]), "options", "did you mean 'label'"),
        (question("choice", options=[{"label": " "}]), "options", "must not be blank"),
        (question("choice", options=[{"label": "a", "recommended": 1}]), "options", "recommended"),
        (question("choice", options=[{"label": str(n)} for n in range(21)]), "options", "At most 20"),
        (question("text", options=OPTIONS), "options", "Only a choice"),
        (question("confirm", strict=True), "strict", "Only a choice"),
        (question("text", schema=FORM), "schema", "Only a form"),
        (question("form"), "schema", "flat JSON Schema"),
        (question("form", schema={"properties": {}}), "schema", "at least one field"),
        (question("form", schema={"properties": {"x": {"type": "object"}}}), "schema", "x: type"),
        (question("form", schema={"properties": {"x": {"type": ["string", "null"]}}}), "schema", "x: type"),
        (form(type="string", pattern="(a+)+$"), "schema", "no member of a field"),
        (form(type="string", enum=[1]), "schema", "enum"),
        (form(type="string", enum=["a", "a"]), "schema", "given twice"),
        (form(type="integer", minimum=3, maximum=2), "schema", "minimum"),
        (form(type="integer", default=1.5), "schema", "default"),
        (form(type="string", minLength=-1), "schema", "minLength"),
        (question("form", schema={**FORM, "required": ["regoin"]}), "schema", "did you mean 'region'"),
        (question("form", schema={**FORM, "additionalProperties": True}), "schema", "no others"),
        (question("form", schema={**FORM, "$ref": "http://x"}), "schema", "no member of a form"),
    ],
)
def test_problems_of_shape_wrong_names_member(shape, member, words):
    assert words in problems_of_shape(shape)[member]


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        (question(), "Use the old key"),
        (question("confirm"), False),
        (choice(), "Staging"),
        (choice(), "neither; use my laptop"),
        (choice(strict=True), "Production"),
        (choice(multi=True), ["Production", "and mine"]),
        (question("form", schema=FORM), {"region": "eu", "count": 3, "share": 0.5, "dry": False, "why": "so"}),
        (question("form", schema=FORM), {"region": "us", "count": 9}),
    ],
)
def test_problem_of_answer_has_none(asked, value):
    assert problem_of(asked, value) is None


@pytest.mark.parametrize(
    ("asked", "value", "words"),
    [
        (question(), " \n", "blank"),
        (question(), 7, "text"),
        (question(), None, "text"),
        (question(), "x" * 10_001, "10,000"),
        (question(), "a\0", "Null characters"),
        (question("confirm"), 1, "true or false"),
        (question("confirm"), "yes", "true or false"),
        (choice(), ["Staging"], "text"),
        (choice(strict=True), "staging", "did you mean 'Staging'"),
        (choice(strict=True), True, "one of the options"),
        (choice(multi=True), [], "at least one"),
        (choice(multi=True), "Staging", "list"),
        (choice(multi=True), ["Staging", "Staging"], "twice"),
        (choice(multi=True, strict=True), ["Staging", {}], "one of the options"),
        (question("form", schema=FORM), {"region": "eu"}, "count: This field is required"),
        (question("form", schema=FORM), {"region": "asia", "count": 1}, "one of eu, us"),
        (question("form", schema=FORM), {"region": "eu", "count": True}, "whole number"),
        (question("form", schema=FORM), {"region": "eu", "count": 10}, "at most 9"),
        (question("form", schema=FORM), {"region": "eu", "count": 1, "dry": 0}, "true or false"),
        (question("form", schema=FORM), {"region": "eu", "count": 1, "why": "s"}, "At least 2"),
        (question("form", schema=FORM), {"region": "eu", "cuont": 1}, "did you mean 'count'"),
        (question("form", schema=FORM), [], "object"),
    ],
)
def test_problem_of_wrong_answer_says_why(asked, value, words):
    assert words in problem_of(asked, value)


def test_value_posted_each_kind_read():
    def posted(asked, query):
        return value_posted(asked, QueryDict(query))

    assert posted(question(), "value=a%0D%0Ab+") == "a\nb"
    assert posted(question(), "") is None
    assert posted(question("confirm"), "value=no") is False
    assert posted(question("confirm"), "value=maybe") is None
    assert posted(choice(), "value=Staging&other=") == "Staging"
    assert posted(choice(), "value=__other__&other=mine") == "mine"
    assert posted(choice(), "other=mine") == "mine"
    assert posted(choice(multi=True), "value=Staging&value=__other__&other=mine") == ["Staging", "mine"]
    assert posted(choice(multi=True), "value=Staging&value=__other__&other=") == ["Staging"]
    read = posted(question("form", schema=FORM), "value.region=eu&value.count=3&value.share=0.5&value.why=")
    assert read == {"region": "eu", "count": 3, "share": 0.5, "dry": False}
    assert posted(question("form", schema=FORM), "value.count=three&value.dry=on") == {"count": "three", "dry": True}
    long = "1" * 60
    assert posted(question("form", schema=FORM), f"value.share={long}&value.count={long}") == {
        "share": long,
        "count": long,
        "dry": False,
    }


def test_same_true_is_no_number():
    assert same({"a": [1, True]}, {"a": [1.0, True]})
    assert not same([1], [True])
    assert not same({"a": 1}, {"a": 1, "b": 2})


def test_shown_value_is_one_short_line():
    assert shown_value(True) == "yes"
    assert shown_value(["a", "b\nc"]) == "a, b c"
    assert shown_value({"x": 1, "y": False}) == "x: 1; y: no"
    assert len(shown_value("x" * 1000)) == 300
