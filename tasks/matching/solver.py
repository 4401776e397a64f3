"""Exact matching of tasks to free slots: min-cost flow with capacities, by OR-Tools.

Each task is a source of one unit that flows through an agent's slot or past all of them (the task waits); a unit costs
its negative score. Ahuja, Magnanti, Orlin, *Network Flows* (1993), chapter 12. Imports nothing from this project.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

#: The solver multiplies costs by the number of nodes and computes in 64 bits; two bits are kept free.
COST_BITS: Final = 61
NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class Solved:
    """``agents``: for each task the index of its agent, or ``NOBODY``. ``shift``: bits of the scores that were cut."""

    agents: list[int]
    shift: int = 0


def solve(
    task_count: int,
    slots: Sequence[int],
    tasks: "np.ndarray",
    agents: "np.ndarray",
    scores: "np.ndarray",
) -> Solved:
    """Match so that the sum of scores is maximal; ties go to the earliest slots and tasks.

    ``slots``: the agent's index for each free slot, the preferred slot first. ``tasks``, ``agents`` and ``scores``
    (integers > 0) are the eligible pairs, as arrays of equal length. The same input always gives the same answer.
    """
    import numpy as np
    from ortools.graph.python import min_cost_flow

    if not len(tasks) or not slots:
        return Solved([NOBODY] * task_count)
    agent_count = max(int(agents.max()), max(slots)) + 1
    sink, nodes = task_count + agent_count, task_count + agent_count + 1
    filled = min(task_count, len(slots))
    # One step of score outweighs everything that ties can add up to.
    step = filled * (task_count + len(slots)) + 1
    room = (1 << COST_BITS) // (nodes + 1) // step
    shift = max(0, (int(scores.max()) // max(1, room)).bit_length())
    coarse = np.maximum(scores >> shift, 1)

    flow = min_cost_flow.SimpleMinCostFlow()
    ones, zeros = (np.full(task_count, value, dtype=np.int64) for value in (1, 0))
    pairs = flow.add_arcs_with_capacity_and_unit_cost(
        tasks, task_count + agents, np.ones(len(tasks), dtype=np.int64), tasks - coarse * step
    )
    numbers = np.arange(task_count)
    flow.add_arcs_with_capacity_and_unit_cost(numbers, np.full(task_count, sink), ones, zeros)
    ranks = np.arange(len(slots), dtype=np.int64)
    flow.add_arcs_with_capacity_and_unit_cost(
        task_count + np.asarray(slots, dtype=np.int64), np.full(len(slots), sink), np.ones_like(ranks), ranks
    )
    flow.set_nodes_supplies(np.append(numbers, sink), np.append(ones, -task_count))
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise ArithmeticError(f"The matching could not be solved: {status}.")
    used = flow.flows(pairs) > 0
    chosen = np.full(task_count, NOBODY, dtype=np.int64)
    chosen[tasks[used]] = agents[used]
    return Solved(chosen.tolist(), shift)
