"""The outcomes of a comparison of policies, in sentences that need no statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tasks.matching.policies import named
from tasks.matching.simulation import Outcome

#: Smaller differences are called none: of the mean hours, and of a hundred due dates.
SAME_HOURS: Final = 0.05
SAME_DUE: Final = 1
#: The use of the slots is called even below this Gini.
EVEN: Final = 0.15


@dataclass(frozen=True)
class Verdict:
    """What one policy would have done, against the one in use. ``is_current``: it is the one in use."""

    label: str
    idea: str
    sentence: str
    is_current: bool


def verdicts(outcomes: Sequence[Outcome], current: str) -> list[Verdict]:
    """A sentence for each policy, compared with the one named ``current``, which comes first.

    ``outcomes`` includes that of ``current``.
    """
    base = next(outcome for outcome in outcomes if outcome.policy == current)
    others = [outcome for outcome in outcomes if outcome is not base]
    return [_verdict(base, _alone(base), is_current=True), *(_verdict(each, _against(each, base)) for each in others)]


def _verdict(outcome: Outcome, sentence: str, *, is_current: bool = False) -> Verdict:
    policy = named(outcome.policy)
    return Verdict(
        policy.label if policy else outcome.policy, policy.idea if policy else "", sentence, is_current=is_current
    )


def _alone(base: Outcome) -> str:
    parts = [f"a task would have been accepted {spell_hours(base.mean_hours)} after it arrived, on average"]
    if base.has_due:
        parts.append(f"{_of_hundred(base)} of 100 due dates would have been missed")
    parts.append("the work would have been spread " + ("evenly" if base.gini < EVEN else "unevenly"))
    return _sentence(parts)


def _against(outcome: Outcome, base: Outcome) -> str:
    parts = []
    gained = base.mean_hours - outcome.mean_hours
    if base.mean_hours and abs(gained) > SAME_HOURS * base.mean_hours:
        parts.append(f"tasks would have been accepted {spell_hours(abs(gained))} {'sooner' if gained > 0 else 'later'}")
    missed = _of_hundred(outcome) - _of_hundred(base)
    if outcome.has_due and abs(missed) > SAME_DUE:
        parts.append(f"{abs(missed)} {'more' if missed > 0 else 'fewer'} of 100 due dates would have been missed")
    if abs(outcome.gini - base.gini) > EVEN / 2:
        parts.append("the work would have been spread " + ("less" if outcome.gini > base.gini else "more") + " evenly")
    if change := outcome.finished - base.finished:
        tasks = "task" if abs(change) == 1 else "tasks"
        parts.append(f"{abs(change)} {tasks} {'more' if change > 0 else 'fewer'} would have been accepted in the end")
    return _sentence(parts) if parts else "No difference worth naming."


def _of_hundred(outcome: Outcome) -> int:
    return round(outcome.overdue_share * 100)


def _sentence(parts: list[str]) -> str:
    text = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{text[0].upper()}{text[1:]}."


def spell_hours(hours: float) -> str:
    """``40 seconds``, ``12 minutes``, ``3.5 hours``, ``2.1 days``."""
    for limit, size, unit in ((1 / 60, 1 / 3600, "second"), (1, 1 / 60, "minute"), (48, 1, "hour")):
        if hours < limit:
            count = f"{hours / size:.1f}".removesuffix(".0") if unit == "hour" else f"{hours / size:.0f}"
            return f"{count} {unit}{'' if count == '1' else 's'}"
    return f"{hours / 24:.1f}".removesuffix(".0") + " days"
