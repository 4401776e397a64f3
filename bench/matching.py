"""Matching next to the optimum and a time limit; policies under overload; the time until a new task is offered."""

import random
import time
from statistics import median

from bench.cluster import drop_database, fresh_database
from bench.processes import run_module
from bench.table import Figure
from tasks.matching.facts import AgentFacts, Evidence, Snapshot, TaskFacts, excluded_by
from tasks.matching.matching import match, quantised
from tasks.matching.policies import named
from tasks.matching.simulation import simulate, synthetic

LIMIT_SECONDS = 2.0
OFFER_SECONDS = 1.0


def crowd(tasks: int, agents: int, *, skills: int = 30, kinds: int = 300, seed: int = 1) -> Snapshot:
    """Agents with three of thirty skills, and tasks of some hundred kinds, each feasible for about a hundred agents."""
    dice = random.Random(seed)
    team = tuple(
        AgentFacts(
            id=number,
            slug=f"agent-{number}",
            capacity=dice.randint(2, 6),
            active_runs=dice.randint(0, 2),
            projects=frozenset({1}),
            skills={skill: dice.randint(2, 5) for skill in dice.sample(range(skills), 3)},
            evidence={
                skill: Evidence(dice.random() * 20, dice.random() * 5, dice.random() * 20, 10.0)
                for skill in [*range(skills), None]
            },
            idle_since=dice.random() * 1000,
        )
        for number in range(1, agents + 1)
    )
    needs = [((dice.randrange(skills), dice.randint(1, 3)),) for _ in range(kinds)]
    work = tuple(
        TaskFacts(
            id=number,
            ref=f"OPS-{number}",
            project=1,
            priority=dice.choices((1, 2, 3, 4), (2, 5, 2, 1))[0],
            waiting_since=-dice.random() * 36_000,
            hours=dice.lognormvariate(0, 1),
            patience_hours=8.0,
            due_at=dice.choice([None, dice.random() * 90_000]),
            needs=dice.choice(needs),
            continuity={dice.randint(1, agents): 0.25} if dice.random() < 0.05 else {},
            barred={dice.randint(1, agents): "failed_before"} if dice.random() < 0.05 else {},
        )
        for number in range(1, tasks + 1)
    )
    return Snapshot(0.0, work, team)


def optimum(snapshot: Snapshot) -> int:
    """The best total in whole quanta: every pair goes to the solver, with no pruning and no tie-breaking."""
    import numpy as np
    from ortools.graph.python import min_cost_flow

    policy = named("value")
    weights = [policy.weight(task, snapshot.now).value for task in snapshot.tasks]
    sources, targets, costs = [], [], []
    for place, task in enumerate(snapshot.tasks):
        for number, agent in enumerate(snapshot.agents):
            if all(agent.skills.get(skill, 0) >= level for skill, level in task.needs) and not excluded_by(task, agent):
                bonus = 1.0 + task.continuity.get(agent.id, 0.0)
                sources.append(place)
                targets.append(number)
                costs.append(-quantised(weights[place] * policy.fit(task, agent).value * bonus))
    tasks, agents = len(snapshot.tasks), len(snapshot.agents)
    sink = tasks + agents
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(
        np.array(sources), tasks + np.array(targets), np.ones(len(sources), dtype=np.int64), np.array(costs)
    )
    flow.add_arcs_with_capacity_and_unit_cost(
        np.arange(tasks), np.full(tasks, sink), np.ones(tasks, dtype=np.int64), np.zeros(tasks, dtype=np.int64)
    )
    flow.add_arcs_with_capacity_and_unit_cost(
        tasks + np.arange(agents),
        np.full(agents, sink),
        np.array([agent.free for agent in snapshot.agents], dtype=np.int64),
        np.zeros(agents, dtype=np.int64),
    )
    flow.set_nodes_supplies(np.arange(sink + 1), np.array([1] * tasks + [0] * agents + [-tasks]))
    if flow.solve() != flow.OPTIMAL:
        raise RuntimeError("the yardstick could not be solved")
    print(f"{len(sources):,} pairs, {len(sources) / tasks:.0f} per task", flush=True)
    return -flow.optimal_cost()


def matching(*, tasks: int, agents: int, rounds: int) -> list[Figure]:
    """A complete matching, from the facts to who gets what, next to the optimum and the limit."""
    snapshot, policy = crowd(tasks, agents), named("value")
    best = optimum(snapshot)
    taken, cpu = [], []
    for _ in range(rounds):
        began, begun = time.perf_counter(), time.process_time()
        matched = match(snapshot, policy)
        taken.append(time.perf_counter() - began)
        cpu.append(time.process_time() - begun)
    ours = sum(
        quantised(
            policy.weight(snapshot.tasks[task], 0.0).value
            * policy.fit(snapshot.tasks[task], snapshot.agents[agent]).value
            * (1.0 + snapshot.tasks[task].continuity.get(snapshot.agents[agent].id, 0.0))
        )
        for task, agent in matched.agent_of.items()
    )
    size = f"{tasks:,} tasks × {agents:,} agents"
    return [
        Figure(f"total score, {size}", ours / 1e6, best / 1e6, "the optimum", "points", 0.999, "higher"),
        Figure(f"matching {size}", median(taken), LIMIT_SECONDS, "the limit", "s", 1.0, "lower"),
        Figure(f"matching {size}, CPU time", median(cpu), LIMIT_SECONDS, "the limit", "s", 1.0, "lower"),
    ]


def overload(*, seeds: int, tasks: int) -> list[Figure]:
    """Due dates missed by the default policy and by least_loaded, with twice the work that the team can do."""
    figures = []
    for hours in (24.0, 72.0):
        for seed in range(seeds):
            work = synthetic(seed=seed, tasks=round(tasks * hours / 24), load=2.0, hours=hours)
            shares = {
                name: 100 * simulate(work, named(name), seed=seed).overdue_share for name in ("value", "least_loaded")
            }
            figures.append(
                Figure(
                    work=f"overdue at load 2 for {hours:.0f} h, seed {seed}",
                    ours=shares["value"],
                    yardstick=shares["least_loaded"],
                    yardstick_name="least_loaded",
                    unit="%",
                    target=0.5 if hours == 24.0 else None,
                    better="lower",
                )
            )
    return figures


def offering(database_server: str, *, tasks: int, agents: int, times: int) -> list[Figure]:
    """From the commit of a new task to the commit of its offer, in a project with many tasks and agents."""
    url = fresh_database(database_server, "offers")
    try:
        arguments = ("--tasks", str(tasks), "--agents", str(agents), "--times", str(times))
        measured = run_module("bench.offer_probe", *arguments, database=url)
    finally:
        drop_database(database_server, url)
    size = f"{tasks:,} tasks, {agents:,} agents"
    return [
        Figure(f"new task offered, p50, {size}", measured["p50"], OFFER_SECONDS, "the limit", "s", None, "lower"),
        Figure(f"new task offered, p99, {size}", measured["p99"], OFFER_SECONDS, "the limit", "s", 1.0, "lower"),
    ]
