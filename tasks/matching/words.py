"""Decisions in words: "atlas: python 4 of 3 needed, 1 of 2 busy, 92 % accepted → 0.81; bert: not offered, lacks docs".

Reads the rows of a record and nothing else. Slugs and skills are the team's own names; the caller escapes them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from tasks.matching import facts
from tasks.matching.matching import Row

#: How many agents are named; the others are counted.
NAMED = 12

REASONS = {
    facts.DISABLED: "is disabled",
    facts.PAUSED: "is paused",
    facts.PAUSED_HERE: "is paused in the project",
    facts.SILENT: "has not called lately",
    facts.OFF_HOURS: "is outside working hours",
    facts.NOT_MEMBER: "does not work in the project",
    facts.MISSING_SKILL: "lacks a skill",
    facts.AT_CAPACITY: "is busy",
    facts.AT_LIMIT: "may start nothing while the project is at its limit",
    facts.FAILED: "failed it before",
    facts.DECLINED: "declined it",
    facts.LAPSED: "let the offer lapse",
    facts.GAVE_BACK: "gave it back",
    facts.TAKEN_OFF: "was taken off it",
    facts.SOLE_REVIEWER: "would have nobody to review the result",
}
#: Constraints that pass by themselves; if only these exclude the agents, the task just waits its turn.
PASSING = frozenset({facts.AT_CAPACITY, facts.AT_LIMIT, facts.SILENT, facts.OFF_HOURS, facts.LAPSED, facts.GAVE_BACK})


def lacks(row: Row) -> str:
    """``lacks security``, ``lacks python 4 (has 2)``: the required skills that the agent of ``row`` does not have."""
    missing = [
        f"{need['skill']} {need['needs']} (has {need['has']})" if need["has"] else need["skill"]
        for need in row["skills"]
        if need["has"] < need["needs"]
    ]
    return f"lacks {_listed(missing)}" if missing else "lacks a skill"


def reason(code: str, row: Row) -> str:
    """Why the agent of ``row`` was excluded, phrased to follow its name."""
    if code == facts.MISSING_SKILL:
        return lacks(row)
    if code == facts.AT_CAPACITY:
        return f"is busy ({row['load']} of {row['capacity']})"
    return REASONS.get(code, code.replace("_", " "))


def figures(row: Row) -> str:
    """``python 4 of 3 needed, 1 of 2 busy, 92 % accepted``."""
    parts = [f"{need['skill']} {need['has']} of {need['needs']} needed" for need in row["skills"]]
    parts.append(f"{row['load']} of {row['capacity']} busy")
    terms = row["terms"]
    if "probability" in terms:
        parts.append(f"{terms['probability']:.0%} accepted".replace("%", " %"))
    if "hours" in terms:
        parts.append(f"about {_hours(terms['hours'])}")
    if terms.get("continuity"):
        parts.append(f"knows it (+{terms['continuity']:.0%})".replace("%", " %"))
    return ", ".join(parts)


def candidate(row: Row) -> str:
    """One agent: its figures and score, or why it was not offered the task."""
    if not row["eligible"]:
        return f"{row['agent']}: not offered, {_listed([reason(code, row) for code in row['excluded_by']])}"
    taken = "" if row["left"] > 0 else ", went to another task"
    return f"{row['agent']}: {figures(row)} → {_score(row['score'])}{taken}"


def sentences(rows: Iterable[Row], others: dict[str, Any], *, most: int = NAMED) -> list[str]:
    """Every agent of a record, one sentence each; agents beyond ``most`` are counted by reason."""
    rows = list(rows)
    lines = [candidate(row) for row in rows[:most]]
    counts: dict[str, int] = {}
    for row in rows[most:]:
        code = row["excluded_by"][0] if row["excluded_by"] else "eligible"
        counts[code] = counts.get(code, 0) + 1
    for codes, excluded in others.items():
        code = codes.split("+")[0]
        counts[code] = counts.get(code, 0) + (excluded if isinstance(excluded, int) else len(excluded))
    return lines + [_counted(code, count) for code, count in sorted(counts.items())]


def _counted(code: str, count: int) -> str:
    if code == "eligible":
        return f"{count} more could do it"
    words = REASONS.get(code, code.replace("_", " "))
    return f"{count} more: not offered, {'each ' if count > 1 else ''}{words}"


def why_nobody(rows: Sequence[Row], others: dict[str, Any], *, most: int = 4) -> str:
    """Why no agent was found, short enough for a card; names a constraint for each agent or group of agents."""
    if not rows and not others:
        return "Nobody works in this project."
    able = [row for row in rows if row["eligible"]]
    if able or "eligible" in others:
        return "Everyone who can do it is busy with other tasks."
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(_listed([reason(code, row) for code in _weighty(row["excluded_by"])]), []).append(
            row["agent"]
        )
    for codes, excluded in others.items():
        words = _listed([REASONS.get(code, code.replace("_", " ")) for code in _weighty(codes.split("+"))])
        by_reason.setdefault(words, []).extend(excluded if isinstance(excluded, list) else ["?"] * excluded)
    parts = []
    for words, agents in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        parts.append(f"{agents[0]} {words}" if len(agents) == 1 else f"{len(agents)} agents: each {words}")
    shown = parts[:most]
    rest = sum(map(len, by_reason.values())) - sum(
        len(agents) for _, agents in sorted(by_reason.items(), key=lambda item: -len(item[1]))[:most]
    )
    return "; ".join(shown) + (f"; and {rest} more" if rest else "") + "."


def _weighty(codes: Sequence[str]) -> list[str]:
    """The codes that do not pass by themselves, or all of them if they all do."""
    return [code for code in codes if code not in PASSING] or list(codes)


def is_lasting(rows: Iterable[Row], others: dict[str, Any]) -> bool:
    """Whether waiting alone will not help: every agent is excluded by something that somebody has to change."""
    if any(set(row["excluded_by"]) <= PASSING for row in rows):
        return False
    return not any(set(codes.split("+")) <= PASSING | {"eligible"} for codes in others)


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def _score(score: float) -> str:
    return f"{score:.2f}" if score >= 0.1 else f"{score:.2g}"


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{max(1, round(hours * 60))} min"
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"
