"""How much the heavy tests do: on each push enough to notice failures, with ``THOROUGH=1`` everything promised.

``make thorough`` runs everything at full size; it is run before a release.
"""

import os

THOROUGH = bool(os.environ.get("THOROUGH"))


def _size(push: int, thorough: int) -> int:
    return thorough if THOROUGH else push


#: Tasks that eight clients race for: in threads and processes, and over HTTP.
RACED_TASKS = _size(200, 2000)
RACED_TASKS_OVER_HTTP = _size(80, 2000)
#: How often each pair of verbs meets; how many verbs each of six clients tries, and how often that is repeated.
MEETINGS = _size(6, 20)
VERBS_AT_ONCE = _size(40, 120)
VERBS_AT_ONCE_SEEDS = _size(1, 10)
#: Walks of the state machine beside its model, and steps of each.
WALKS = _size(12, 1000)
WALK_STEPS = _size(40, 80)
#: Histories whose reports are counted again.
FLOW_WALKS = _size(6, 500)
#: Walks over the history of tasks, and steps of each.
HISTORY_WALKS = _size(4, 200)
HISTORY_STEPS = _size(120, 300)
#: Histories of agents whose reports are counted again.
PEOPLE_WALKS = _size(2, 300)
#: Definitions of reports, of each kind of facts, that are counted again.
RANDOM_DEFINITIONS = _size(25, 2000)
#: Examples that schemathesis makes up for each operation of the API.
FUZZ_EXAMPLES = _size(3, 40)
#: How often a server, a follower with effects and a sender of webhooks are killed.
SERVER_KILLS = _size(2, 20)
FOLLOWER_KILLS = _size(8, 100)
WEBHOOK_KILLS = _size(3, 100)
#: Live followers, how often each leaves, and the events that they must all have.
LIVE_FOLLOWERS = _size(16, 200)
LIVE_LEAVES = _size(5, 50)
LIVE_EVENTS = _size(300, 500)
#: Clients that never read, those beside them that do, and the events before and after the former come.
MUTE_CLIENTS = _size(5, 20)
READING_CLIENTS = _size(5, 100)
LARGE_EVENTS = _size(2000, 6000)
LARGE_EVENTS_A_SECOND = _size(1000, 100)
#: Assignments checked against all that are possible, and ticks that must break no rule.
MATCHINGS = _size(300, 10_000)
MATCHING_TICKS = _size(300, 100_000)
#: Items in each body that must be refused with a short answer.
HOSTILE_ITEMS = _size(1_000, 80_000)
#: Tasks of the largest import.
IMPORTED_TASKS = _size(2000, 10_000)
#: Agents that wait for work on one server process.
WAITING_AGENTS = _size(200, 1000)
#: How many verbs each of eight clients tries while readers follow, and how often that is repeated.
FOLDED_VERBS = _size(12, 60)
FOLDED_SEEDS = _size(1, 10)
#: For how long a server is watched under steady work, and how many tasks are there before.
SOAK_SECONDS = _size(30, 40 * 60)
SOAKED_TASKS = _size(300, 5_000)
#: How often PostgreSQL crashes beneath open streams.
CRASHES = _size(1, 10)
