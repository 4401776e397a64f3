"""Who of the agents on a page is there now."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import template

from messaging.conversation.here import SeenAgent, seen_agents
from tasks.models import Agent

register = template.Library()


@register.simple_tag
def with_seen(cards: Iterable[Any]) -> Sequence[tuple[Any, SeenAgent]]:
    """Each card with when its ``agent`` was last seen; one query for all."""
    cards = list(cards)
    seen = seen_agents(card.agent for card in cards)
    return [(card, seen[card.agent.pk]) for card in cards]


@register.simple_tag
def last_seen(agent: Agent) -> SeenAgent:
    """When ``agent`` was last seen."""
    return seen_agents([agent])[agent.pk]
