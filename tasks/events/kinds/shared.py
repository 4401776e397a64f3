"""What several kinds have in their data."""

from typing import Final

from tasks.events.declaration import MOMENT, NUMBER, TEXT, TEXTS, Datum

NOTE = Datum(TEXT, "What was written with it; untrusted.", optional=True)
TITLE = Datum(TEXT, "The task's title; untrusted.")
FIELDS = Datum(TEXTS, "Names of the fields that changed.")
RUN = Datum(NUMBER, "The number of the run.")
AGENTS = "Slugs of the agents that"
BY = Datum(TEXT, "Ref of the task whose change caused it.", optional=True)
DUE_AT = Datum(MOMENT, "The due date.")
OPEN: Final = Datum(NUMBER, "How many others it waits for now.")
FAILED: Final = {
    "failed": Datum(TEXTS, "Refs of failed tasks that it waits for.", optional=True),
    "cancelled": Datum(TEXTS, "Refs of cancelled tasks that it waits for.", optional=True),
}
# For the history of tasks; see ``tasks.history``.
WAITS_FOR: Final = {
    "waits_for": Datum(
        TEXT,
        "If it is not started: why it waits from now on, `dependency`, `on_hold`, `deferred` or `no_agent`.",
        optional=True,
    )
}
LIKE: Final = {
    "priority": Datum(TEXT, "Its priority; then the next two belong to it.", optional=True),
    "due_at": Datum(MOMENT, "Its due date, if it has one.", optional=True),
    "estimate_minutes": Datum(NUMBER, "Its estimate, if it has one.", optional=True),
}
LABELS: Final = {"labels": Datum(TEXTS, "Its labels, as an episode begins or they change.", optional=True)}
USED: Final = {
    "input_tokens": Datum(NUMBER, "What the run that ended has used, if it said so.", optional=True),
    "output_tokens": Datum(NUMBER, "The same of output.", optional=True),
    "cost": Datum(TEXT, "What that run cost: a decimal number.", optional=True),
}
