"""What two people made of the same: put together where that can be done, and without losing a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.merging import merge_lines, merge_lists, merge_maps

TEXT = "a\nb\nc\nd\ne"


@pytest.mark.parametrize(
    ("mine", "theirs", "both"),
    [
        ("A\nb\nc\nd\ne", "a\nb\nc\nd\nE", "A\nb\nc\nd\nE"),
        ("a\nc\nd\ne", "a\nb\nc\nd\ne\nf", "a\nc\nd\ne\nf"),
        ("a\nb\nX\nc\nd\ne", TEXT, "a\nb\nX\nc\nd\ne"),
        ("a\nB\nc\nd\ne", "a\nB\nc\nd\ne", "a\nB\nc\nd\ne"),
        ("a\nB\nc\nd\ne", "a\n2\nc\nd\ne", None),
        ("a\nB\nc\nd\ne", "a\nb\nC\nd\ne", None),
        (f"{TEXT}\nmine", f"{TEXT}\ntheirs", f"{TEXT}\ntheirs\nmine"),
        ("", TEXT, ""),
    ],
)
def test_lines_are_merged_unless_both_changed_the_same(mine, theirs, both):
    assert merge_lines(TEXT, mine, theirs) == both


LINES = st.lists(st.sampled_from("abcdef"), max_size=8).map("\n".join)


@given(LINES, LINES, LINES)
def test_merged_lines_have_the_changes_of_both(base, mine, theirs):
    both = merge_lines(base, mine, theirs)
    assert (both is None) == (merge_lines(base, theirs, mine) is None)
    assert merge_lines(base, mine, base) == mine
    assert merge_lines(base, mine, mine) == mine
    if both is not None:
        added = lambda text: set(text.split("\n")) - set(base.split("\n"))  # noqa: E731
        assert added(both) == added(mine) | added(theirs)


def test_texts_of_two_who_both_began_are_kept():
    assert merge_lines("", "mine", "theirs") == "theirs\n\nmine"
    assert merge_lines("", "", "theirs") == "theirs"
    assert merge_lines("", "same", "same") == "same"


def test_lists_and_levels_are_merged_by_name():
    assert merge_lists(["a", "b"], ["b", "c"], ["a", "b", "d"]) == ["b", "d", "c"]
    assert merge_maps({"a": 1, "b": 1}, {"a": 2}, {"a": 1, "b": 1, "c": 3}) == {"a": 2, "c": 3}
    assert merge_maps({"a": 1}, {"a": 2}, {"a": 3}) is None
    assert merge_maps({"a": 1}, {}, {"a": 3}) is None
    assert merge_maps({}, {"a": 3}, {"a": 3}) == {"a": 3}


def test_texts_with_too_many_lines_alike_are_not_compared():
    base, mine, theirs = ("\n".join(f"{number % step}" for number in range(20_000)) for step in (2, 3, 5))
    assert merge_lines(base, mine, theirs) is None
    assert merge_lines(base, f"mine\n{base}", f"{base}\ntheirs") == f"mine\n{base}\ntheirs"
