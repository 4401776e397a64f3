"""Policies compared in plain words: what differs is said, what does not is not."""

from dataclasses import replace

import pytest

from tasks.matching.policies import named, names
from tasks.matching.simulation import Outcome
from tasks.pages.verdicts import spell_hours, verdicts

BASE = Outcome("value", 100, 90, 4.0, 9.0, 0.12, 0.8, 0.05)


def sentence_of(**changes) -> str:
    other = replace(BASE, policy="best_skill", **changes)
    return verdicts([other, BASE], "value")[1].sentence


def test_the_policy_in_use_comes_first_and_is_described_by_itself():
    first, other = verdicts([replace(BASE, policy="best_skill"), BASE], "value")
    assert (first.is_current, other.is_current) == (True, False)
    assert first.sentence == (
        "A task would have been accepted 4 hours after it arrived, on average, 12 of 100 due dates would have been "
        "missed and the work would have been spread evenly."
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "No difference worth naming."),
        ({"mean_hours": 4.1, "overdue_share": 0.125}, "No difference worth naming."),
        ({"mean_hours": 2.5}, "Tasks would have been accepted 1.5 hours sooner."),
        ({"mean_hours": 5.5}, "Tasks would have been accepted 1.5 hours later."),
        ({"overdue_share": 0.3}, "18 more of 100 due dates would have been missed."),
        ({"overdue_share": 0.3, "has_due": False}, "No difference worth naming."),
        (
            {"gini": 0.4, "finished": 95},
            "The work would have been spread less evenly and 5 tasks more would have been accepted in the end.",
        ),
    ],
)
def test_only_what_differs_is_said(changes, sentence):
    assert sentence_of(**changes) == sentence


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0.01, "36 seconds"),
        (1 / 60, "1 minute"),
        (0.5, "30 minutes"),
        (1, "1 hour"),
        (3.52, "3.5 hours"),
        (60, "2.5 days"),
    ],
)
def test_hours_are_spelled_in_the_unit_that_fits(hours, words):
    assert spell_hours(hours) == words


def test_every_policy_says_what_it_does():
    assert all(policy.idea.endswith(".") for name in names() if (policy := named(name)))


def test_page_says_it_against_the_policy_of_the_project_or_the_default(client, cast):
    client.force_login(cast.ada.user)
    page = client.get("/assignment/?project=&load=1&seed=0").content.decode()
    assert "In plain words" in page
    assert page.count("would have been") >= 2
    assert "Default" in page
