"""What a demo agent shows of its work: a checklist while it works, and a report and a change with the result."""

import random
from typing import Any

from tasks.demo.lines import FOLLOW_UPS

LINES_CHANGED = [
    ("    if seats:", "    if seats > 0:"),
    ('    return "sold out"', '    return f"sold out since {day}"'),
    ("    total = sum(prices)", "    total = sum(prices, start=Decimal(0))"),
    ("    send(mail)", "    on_commit(lambda: send(mail))"),
]


def plan_of(steps: list[str], done: int) -> list[dict[str, str]]:
    """The checklist ``steps`` after the first ``done`` of them."""
    marks = ["completed"] * done + ["in_progress"] + ["pending"] * len(steps)
    return [{"content": step, "status": mark} for step, mark in zip(steps, marks, strict=False)]


def artifacts_of(run: dict[str, Any], steps: list[str], fate: random.Random) -> list[dict[str, str]]:
    """A report on the run, with an answer to each comment of its review, and a small change as a diff."""
    ref = run["task"]["ref"]
    report = [f"# {run['task']['title']}", "", *(f"{number}. {step}" for number, step in enumerate(steps, 1))]
    feedback = (run.get("context") or {}).get("feedback") or []
    comments = [comment for review in feedback for comment in review.get("comments") or []]
    if comments:
        report += ["", "## What the review said", ""]
        report += [f"- Line {each['line']} of {each['artifact']}: changed as asked" for each in comments]
    old, new = fate.choice(LINES_CHANGED)
    first = fate.randint(10, 200)
    diff = [
        "--- a/tours/booking.py",
        "+++ b/tours/booking.py",
        f"@@ -{first},3 +{first},4 @@ def book(seats, day):",
        f'     """Book seats; see {ref}."""',
        f"-{old}",
        f"+    # {ref}",
        f"+{new}",
        "     return ticket",
    ]
    return [
        {"name": "report.md", "kind": "text", "text": "\n".join([*report, ""])},
        {"name": "change.diff", "kind": "diff", "text": "\n".join([*diff, ""])},
    ]


def follow_up(number: int) -> dict[str, Any]:
    """A small task that was found on the way."""
    title, skill = FOLLOW_UPS[number % len(FOLLOW_UPS)]
    return {"title": title, **({"required_skills": [{"skill": skill, "min_level": 2}]} if skill else {})}
