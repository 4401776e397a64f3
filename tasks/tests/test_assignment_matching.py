"""The matching itself, without a database: it is exact, obeys every constraint, and its records explain it."""

import itertools
import random
from dataclasses import replace

import pytest

from tasks.matching.facts import AgentFacts, Evidence, Snapshot, TaskFacts, excluded_by
from tasks.matching.matching import QUANTUM, choice, margin, match, quantised
from tasks.matching.policies import named, names
from tasks.matching.records import record_of
from tasks.matching.words import sentences, why_nobody
from tasks.tests.sizes import MATCHING_TICKS, MATCHINGS

VALUE = named("value")


def some_agent(rng, number, skills):
    return AgentFacts(
        id=number + 1,
        slug=f"agent{number}",
        capacity=rng.randint(1, 3),
        active_runs=rng.randint(0, 2),
        projects=frozenset({1} if rng.random() < 0.9 else {2}),
        barred=rng.choice(["", "", "", "", "paused"]),
        skills={skill: rng.randint(1, 5) for skill in rng.sample(range(skills), 2)},
        evidence={
            skill: Evidence(rng.random() * 9, rng.random() * 4, rng.random() * 9, 5.0)
            for skill in [*range(skills), None]
        },
        idle_since=float(rng.randint(0, 3)),
    )


def some_task(rng, number, agents, skills, *, starving=False):
    return TaskFacts(
        id=number + 1,
        ref=f"OPS-{number + 1}",
        project=1,
        priority=rng.randint(1, 4),
        waiting_since=-1e9 if starving and rng.random() < 0.2 else -rng.random() * 30_000,
        hours=rng.choice([0.1, 0.5, 1.0, 4.0]),
        patience_hours=rng.choice([2.0, 8.0]),
        due_at=rng.choice([None, rng.random() * 40_000]),
        needs=tuple(sorted((skill, rng.randint(1, 4)) for skill in rng.sample(range(skills), rng.randint(0, 2)))),
        needs_review=rng.random() < 0.2,
        barred={rng.randint(1, agents): "failed_before"} if rng.random() < 0.3 else {},
        continuity={rng.randint(1, agents): 0.25} if rng.random() < 0.3 else {},
    )


def snapshot_of(rng, *, tasks=5, agents=4, skills=4, starving=False):
    return Snapshot(
        now=0.0,
        tasks=tuple(some_task(rng, n, agents, skills, starving=starving) for n in range(tasks)),
        agents=tuple(some_agent(rng, n, skills) for n in range(agents)),
        skill_names={n: f"skill{n}" for n in range(skills)},
    )


def small(seed, **kwargs):
    rng = random.Random(seed)
    return snapshot_of(rng, tasks=rng.randint(1, 5), agents=rng.randint(1, 4), **kwargs)


def worth(snapshot, task, agent, policy=VALUE):
    """The score of a pair in whole quanta, from the policy's parts alone; None if it is not eligible."""
    facts, other = snapshot.tasks[task], snapshot.agents[agent]
    if excluded_by(facts, other):
        return None
    bonus = 1.0 + facts.continuity.get(other.id, 0.0)
    return quantised(policy.weight(facts, snapshot.now).value * policy.fit(facts, other).value * bonus)


def best_by_trying_all(snapshot, policy=VALUE):
    """The highest total of any assignment."""
    options = []
    for task in range(len(snapshot.tasks)):
        scores = [(agent, worth(snapshot, task, agent, policy)) for agent in range(len(snapshot.agents))]
        options.append([(None, 0), *((agent, score) for agent, score in scores if score)])
    best = 0
    for pairs in itertools.product(*options):
        used = [agent for agent, _ in pairs if agent is not None]
        if all(used.count(agent) <= snapshot.agents[agent].free for agent in set(used)):
            best = max(best, sum(score for _, score in pairs))
    return best


def total_of(matching):
    return sum(worth(matching.snapshot, t, a, matching.policy) for t, a in matching.agent_of.items())


def test_match_on_random_small_instances_equals_brute_force():
    for seed in range(MATCHINGS):
        snapshot = small(seed)
        policy = named(names()[seed % len(names())])
        assert total_of(match(snapshot, policy)) == best_by_trying_all(snapshot, policy), seed


def test_match_over_random_ticks_breaks_no_hard_constraint():
    for seed in range(MATCHING_TICKS):
        snapshot = snapshot_of(random.Random(seed), tasks=12, agents=8, starving=True)
        matching = match(snapshot, VALUE)
        for task, agent in matching.agent_of.items():
            assert excluded_by(snapshot.tasks[task], snapshot.agents[agent]) == []
        for agent, facts in enumerate(snapshot.agents):
            assert list(matching.agent_of.values()).count(agent) <= facts.free


def test_match_with_a_higher_priority_never_leaves_the_task_waiting_instead():
    for seed in range(MATCHINGS):
        snapshot = small(seed)
        before = match(snapshot, VALUE)
        for task in before.agent_of:
            facts = snapshot.tasks[task]
            if facts.priority == 4:
                continue
            raised = replace(facts, priority=facts.priority + 1)
            tasks = (*snapshot.tasks[:task], raised, *snapshot.tasks[task + 1 :])
            assert task in match(replace(snapshot, tasks=tasks), VALUE).agent_of, seed


def test_match_with_one_more_agent_never_scores_less():
    for seed in range(MATCHINGS):
        snapshot = small(seed)
        more = replace(snapshot, agents=(*snapshot.agents, some_agent(random.Random(-seed - 1), 50, 4)))
        for name in names():
            assert total_of(match(more, named(name))) >= total_of(match(snapshot, named(name))), (seed, name)


def test_match_of_the_same_snapshot_gives_the_same_answer():
    for seed in range(50):
        snapshot = snapshot_of(random.Random(seed), tasks=20, agents=8)
        assert match(snapshot, VALUE).agent_of == match(snapshot, VALUE).agent_of


def test_choice_from_the_record_alone_is_what_was_matched():
    for seed in range(MATCHINGS):
        snapshot = small(seed, starving=True)
        matching = match(snapshot, named(names()[seed % len(names())]))
        for task in range(len(snapshot.tasks)):
            record = record_of(matching, task)
            assert choice(record.rows) == record.slug, seed


def test_record_of_a_waiting_task_names_a_constraint_for_each_agent():
    explained = 0
    for seed in range(MATCHINGS):
        snapshot = small(seed)
        matching = match(snapshot, VALUE)
        for task in range(len(snapshot.tasks)):
            record = record_of(matching, task)
            if record.slug is not None:
                continue
            for row in record.rows:
                assert row["excluded_by"] or row["left"] == 0
            assert len(sentences(record.rows, record.others)) == len(record.rows)
            assert why_nobody(record.rows, record.others)
            explained += 1
    assert explained > 10


def agent(number, **kwargs):
    return AgentFacts(id=number, slug=f"a{number}", **{"projects": frozenset({1}), "capacity": 1, **kwargs})


def task(number, **kwargs):
    given = {"priority": 2, "waiting_since": 0.0, "hours": 1.0, "patience_hours": 8.0, **kwargs}
    return TaskFacts(id=number, ref=f"OPS-{number}", project=1, **given)


def slugs(matching):
    snapshot = matching.snapshot
    return {snapshot.tasks[t].ref: snapshot.agents[a].slug for t, a in matching.agent_of.items()}


def test_match_over_random_ticks_keeps_within_headroom_and_gives_it_to_what_matters_most():
    narrowed = 0
    for seed in range(MATCHING_TICKS):
        rng = random.Random(seed)
        free = snapshot_of(rng, tasks=12, agents=8, starving=True)
        headroom = rng.randint(0, 4)
        before, after = match(free, VALUE), match(replace(free, headroom={1: headroom}), VALUE)
        assert len(after.agent_of) == min(headroom, len(before.agent_of)), seed

        def rank(number, tasks=free.tasks):
            starves = tasks[number].is_starving(0.0)
            return (starves, VALUE.weight(tasks[number], 0.0).value)

        dropped = before.agent_of.keys() - after.agent_of.keys()
        if dropped and after.agent_of:
            assert max(map(rank, dropped)) <= min(map(rank, after.agent_of)), seed
            narrowed += 1
        for number, facts in enumerate(after.snapshot.tasks):
            assert facts.at_limit == (len(after.agent_of) == headroom and number not in after.agent_of)
            record = record_of(after, number)
            if facts.at_limit:
                rows, others = [row["excluded_by"] for row in record.rows], record.others
                assert all("at_limit" in codes for codes in rows), seed
                assert all("at_limit" in codes.split("+") for codes in others), seed
            elif record.slug is not None:
                assert choice(record.rows) == record.slug, seed
    assert narrowed > 10


def test_match_at_a_limit_gives_the_slots_it_leaves_free_to_other_projects():
    limited = [replace(task(n, priority=4), project=2) for n in (1, 2, 3)]
    both = agent(1, capacity=2, projects=frozenset({1, 2}))
    matching = match(Snapshot(0.0, (*limited, task(4, priority=1)), (both,), headroom={2: 1}), VALUE)
    assert slugs(matching) == {"OPS-1": "a1", "OPS-4": "a1"}
    assert "at_limit" in record_of(matching, 1).rows[0]["excluded_by"]


def test_match_between_equals_takes_lower_load_then_longest_idle_then_lower_id():
    loaded, busy_lately, idle, same = (
        agent(1, capacity=2, active_runs=1),
        agent(2, capacity=2, idle_since=9.0),
        agent(3, capacity=2, idle_since=1.0),
        agent(4, capacity=2, idle_since=1.0),
    )
    rest = [loaded, busy_lately, idle, same]
    for expected in ("a3", "a4", "a2", "a1"):
        assert slugs(match(Snapshot(0.0, (task(1),), tuple(rest)), VALUE)) == {"OPS-1": expected}
        rest = [other for other in rest if other.slug != expected]


def test_match_spreads_equal_tasks_over_the_slots():
    pair = (agent(1, capacity=3), agent(2, capacity=3))
    agents = slugs(match(Snapshot(0.0, tuple(task(n) for n in range(4)), pair), VALUE))
    assert sorted(agents.values()) == ["a1", "a1", "a2", "a2"]


def test_match_serves_a_starving_task_before_any_urgent_one():
    old = task(1, priority=1, waiting_since=-81 * 3600.0, patience_hours=16.0)
    urgent = [task(n, priority=4, patience_hours=2.0, due_at=3700.0, hours=0.1) for n in range(2, 30)]
    assert slugs(match(Snapshot(0.0, (*urgent, old), (agent(1),)), VALUE)) == {"OPS-1": "a1"}


def test_no_task_starves_under_constant_urgent_load():
    """One slot, and a new urgent task for each hour that it works: the low one waits no longer than its limit."""
    low = task(1, priority=1, waiting_since=0.0, patience_hours=4.0, hours=8.0)
    for hour in range(60):
        now = hour * 3600.0
        urgent = task(100 + hour, priority=4, waiting_since=now, patience_hours=0.5, due_at=now + 3700)
        matched = slugs(match(Snapshot(now, (low, urgent), (agent(1),)), VALUE))
        if "OPS-1" in matched:
            assert hour == 21, "the first tick past five times its allowed age"
            return
    raise AssertionError("it starved")


def test_match_prefers_the_project_with_the_larger_share():
    small, other = task(1, share=1.0), task(2, share=2.0)
    assert slugs(match(Snapshot(0.0, (small, other), (agent(1),)), VALUE)) == {"OPS-2": "a1"}


def test_value_prefers_agents_accepted_more_often_and_working_faster():
    good = agent(1, evidence={None: Evidence(accepted=20, pace=20, paced=20)}, idle_since=9.0)
    poor = agent(2, evidence={None: Evidence(rejected=20, pace=20, paced=20)})
    slow = agent(3, evidence={None: Evidence(accepted=20, pace=60, paced=20)})
    matching = match(Snapshot(0.0, (task(1),), (good, poor, slow)), VALUE)
    assert slugs(matching) == {"OPS-1": "a1"}
    rows = matching.rows(0)
    assert [row["agent"] for row in rows] == ["a1", "a3", "a2"]
    assert margin(rows, "a1") == pytest.approx(rows[0]["score"] - rows[1]["score"], abs=QUANTUM)


def test_best_skill_prefers_the_highest_level_and_round_robin_the_longest_waiting():
    pair = (
        agent(1, skills={7: 5}, active_runs=1, capacity=2, last_offered=9.0),
        agent(2, skills={7: 3}, last_offered=5.0),
    )
    snapshot = Snapshot(0.0, (task(1, needs=((7, 2),)),), pair)
    assert slugs(match(snapshot, named("best_skill"))) == {"OPS-1": "a1"}
    assert slugs(match(snapshot, named("round_robin"))) == {"OPS-1": "a2"}
    assert slugs(match(snapshot, named("least_loaded"))) == {"OPS-1": "a2"}


def test_in_turn_policies_take_priority_then_age():
    young, old, high = task(1, waiting_since=-60.0), task(2, waiting_since=-7200.0), task(3, priority=3)
    pair = (agent(1, capacity=2),)
    assert set(slugs(match(Snapshot(0.0, (young, old, high), pair), named("least_loaded")))) == {"OPS-2", "OPS-3"}


def test_words_say_figures_of_the_chosen_and_what_others_lack():
    able = agent(1, skills={1: 4, 2: 3}, capacity=2, active_runs=1)
    lacking = agent(2, skills={1: 4, 2: 1})
    matching = match(
        Snapshot(0.0, (task(1, needs=((1, 3), (2, 2))),), (able, lacking), {1: "python", 2: "security"}), VALUE
    )
    record = record_of(matching, 0)
    chosen, other = sentences(record.rows, record.others)
    assert chosen.startswith(
        "a1: python 4 of 3 needed, security 3 of 2 needed, 1 of 2 busy, 66 % accepted, about 1.0 h"
    )
    assert other == "a2: not offered, lacks security 2 (has 1)"


def test_record_in_a_big_team_is_bounded_and_still_repeats_the_choice():
    crowd = tuple(agent(n, barred="paused" if n % 2 else "") for n in range(1, 1001))
    matching = match(Snapshot(0.0, tuple(task(n) for n in range(1, 40)), crowd), VALUE)
    for number in range(39):
        record = record_of(matching, number)
        assert len(record.rows) <= 26
        assert choice(record.rows) == record.slug
        assert sum(record.others.values()) + len(record.rows) == 1000
