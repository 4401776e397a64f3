"""The catalogue of events: each kind once, with its data, its words, and who listens.

A verb names a kind by its constant; ``event`` refuses what is not declared here. The stream's filter, the timeline,
notifications, matching, waiting agents and the OpenAPI description are made from it.
"""

from typing import Final

from tasks.errors import unknown_name
from tasks.events.declaration import Data, Kind, UndeclaredEvent
from tasks.events.kinds import asking, life_cycle, own, talking, team, waiting, webhooks, working
from tasks.events.kinds.asking import *  # noqa: F403
from tasks.events.kinds.life_cycle import *  # noqa: F403 - kinds.TASK_CREATED is how a kind is named
from tasks.events.kinds.own import *  # noqa: F403
from tasks.events.kinds.talking import *  # noqa: F403
from tasks.events.kinds.team import *  # noqa: F403
from tasks.events.kinds.waiting import *  # noqa: F403
from tasks.events.kinds.webhooks import *  # noqa: F403
from tasks.events.kinds.working import *  # noqa: F403

#: Every kind by its name, in the order of the rooms and of their lines.
CATALOGUE: Final[dict[str, Kind]] = {
    kind: kind
    for room in (life_cycle, working, asking, waiting, talking, team, own, webhooks)
    for kind in vars(room).values()
    if isinstance(kind, Kind)
}


def kind_named(name: str) -> Kind:
    """The declaration of the kind ``name``. Raises ``UndeclaredEvent`` with the nearest declared name."""
    kind = CATALOGUE.get(name)
    if kind is None:
        raise UndeclaredEvent(unknown_name(name, CATALOGUE, what="kind of events"))
    return kind


#: The kinds that waiting agents, matching, and notifications listen to; see ``Kind``.
BRINGING_WORK: Final = frozenset(kind for kind in CATALOGUE.values() if kind.declared.brings_work)
WAKING_MATCHING: Final = frozenset(kind for kind in CATALOGUE.values() if kind.declared.wakes_matching)
NOTIFYING: Final = frozenset(kind for kind in CATALOGUE.values() if kind.declared.notifies)
#: After these somebody may see other projects than before.
OF_MEMBERS: Final = frozenset({team.MEMBER_ADDED, team.MEMBER_JOINED, team.MEMBER_ROLE_CHANGED, team.MEMBER_REMOVED})


def may_bring_work(kind: str, data: Data) -> bool:
    """Whether an agent that found nothing to claim may find something after an event of this kind with this data."""
    return kind in BRINGING_WORK and CATALOGUE[kind].may_bring_work(data)


def may_wake_matching(kind: str, data: Data) -> bool:
    """Whether a matching after an event of this kind with this data may have a different outcome."""
    return kind in WAKING_MATCHING and CATALOGUE[kind].may_wake_matching(data)
