"""The texts of a task, and their limits."""

from typing import Final

from tasks.verbs.fields import (
    Text,
    Texts,
)

#: The texts of a task, for creating, editing and importing tasks.
TITLE = Text(name="title", label="Title", required=True, missing="Give the task a title.", most=300)
DESCRIPTION = Text(name="description", label="Description", most=100_000, lines=10)
LABELS = Texts(name="labels", label="Labels", longest=60)
CRITERIA = Texts(name="criteria", label="Criteria", longest=1_000)
TASK_FIELDS: Final = (TITLE, DESCRIPTION, CRITERIA)
