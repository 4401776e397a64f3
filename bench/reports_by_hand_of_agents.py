"""What somebody would write in SQL for the numbers of the predefined reports about agents, see ``reports_by_hand``."""

from collections.abc import Callable

from bench.reports_by_hand import Numbers, Yardstick, between, greatest, least, moment


def _workload(self: Yardstick) -> Numbers:
    worked = between(
        greatest("began_at", moment(self.start)),
        least("coalesce(ended_at, " + moment(self.now) + ")", moment(self.now)),
    )
    projects = f"project_id IN ({self.projects})"
    numbers: Numbers = {}
    done = self.ask(f"SELECT agent_id, COUNT(*) FROM tasks_episode WHERE {self.completed} GROUP BY 1")
    numbers |= {("completed", agent): n for agent, n in done}
    for agent, runs, seconds, failed, expired in self.ask(
        f"""SELECT agent_id, COUNT(*), SUM({worked}), COUNT(CASE WHEN outcome = 'failed' THEN 1 END),
              COUNT(CASE WHEN outcome = 'expired' THEN 1 END)
            FROM tasks_statusinterval WHERE {projects} AND status = 'in_progress' AND run_number IS NOT NULL
              AND began_at < '{self.now}' AND (ended_at IS NULL OR ended_at > '{self.start}') GROUP BY 1"""
    ):
        numbers |= {("runs", agent): runs, ("worked", agent): seconds}
        numbers |= {("failed", agent): failed, ("expired", agent): expired}
    active = self.ask("SELECT agent_id, COUNT(*) FROM tasks_run WHERE ended_at IS NULL GROUP BY 1")
    numbers |= {("active", agent): n for agent, n in active}
    waiting = self.ask(
        "SELECT a.agent_id, COUNT(*) FROM tasks_assignment a JOIN tasks_task k ON k.id = a.task_id"
        f" WHERE k.{projects} AND a.ended_at IS NULL AND k.status = 'not_started' GROUP BY 1"
    )
    numbers |= {("open", agent): n for agent, n in waiting}
    ((unassigned,),) = self.ask(
        f"SELECT COUNT(*) FROM tasks_task k WHERE k.{projects} AND k.status = 'not_started'"
        " AND NOT EXISTS (SELECT 1 FROM tasks_assignment a WHERE a.task_id = k.id AND a.ended_at IS NULL)"
    )
    return numbers | {("open", None): unassigned}


def _reliability(self: Yardstick) -> Numbers:
    outcomes = ("completed", "failed", "expired")
    counts = ", ".join(f"COUNT(CASE WHEN outcome = '{name}' THEN 1 END)" for name in outcomes)
    numbers: Numbers = {}
    for agent, version, *values in self.ask(
        f"SELECT agent_id, version, COUNT(*), {counts} FROM tasks_statusinterval WHERE {self.runs} GROUP BY 1, 2"
    ):
        numbers |= {(name, agent, version): n for name, n in zip(("runs", *outcomes), values, strict=True)}
    self.ask(
        f"SELECT agent_id, COUNT(*) FROM tasks_event WHERE {self.within('at')} AND kind = 'task.stalled' GROUP BY 1"
    )
    return numbers


def _failures(self: Yardstick) -> Numbers:
    distinct = "COUNT(*), COUNT(DISTINCT task_id), COUNT(DISTINCT agent_id)"
    failed = f"FROM tasks_statusinterval WHERE {self.runs} AND outcome = 'failed'"
    numbers: Numbers = {}
    for code, *values in self.ask(f"SELECT code, {distinct} {failed} GROUP BY 1"):
        numbers |= {(name, code): n for name, n in zip(("runs", "tasks", "agents"), values, strict=True)}
    (whole,) = self.ask(f"SELECT {distinct} {failed}")
    return numbers | {(name, None): n for name, n in zip(("runs", "tasks", "agents"), whole, strict=True)}


def _quality(self: Yardstick) -> Numbers:
    """Nothing is reopened here."""
    numbers: Numbers = {}
    for agent, version, *values in self.ask(
        "SELECT agent_id, version, COUNT(*), COUNT(CASE WHEN changes_requested = 0 AND failed_runs = 0 THEN 1 END),"
        f" SUM(changes_requested) FROM tasks_episode WHERE {self.completed} AND NOT is_imported GROUP BY 1, 2"
    ):
        names = ("completed", "first_try", "changes_requested")
        numbers |= {(name, agent, version): n for name, n in zip(names, values, strict=True)}
    self.ask(
        f"SELECT agent_id, COUNT(*) FROM tasks_episode WHERE {self.within('entered_at')} AND is_reopened GROUP BY 1"
    )
    return numbers


def _cost_by(*columns: str) -> Callable[[Yardstick], Numbers]:
    """What runs used and what each accepted task cost, by ``columns``, of which there are one or two."""
    by = " || ' ' || ".join(f"CAST({column} AS TEXT)" for column in columns)

    def cost(self: Yardstick) -> Numbers:
        numbers: Numbers = {}
        for key, *values in self.ask(
            f"SELECT {by}, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cost)"
            f" FROM tasks_statusinterval WHERE {self.runs} GROUP BY 1"
        ):
            numbers |= {(name, key): n for name, n in zip(("runs", "input", "output", "cost"), values, strict=True)}
        accepted = (
            f"SELECT {by} AS key, cost, input_tokens + output_tokens AS tokens FROM tasks_episode"
            f" WHERE {self.completed} AND NOT is_imported"
        )
        numbers |= self.spread(accepted, ["cost"], "key", ["p85"])
        tokens = self.ask(f"SELECT key, AVG(tokens) FROM ({accepted}) AS a GROUP BY 1")
        return numbers | {("tokens", key): mean for key, mean in tokens}

    return cost


OF_AGENTS: dict[str, Callable[[Yardstick], Numbers]] = {
    "workload": _workload,
    "reliability": _reliability,
    "failures": _failures,
    "quality": _quality,
    "cost": _cost_by("agent_id"),
    "cost_by_version": _cost_by("agent_id", "version"),
    "cost_by_project": _cost_by("project_id"),
}
