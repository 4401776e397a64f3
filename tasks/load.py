"""How much work agents have: the numbers that count against their capacity."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from taskproject.prepared.querysets import prepared
from tasks.models import Assignment, Run


@dataclass(frozen=True, slots=True)
class Load:
    """``open_assignments``: of tasks that have not been started."""

    active_runs: int = 0
    open_assignments: int = 0


# One statement for all agents: for each by itself, PostgreSQL looks up every task. Rows are counted, not ids, which are
# in no index of an agent.


@prepared
def _active_runs(agents: Any) -> QuerySet[Run, Any]:
    return Run.objects.active().filter(agent__id__any=agents).order_by().values_list("agent").annotate(n=Count("*"))


@prepared
def _open_assignments(agents: Any) -> QuerySet[Assignment, Any]:
    waiting = Assignment.objects.unstarted().filter(agent__id__any=agents)
    return waiting.order_by().values_list("agent").annotate(n=Count("*"))


def loads_of(agents: Collection[int]) -> dict[int, Load]:
    """The load of each of these agents (by id)."""
    runs, waiting = dict(_active_runs.all(agents=agents)), dict(_open_assignments.all(agents=agents))
    return {agent: Load(runs.get(agent, 0), waiting.get(agent, 0)) for agent in agents}
