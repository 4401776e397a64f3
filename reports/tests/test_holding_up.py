"""Which tasks hold up the most, against a walk from each of them."""

from hypothesis import given
from hypothesis import strategies as st

from reports.holding_up import Hold, top

#: A task waits for tasks with smaller numbers only, so there are no cycles.
graphs = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, 11)).filter(lambda edge: edge[0] > edge[1]), max_size=40, unique=True
)


@given(graphs, st.integers(1, 15))
def test_top_are_those_that_hold_up_the_most_by_a_walk_from_each(edges, most):
    def reached(blocker):
        direct = {task for task, on in edges if on == blocker}
        return direct.union(*(reached(task) for task in direct))

    holds = []
    for blocker in {on for _, on in edges}:
        direct = {task for task, on in edges if on == blocker}
        holds.append(Hold(blocker, len(direct), len(reached(blocker))))
    holds.sort(key=lambda hold: (-hold.in_all, -hold.directly, hold.blocker))
    assert top(edges, most) == holds[:most]


def test_top_counts_a_task_that_waits_twice_over_once():
    # 4 waits for 2 and 3, which both wait for 1.
    assert top([(2, 1), (3, 1), (4, 2), (4, 3)], 2) == [Hold(1, 2, 3), Hold(2, 1, 1)]
