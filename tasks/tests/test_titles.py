"""Titles that say more: what is understood, what stays, and that no word is lost."""

import re
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.dues import NotADue, read_due
from tasks.titles import MOST, Names, mentioned, read_title

AUCKLAND = ZoneInfo("Pacific/Auckland")
#: A Friday in Auckland, still a Thursday in UTC.
NOW = datetime(2026, 11, 27, 9, 0, tzinfo=AUCKLAND)
NAMES = Names(
    agents={"atlas": "atlas", "bert": "bert", "me": "ada"},
    skills={"python": "Python"},
    tasks={"ops-3": "OPS-3"},
)


def read(text: str, names: Names = NAMES):
    return read_title(text, NOW, names)


def test_title_says_what_a_form_would():
    reading = read('Fix login !high @atlas, @me #backend #"needs care" +python:3 due:tomorrow 17:00 ^ops-3')
    assert reading.title == "Fix login"
    assert reading.problems == ()
    assert reading.value("priority") == "high"
    assert reading.values("agent") == ["atlas", "ada"]
    assert reading.values("label") == ["backend", "needs care"]
    assert reading.values("skill") == [("Python", 3)]
    assert reading.value("parent") == "OPS-3"
    assert reading.value("due") == datetime(2026, 11, 28, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (r"Close \#5 and \@home \due:x", "Close #5 and @home due:x"),
        ("The fix of #5, +1 and C# at 5! or a@b.example", "The fix of #5, +1 and C# at 5! or a@b.example"),
        ("! @ # + ^ due: !! ## @@", "! @ # + ^ due: !! ## @@"),
        ("", ""),
    ],
)
def test_title_keeps_what_means_nothing_more(text, title):
    reading = read(text)
    assert (reading.title, reading.parts, reading.problems) == (title, (), ())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("@atals", "There is no agent 'atals'; did you mean 'atlas'? It stays in the title."),
        ("!hihg", "There is no priority 'hihg'; did you mean 'high'? It stays in the title."),
        ("+pyhton", "There is no skill 'pyhton'; did you mean 'Python'? It stays in the title."),
        ("+python:9", "The level of Python must be from 1 to 5. It stays in the title."),
        ("^OPS-99", "There is no task 'OPS-99' in this project. It stays in the title."),
        ('#"open', 'The quote of #"open is not closed. It stays in the title.'),
        ("!high !low", "!high is named before !low. It stays in the title."),
        ("due:firday", "There is no day 'firday'; did you mean 'friday'? due:firday stays in the title."),
        ("due:yesterday", "Yesterday is over; write a day to come."),
        ("due:next monday", "'next' is not a day; write monday, 3d, 2w or 2026-12-01."),
        ("due:31.2.", "There is no day 31.2."),
        (
            "due:friday",
            "Friday may be today, 2026-11-27, or in a week, 2026-12-04; write due:today or due:2026-12-04."
            " due:friday stays in the title.",
        ),
        (
            "due:03/04",
            "03/04 could mean 2027-04-03 or 2027-03-04; write the one you mean. due:03/04 stays in the title.",
        ),
        (
            "due:today 25:00",
            "'25:00' is not a time of day; write it such as 17:00. due:today 25:00 stays in the title.",
        ),
    ],
)
def test_title_says_in_a_sentence_what_it_did_not_understand(words, sentence):
    reading = read(f"Fix {words}")
    assert reading.problems[0].startswith(sentence)
    assert len(reading.problems) == 1
    assert reading.title.startswith("Fix ")
    assert reading.title.endswith(words.split()[-1])


def test_names_nearest_to_unknown_ones_are_looked_for_a_few_times():
    reading = read(" ".join(f"@atlsa{number}" for number in range(30)))
    assert len(reading.problems) == 30
    assert 0 < sum("did you mean" in problem for problem in reading.problems) <= 10


def test_title_of_someone_who_may_not_assign_names_nobody():
    reading = read("Fix @atlas", Names(why_no_agents="Only a manager of OPS may assign tasks."))
    assert reading.title == "Fix @atlas"
    assert reading.problems == ("Only a manager of OPS may assign tasks. @atlas stays in the title.",)


def test_whoever_is_no_agent_learns_why_they_are_not_meant():
    reading = read("Fix @me!", Names(agents={"mel": "mel"}, why_not_me="You are not an agent of OPS."))
    assert reading.title == "Fix @me!"
    assert reading.problems == ("You are not an agent of OPS. @me stays in the title.",)


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("today", "2026-11-27T23:59:59"),
        ("tomorrow", "2026-11-28T23:59:59"),
        ("mon", "2026-11-30T23:59:59"),
        ("Thursday 9am", "2026-12-03T09:00:00"),
        ("3d", "2026-11-30T23:59:59"),
        ("2w", "2026-12-11T23:59:59"),
        ("17:00", "2026-11-27T17:00:00"),
        ("2026-12-01T08:30", "2026-12-01T08:30:00"),
        ("24.12.", "2026-12-24T23:59:59"),
        ("13/04", "2027-04-13T23:59:59"),
        ("04/13/2027", "2027-04-13T23:59:59"),
        ("1-dec", "2026-12-01T23:59:59"),
        ("jan-5-2027", "2027-01-05T23:59:59"),
        ("29.2.", "2028-02-29T23:59:59"),
        ("5sept", "2027-09-05T23:59:59"),
        ("5-may", "2027-05-05T23:59:59"),
        ("December24", "2026-12-24T23:59:59"),
        ("tomorrow 5 pm", "2026-11-28T17:00:00"),
        ("tomorrow 5 p.m.", "2026-11-28T17:00:00"),
        ("2026-12-01T08:30Z", "2026-12-01T21:30:00"),
    ],
)
def test_due_is_read_in_the_readers_zone(text, there):
    assert read_due(text, NOW).astimezone(AUCKLAND) == datetime.fromisoformat(there).replace(tzinfo=AUCKLAND)


@pytest.mark.parametrize("text", ["marvel3", "decoy3", "maybe5", "3-janet", "marchs-5", "se5", "2.5", "24.12"])
def test_words_and_numbers_that_are_no_days_are_no_due_dates(text):
    with pytest.raises(NotADue, match=r"\.$|\?$"):
        read_due(text, NOW)
    reading = read(f"Fix due:{text}")
    assert reading.title == f"Fix due:{text}"
    assert len(reading.problems) == 1


@pytest.mark.parametrize(
    ("words", "title", "there"),
    [
        ("due:tomorrow 5 pm", "", "2026-11-28T17:00"),
        ("due:tomorrow 5 PM, then rest", "then rest", "2026-11-28T17:00"),
        ("due:tomorrow 5:30 p.m. sharp", "sharp", "2026-11-28T17:30"),
        ("due:tomorrow 17:00 pm", "pm", "2026-11-28T17:00"),
        ("due:tomorrow 5 times", "5 times", "2026-11-28T23:59:59"),
        ("due:5 pm sharp", "sharp", "2026-11-27T17:00"),
        ("due:5:30 pm", "", "2026-11-27T17:30"),
        ("due:24.12. 17:00", "", "2026-12-24T17:00"),
        ("due:24.12.", "", "2026-12-24T23:59:59"),
        ("due:tomorrow 5", "5", "2026-11-28T23:59:59"),
    ],
)
def test_time_of_day_is_read_with_the_words_that_follow(words, title, there):
    reading = read(f"Fix {words}")
    assert (reading.title, reading.problems) == (f"Fix {title}".strip(), ())
    assert reading.value("due").astimezone(AUCKLAND) == datetime.fromisoformat(there).replace(tzinfo=AUCKLAND)


@pytest.mark.parametrize(
    "text", ["", "8:00", "yesterday", "9999-12-31", "9999d 5pm pm", "1e5", "0/0", "25pm", "x" * 99]
)
def test_due_that_names_no_time_is_refused_with_a_sentence(text):
    with pytest.raises(NotADue, match=r"\.$|\?$"):
        read_due(text, NOW)


PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["!high", "!x", "@atlas", "@atlas,", "@x", "#a", '#"a', "+python", "+python:7", "\\#a", "\\"]),
    st.sampled_from(["due:mon", "due:9:00", "due:today", "9:00", "5pm", "due:1/2", "^OPS-3", "^OPS-4"]),
    st.sampled_from(['#"a b"', 'due:"1 dec"', " ", "\t", "\u3000"]),
)


def _words(text: str) -> Counter[str]:
    return Counter(re.sub(r"\\(?=[!@#+^]|due:)", "", text, flags=re.IGNORECASE).split())


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_title_never_fails_and_loses_no_word(text):
    reading = read(text)
    kept = " ".join([reading.title, *(part.text for part in reading.parts)])
    assert _words(kept) == _words(text)
    assert mentioned(text, "@") == list(dict.fromkeys(mentioned(text, "@")))


@given(st.text(max_size=30))
def test_due_is_a_time_or_a_sentence(text):
    try:
        assert read_due(text, NOW).tzinfo is UTC
    except NotADue as error:
        sentence = str(error)
    else:
        sentence = "."
    assert sentence[-1] in ".?"


def test_title_of_any_length_is_kept():
    text = "#a " * MOST
    assert len(_words(read(text).title + " #a" * len(read(text).parts))) == 1
    assert read("x" * (MOST + 5)).title == "x" * (MOST + 5)
