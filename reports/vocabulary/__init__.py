"""The one registry of what reports can count: each fact with its moments, measures, dimensions and conditions.

Definitions, the builder, the API and the documents read it; nothing else decides what can be asked.
"""

from reports.vocabulary.assignments import ASSIGNMENT_STEPS, ASSIGNMENTS
from reports.vocabulary.conditions import fields_of
from reports.vocabulary.declaration import AGGREGATES, NEEDED, Dimension, Fact, Measure, Moment
from reports.vocabulary.episodes import EPISODES
from reports.vocabulary.events import EVENTS
from reports.vocabulary.intervals import INTERVALS, RUNS
from reports.vocabulary.questions import QUESTIONS
from reports.vocabulary.reviews import REVIEWS
from reports.vocabulary.tasks import TASKS
from tasks.conditions import Field

__all__ = ["AGGREGATES", "CONDITIONS", "FACTS", "NEEDED", "Dimension", "Fact", "Measure", "Moment"]

FACTS: dict[str, Fact] = {
    fact.name: fact
    for fact in (EPISODES, RUNS, TASKS, INTERVALS, ASSIGNMENT_STEPS, ASSIGNMENTS, EVENTS, QUESTIONS, REVIEWS)
}
#: The fields of each fact that ``where`` can name.
CONDITIONS: dict[str, dict[str, Field]] = {name: fields_of(fact) for name, fact in FACTS.items()}
