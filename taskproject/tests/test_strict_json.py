"""What JSON comes in, and that everything stored goes out."""

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from taskproject.strict_json import DEEPEST, Unreadable, dumps, loads, pretty, unfit

OUT_OF_RANGE = "Whole numbers must be from -9223372036854775808 to 18446744073709551615; send a larger one as text."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": {"b": 1, "c": 2, "b": 1}}', "b is given twice in one object."),
        ('{"\\u0061": 1, "a": 1}', "a is given twice in one object."),
        ('{"two words": 1, "two words": 1}', '"two words" is given twice in one object.'),
        ("[NaN]", "NaN is not JSON."),
        ("[-Infinity]", "-Infinity is not JSON."),
        ("[" * 100_000, "Is nested too deeply."),
        ("9" * 5000, "Contains a number with too many digits."),
        ('["\\ud800"]', "Surrogate characters are not allowed."),
        ('{"\\uDFFF": 1}', "Surrogate characters are not allowed."),
        ("{", "Is not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)."),
    ],
)
def test_loads_refuses_what_programs_read_differently(text, sentence):
    with pytest.raises(Unreadable) as refused:
        loads(text.encode())
    assert str(refused.value) == sentence


def test_loads_refuses_other_encodings():
    with pytest.raises(Unreadable, match="Is not UTF-8"):
        loads('"ä"'.encode("latin-1"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("123456789012345678901234", OUT_OF_RANGE),
        ('{"rows": [1, {"n": 18446744073709551616}]}', f"rows[1].n: {OUT_OF_RANGE}"),
        ('{"a b": [-9223372036854775809]}', f'"a b"[0]: {OUT_OF_RANGE}'),
        ("[1e400]", "[0]: Numbers must be finite; a number has at most 308 digits before the decimal point."),
        ('{"a": "\\u0000"}', "a: Null characters are not allowed."),
        ("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2), f"Is nested more than {DEEPEST} levels deep."),
    ],
)
def test_unfit_names_the_part(text, problem):
    assert unfit(loads(text.encode())) == problem


@pytest.mark.parametrize(
    "text",
    [
        "18446744073709551615",
        "-9223372036854775808",
        "1e20",
        "-0",
        "5e-324",
        "1.7976931348623157e308",
        '"\\ud83d\\ude00"',
    ],
)
def test_what_is_fit_goes_out_as_the_same_value(text):
    value = loads(text.encode())
    assert unfit(value) is None
    assert json.loads(dumps(value)) == json.loads(text)


def test_dumps_never_fails_because_of_what_is_stored():
    deep: list = []
    for _ in range(400):
        deep = [deep]
    stored = {"n": 10**308, "huge": 10**309, "half": "a\ud800", "deep": deep, "nan": float("nan")}
    written = json.loads(
        dumps({"at": datetime(2026, 11, 22, 10, tzinfo=UTC), "result": stored, "cost": Decimal("1.5")})
    )
    assert written["at"] == "2026-11-22T10:00:00Z"
    assert written["cost"] == 1.5
    assert written["result"] | {"deep": 0} == {"n": 1e308, "huge": 10**309, "half": "a\ufffd", "nan": None, "deep": 0}
    assert json.loads(dumps({"id": uuid.UUID(int=1), "n": 2**64}))["id"] == str(uuid.UUID(int=1))
    assert "nested too deeply" in pretty(stored)
