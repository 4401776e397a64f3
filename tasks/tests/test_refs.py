"""The names of tasks."""

import pytest

from tasks.refs import number_in, parse_ref, ref_of


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("OPS-42", ("OPS", 42)),
        ("ops-7", ("OPS", 7)),
        ("A1-999999999", ("A1", 999999999)),
        ("OPS", None),
        ("OPS-", None),
        ("-1", None),
        ("OPS-1-2", None),
        ("OPS-٣", None),
        ("OPS-1\n", None),
        ("OPS-1000000000", None),
        ("1OPS-1", None),
    ],
)
def test_ref_is_parsed_only_where_it_is_one(text, parsed):
    assert parse_ref(text) == parsed
    assert parsed is None or ref_of(*parsed) == text.upper()


def test_number_of_a_ref_is_that_of_its_own_project_alone():
    assert (number_in("OPS", "ops-3"), number_in("OPS", "WEB-3"), number_in("OPS", "3")) == (3, None, None)
