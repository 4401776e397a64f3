"""Every figure about agents against a recount in plain Python, and periods that stay as they were."""

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reports import running
from reports.definitions import read
from reports.periods import BucketSize, Period
from reports.predefined import REPORTS
from reports.running import answer
from reports.scopes import Scope
from reports.statistics import gini, wilson
from reports.tests.people_recount import Recount, grouped, mean, percent, percentile, row_of
from reports.tests.people_steps import steps_of
from reports.tests.people_walk import START, PeopleWalk
from reports.vocabulary import CONDITIONS, FACTS
from tasks.actions.tasks import delete_task
from tasks.models import (
    Agent,
    AskedQuestion,
    Assignment,
    AssignmentDecision,
    Dependency,
    Question,
    StatusInterval,
    Task,
)
from tasks.tests.sizes import PEOPLE_WALKS

pytestmark = pytest.mark.django_db

#: Columns and figures that are as of now.
OF_NOW = {"active_runs", "open_assignments", "open_questions"}
FIGURES_OF_NOW = ("overdue", "_waiting", "_oldest", "offers_open", "nobody_found")
#: All but what is as of now alone, and those about flow, which have walks of their own.
PROMISED = (
    "workload", "utilisation", "due_performance", "reliability", "failures", "quality", "cost", "cost_by_version",
    "cost_by_project", "cost_by_label", "people_load", "assignment",
)  # fmt: skip
#: The moments at which a fact ends, by its kind: from then on it stays what it is.
ENDS = {
    "episodes": ("completed", "ended"),
    "runs": ("ended",),
    "intervals": ("ended",),
    "events": ("happened",),
    "questions": ("ended",),
    "reviews": ("given",),
    "steps": ("happened",),
}
WALKS = pytest.mark.parametrize("seed", range(PEOPLE_WALKS))


def asked(walk: PeopleWalk, slug: str, minutes: tuple[int, int], keys: set[str]) -> Any:
    start = START + timedelta(minutes=minutes[0])
    period = Period(start, start + timedelta(minutes=minutes[1]), BucketSize.DAY, ZoneInfo("UTC"))
    scope = Scope(tuple(project.pk for project in (walk.cast.ops, walk.cast.other) if project.key in keys))
    return answer(REPORTS[slug], scope, period, now=walk.now).result


def rows_of(result: Any, *by: str) -> dict[Any, dict[str, Any]]:
    """The rows by agent, or by the name of a row of nobody's, and ``by``."""
    rows = {(row["agent"] or row["name"], *(row[name] for name in by)): row for row in result.rows}
    assert len(rows) == len(result.rows)
    return rows


def only(row: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in expected}


def check_workload(result: Any, count: Recount) -> None:
    done, active, ended = count.completions(), count.active(), count.ended()
    rows, waiting = rows_of(result), count.not_started()
    expected = grouped(done, row_of).keys() | grouped(active, lambda run: run.agent).keys()
    assert {key for (key,) in rows} >= expected
    for (key,), row in [*rows.items(), (("All",), result.total)]:
        mine = [each for each in done if key in ("All", row_of(each))]
        ran = [run for run in active if key in ("All", run.agent)]
        assert only(row, facts := {
            "completed": len(mine),
            "imported": sum(each.imported for each in mine),
            "share": percent(len(mine), len(done)),
            "runs": len(ran),
            "worked_seconds": sum(map(count.worked, ran)),
            "failed_runs": sum(run.outcome == "failed" and run in ran for run in ended),
            "expired_runs": sum(run.outcome == "expired" and run in ran for run in ended),
            "active_runs": sum(run.ended is None and key in ("All", run.agent) for run in count.runs()),
            "open_assignments": len({task for who, task in waiting if key in ("All", who)}),
        }) == facts, key  # fmt: skip
    for kind in ("llm", "human"):
        could = [agent for agent in Agent.objects.filter(kind=kind) if any(count.spans(agent.slug))]
        # Managers count once they have completed something.
        could = [agent.slug for agent in could if agent.slug not in ("ada", "mona") or agent.slug in map(row_of, done)]
        spread = gini(sum(row_of(each) == slug for each in done) for slug in could)
        assert result.figures[f"gini_{kind}_n"] == len(could)
        assert result.figures[f"gini_{kind}"] == (None if spread is None else round(spread, 4))


def check_utilisation(result: Any, count: Recount) -> None:
    active = count.active()
    sums = dict.fromkeys(("within", "could", "capacity", "all"), 0.0)
    for (key,), row in rows_of(result).items():
        ran = [run for run in active if run.agent == key]
        within = sum(map(count.worked_within, ran))
        could, capacity = count.could_seconds(key), count.capacity_seconds(key)
        assert only(row, facts := {
            "runs": len(ran),
            "worked_seconds": within,
            "could_seconds": could,
            "capacity_seconds": capacity,
            "utilisation": percent(within, capacity),
            "outside_seconds": sum(map(count.worked, ran)) - within,
        }) == facts, key  # fmt: skip
        sums = {"within": sums["within"] + within, "capacity": sums["capacity"] + capacity} | {"could": 0, "all": 0}
    able = {agent.slug for agent in Agent.objects.all() if any(count.spans(agent.slug))} - {"ada", "mona"}
    assert {key for (key,) in rows_of(result)} == able | {run.agent for run in active}
    assert result.total["utilisation"] == percent(sums["within"], sums["capacity"])


def check_due_performance(result: Any, count: Recount) -> None:
    done = count.completions()
    due = [each for each in done if each.due is not None]
    late = [(each.completed - each.due).total_seconds() for each in due if each.completed > each.due]
    assert only(result.total, facts := {
        "completed": len(done),
        "with_due_date": len(due),
        "on_time": len(due) - len(late),
        "late": len(late),
        "on_time_share": percent(len(due) - len(late), len(due)),
        "late_p50_seconds": percentile(late, 0.5),
        "late_p85_seconds": None if not late else pytest.approx(percentile(late, 0.85), abs=0.001),
        "late_max_seconds": max(late, default=None),
    }) == facts  # fmt: skip
    for name in ("completed", "with_due_date", "on_time", "late"):
        assert sum(row[name] for row in result.rows) == result.total[name]


def check_reliability(result: Any, count: Recount) -> None:
    ended = count.ended()
    stalled = [
        (agent, version) for agent, key, at, version in count.ledger.stalls if key in count.keys and count.within(at)
    ]
    rows = rows_of(result, "version")
    by_agent = grouped(ended, lambda run: (run.agent, run.version or None))
    assert rows.keys() == by_agent.keys() | {(agent, version or None) for agent, version in stalled}
    for key, row in [*rows.items(), (("All",), result.total)]:
        ran = ended if key == ("All",) else by_agent[key]
        outcomes = [run.outcome for run in ran]
        good, bad = outcomes.count("completed"), outcomes.count("failed") + outcomes.count("expired")
        bounds = wilson(good, good + bad)
        assert only(row, facts := {
            "runs": len(ran),
            "completed": good,
            "failed": outcomes.count("failed"),
            "expired": outcomes.count("expired"),
            "otherwise": len(ran) - good - bad,
            "tried": good + bad,
            "share": percent(good, good + bad),
            "low": bounds and round(100 * bounds.low, 2),
            "high": bounds and round(100 * bounds.high, 2),
            "stalls": sum(key in (("All",), (agent, version or None)) for agent, version in stalled),
        }) == facts, key  # fmt: skip


def check_failures(result: Any, count: Recount) -> None:
    failed = [run for run in count.ended() if run.outcome == "failed"]
    codes = grouped(failed, lambda run: run.code)
    assert {row["code"]: (row["runs"], row["tasks"], row["agents"]) for row in result.rows} == {
        code: (len(ran), len({run.task for run in ran}), len({run.agent for run in ran})) for code, ran in codes.items()
    }
    assert (result.total["runs"], result.total["tasks"]) == (len(failed), len({run.task for run in failed}))


def check_quality(result: Any, count: Recount) -> None:
    done = count.completions(imported=False)
    back = [each for key, at, each in count.ledger.reopened if key in count.keys and count.within(at)]

    def place(each: Any) -> tuple[str, str | None]:
        return row_of(each), each.version or None

    rows = rows_of(result, "version")
    assert rows.keys() == {*map(place, done), *map(place, back)}
    for key, row in [*rows.items(), (("All",), result.total)]:
        mine = [each for each in done if key in (("All",), place(each))]
        first = sum(not each.failed and not each.changes for each in mine)
        assert only(row, facts := {
            "completed": len(mine),
            "first_try": first,
            "share": percent(first, len(mine)),
            "changes_requested": sum(each.changes for each in mine),
            "reopened": sum(key in (("All",), place(each)) for each in back),
        }) == facts, key  # fmt: skip


def check_cost(result: Any, count: Recount) -> None:
    _check_cost(result, count, rows_of(result), lambda run: [(run.agent,)], lambda each: [(row_of(each),)])


def check_cost_by_version(result: Any, count: Recount) -> None:
    _check_cost(
        result, count, rows_of(result, "version"),
        lambda run: [(run.agent, run.version or None)], lambda each: [(row_of(each), each.version or None)],
    )  # fmt: skip


def check_cost_by_project(result: Any, count: Recount) -> None:
    rows = {(row["project"],): row for row in result.rows}
    _check_cost(result, count, rows, lambda run: [(run.project,)], lambda each: [(each.project,)])


def check_cost_by_label(result: Any, count: Recount) -> None:
    """Each label counts it that its task had when it ended."""

    def of(fact: Any) -> list[tuple[str | None]]:
        return [(label,) for label in fact.labels or (None,)]

    _check_cost(result, count, {(row["label"],): row for row in result.rows}, of, of)


def _check_cost(result: Any, count: Recount, rows: Any, of_run: Any, of_pass: Any) -> None:
    ended, done = count.ended(), count.completions(imported=False)
    assert len(rows) == len(result.rows)
    assert rows.keys() == {key for run in ended for key in of_run(run)} | {
        key for each in done for key in of_pass(each)
    }
    for key, row in [*rows.items(), (("All",), result.total)]:
        ran = [run for run in ended if key == ("All",) or key in of_run(run)]
        mine = [each for each in done if key == ("All",) or key in of_pass(each)]
        tokens = sum(each.tokens for each in mine)
        costs = [each.cost for each in mine]
        assert only(row, facts := {
            "runs": len(ran),
            "input_tokens": sum(run.tokens[0] for run in ran),
            "output_tokens": sum(run.tokens[1] for run in ran),
            "cost": sum(run.cost for run in ran),
            "accepted": len(mine),
            "accepted_cost": sum(costs),
            "cost_per_accepted": mean(costs),
            "cost_per_accepted_p85": pytest.approx(percentile(costs, Decimal("0.85")), abs=Decimal("0.000001")),
            "tokens_per_accepted": pytest.approx(tokens / len(mine), abs=0.006) if mine else None,
        }) == facts, key  # fmt: skip


def check_people_load(result: Any, count: Recount) -> None:
    asked = [each for each in Question.objects.select_related("answered_by", "to_user") if count.is_of(each.project_id)]
    # Those of deleted tasks too.
    kept = [each for each in AskedQuestion.objects.select_related("answered_by") if count.is_of(each.project_id)]
    over = [each for each in kept if each.state in ("answered", "defaulted") and count.within(each.ended_at)]
    answers = [
        (each.answered_by and each.answered_by.username, _seconds(each.asked_at, each.ended_at)) for each in over
    ]
    given = [(who, _seconds(since, at)) for key, who, at, since in count.ledger.reviews
             if key in count.keys and count.within(at)]  # fmt: skip
    waiting = [each for each in asked if each.ended_at is None]
    rows = {row["person"] or row["name"]: row for row in result.rows}
    theirs = {who or "Anyone" for who, _ in [*answers, *given]}
    assert rows.keys() == theirs | {each.to_user.username if each.to_user else "Anyone" for each in waiting}
    for key, row in [*rows.items(), ("All", result.total)]:
        facts: dict[str, Any] = {"open_questions": sum(
            key in ("All", each.to_user.username if each.to_user else "Anyone") for each in waiting
        )}  # fmt: skip
        for what, those in (("answer", answers), ("review", given)):
            took = [seconds for who, seconds in those if key in ("All", who or "Anyone")]
            facts |= {f"{what}s": len(took), f"{what}_n": len(took), f"{what}_max_seconds": max(took, default=None)}
            facts |= {
                f"{what}_{name}_seconds": pytest.approx(percentile(took, fraction), abs=0.001)
                for name, fraction in (("p50", 0.5), ("p85", 0.85))
            }
        assert only(row, facts) == facts, key
    lie = [since for task, since in count.ledger.in_review.items()
           if count.ledger.status[task] in [(key, "in_review") for key in count.keys]
           and Task.objects.filter(pk=task).exists()]  # fmt: skip
    for what, since in (("questions", [each.asked_at for each in waiting]), ("reviews", lie)):
        assert result.figures[f"{what}_waiting"] == len(since)
        assert result.figures[f"{what}_oldest_seconds"] == (_seconds(min(since), count.now) if since else None)


def check_assignment(result: Any, count: Recount) -> None:
    steps = [each for each in count.ledger.steps if each.project in count.keys and count.within(each.at)]
    rows = {key: row for (key,), row in rows_of(result).items()}
    for key, row in [*rows.items(), ("All", result.total)]:
        mine = [each for each in steps if key in ("All", each.agent) and each.step == "offered"]
        happened = [each.step for each in steps if key in ("All", each.agent)]
        margins = [each.margin for each in mine if each.margin is not None]
        assert only(row, facts := {
            "offers": len(mine),
            "margin_n": len(margins),
            "margin_p50": pytest.approx(percentile(margins, 0.5), abs=0.0001),
            "score_p50": pytest.approx(percentile([each.score for each in mine], 0.5), abs=0.0001),
            **{name: happened.count(name) for name in ("by_hand", "pulled", "lapsed", "declined")},
        }) == facts, key  # fmt: skip
    assert {each.agent for each in steps} == {key for key in rows if key is not None}
    stand = [
        each for each in Assignment.objects.filter(ended_at=None, task__status="not_started").select_related("task")
        if each.accept_by and count.is_of(each.task.project_id)
    ]  # fmt: skip
    assert result.figures["offers_open"] == len(stand)
    nobody = [
        each for each in AssignmentDecision.objects.filter(agent=None, ended_at=None).select_related("task")
        if each.score is None and count.is_of(each.task.project_id)
    ]  # fmt: skip
    assert result.figures["nobody_found"] == len(nobody)


def check_top_blockers(result: Any, count: Recount) -> None:
    tasks = {task.pk: task for task in Task.objects.select_related("project")}
    edges = [
        (each.task_id, each.depends_on_id, each.created_at) for each in Dependency.objects.all()
        if tasks[each.depends_on_id].status != "completed"
    ] + [
        (task.parent_id, task.pk, task.created_at) for task in tasks.values()
        if task.parent_id and task.status not in ("completed", "cancelled")
    ]  # fmt: skip
    edges = [
        (task, blocker, at) for task, blocker, at in edges
        if tasks[task].status == "not_started" and count.is_of(tasks[task].project_id)
    ]  # fmt: skip
    began = {each.task_id: each.began_at for each in StatusInterval.objects.filter(ended_at=None, reason="dependency")}

    def held(blockers: set[int]) -> set[int]:
        more = {task for task, blocker, _ in edges if blocker in blockers}
        return more if more <= blockers else more | held(blockers | more)

    assert {row["task"] for row in result.rows} == {tasks[blocker].ref for _, blocker, _ in edges}
    for row in result.rows:
        blocker = next(task for task in tasks.values() if task.ref == row["task"])
        direct = [(task, at) for task, other, at in edges if other == blocker.pk]
        since = min(max(began.get(task, at), at) for task, at in direct)
        assert only(row, facts := {
            "direct": len({task for task, _ in direct}),
            "in_all": len(held({blocker.pk})),
            "status": blocker.status,
            "since": since,
            "held_seconds": pytest.approx(_seconds(since, count.now), abs=0.001),
        }) == facts  # fmt: skip
    assert result.total["direct"] == result.total["in_all"] == len({task for task, _, _ in edges})


def _seconds(since: Any, until: Any) -> float:
    return (until - since).total_seconds()


CHECKS = {
    "workload": check_workload,
    "utilisation": check_utilisation,
    "due_performance": check_due_performance,
    "reliability": check_reliability,
    "failures": check_failures,
    "quality": check_quality,
    "cost": check_cost,
    "cost_by_version": check_cost_by_version,
    "cost_by_project": check_cost_by_project,
    "cost_by_label": check_cost_by_label,
    "people_load": check_people_load,
    "assignment": check_assignment,
    "top_blockers": check_top_blockers,
}


def walked(cast: Any, monkeypatch: Any, chance: Random, many: int) -> PeopleWalk:
    walk = PeopleWalk(cast, monkeypatch)
    walk.take(steps_of(chance, many))
    return walk


def periods_of(walk: PeopleWalk, chance: Random) -> list[tuple[int, int]]:
    """The start in minutes, and how many: the whole walk and beyond, and a part that begins on the very minute on which
    a run ended, and ends within another that failed or on which one ended.
    """
    whole = int((walk.now - START).total_seconds() // 60)
    ended = [run for run in walk.ledger.runs.values() if run.ended is not None]
    failed = [run for run in ended if run.outcome == "failed" and run.ended - run.began > timedelta(minutes=1)]
    moments = sorted(int((run.ended - START).total_seconds() // 60) for run in ended)
    within = [int((run.ended - START).total_seconds() // 60) - 1 for run in failed]
    start = chance.choice(moments[: len(moments) // 2])
    end = chance.choice([moment for moment in [*within, *moments[-2:]] if moment > start])
    return [(-60, whole + 120), (start, end - start)]


@WALKS
def test_figures_about_agents_are_those_of_a_recount(cast, monkeypatch, seed):
    chance = Random(seed)
    walk = walked(cast, monkeypatch, chance, 60)
    for minutes in periods_of(walk, chance):
        for keys in ({"OPS"}, {"OPS", "OTHER"}):
            start = START + timedelta(minutes=minutes[0])
            count = Recount(walk.ledger, keys, start, start + timedelta(minutes=minutes[1]), walk.now)
            for slug, check in CHECKS.items():
                check(asked(walk, slug, minutes, keys), count)


def past(result: Any) -> Any:
    """What a result says of the past."""
    rows = [{name: value for name, value in row.items() if name not in OF_NOW} for row in [*result.rows, result.total]]
    figures = {
        name: value for name, value in result.figures.items() if not any(word in name for word in FIGURES_OF_NOW)
    }
    return [row for row in rows if any(isinstance(value, int) and value for value in row.values())], figures


def defined(walk: PeopleWalk, minutes: tuple[int, int], keys: set[str]) -> dict[Any, Any]:
    """What definitions count that have ended in a period: by every dimension, and with a condition on labels."""
    start = START + timedelta(minutes=minutes[0])
    period = Period(start, start + timedelta(minutes=minutes[1]), BucketSize.DAY, ZoneInfo("UTC"))
    scope = Scope(tuple(project.pk for project in (walk.cast.ops, walk.cast.other) if project.key in keys))
    figures: dict[Any, Any] = {}
    for name, moments in ENDS.items():
        fact = FACTS[name]
        measures = [{"aggregate": "count"}, *({"name": each.name, "aggregate": "mean"} for each in fact.measures[:2])]
        for moment in moments:
            asked = {"version": 1, "facts": name, "measures": measures, "time": {"on": moment}, "tz": "UTC"}
            for dimension in fact.dimensions:
                document = asked | {"by": [dimension.name]}
                result = running.measure(read(document), scope, period, now=walk.now)
                figures[name, moment, dimension.name] = (result.rows, result.total)
            if "label" in CONDITIONS[name]:
                document = asked | {
                    "where": {"any": [{"field": "label", "in": ["b"]}, {"field": "label", "is_set": False}]}
                }
                result = running.measure(read(document), scope, period, now=walk.now)
                figures[name, moment] = result.total
    return figures


@WALKS
def test_figures_of_a_past_period_never_change(cast, monkeypatch, seed):
    chance = Random(seed)
    walk = walked(cast, monkeypatch, chance, 20)
    (_, minutes), keys = periods_of(walk, chance), {"OPS"}
    first = {slug: past(asked(walk, slug, minutes, keys)) for slug in PROMISED}
    of_definitions = defined(walk, minutes, keys)
    walk.take(steps_of(chance, 40, imports=False, stories=False))
    for task in Task.objects.all():
        walk.relabel(task, None)
    for task in Task.objects.exclude(status="in_progress"):
        delete_task(actor=cast.root, task=task)
    for slug in PROMISED:
        assert past(asked(walk, slug, minutes, keys)) == first[slug], slug
    now = defined(walk, minutes, keys)
    for which, figures in of_definitions.items():
        assert now[which] == figures, which
    assert {name for (name, *_), figures in of_definitions.items() if figures} == ENDS.keys()
