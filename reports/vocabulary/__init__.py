"""The one registry of what reports can count: each fact with its moments, measures and dimensions.

Definitions, the builder, the API and the documents read it; nothing else decides what can be asked.
"""

from reports.vocabulary.declaration import AGGREGATES, NEEDED, Dimension, Fact, Measure, Moment
from reports.vocabulary.episodes import EPISODES

__all__ = ["AGGREGATES", "FACTS", "NEEDED", "Dimension", "Fact", "Measure", "Moment"]

FACTS: dict[str, Fact] = {fact.name: fact for fact in (EPISODES,)}
