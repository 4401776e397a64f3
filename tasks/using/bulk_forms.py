"""What a bulk action asks besides its tasks."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from tasks.models import Agent, Task
from tasks.using.forms import InputForm
from tasks.verbs import Verb


class BulkForm(InputForm):
    """The input of a bulk verb besides its tasks. ``agents``: those to choose from; they are sent by id."""

    def __init__(self, verb: Verb, data: Any = None, *, agents: QuerySet[Agent]) -> None:
        super().__init__(verb, Task(), data, auto_id="%s")
        if verb.agents is not None:
            chosen = forms.ModelMultipleChoiceField(queryset=agents, required=verb.agents.required)
            chosen.error_messages["required"] = verb.agents.missing
            self.fields[verb.agents.name] = chosen

    def values(self) -> dict[str, Any]:
        """The input; choosing no agents means all, if the verb allows that."""
        values = super().values()
        if self.verb.agents is not None:
            values[self.verb.agents.name] = list(values[self.verb.agents.name]) or None
        return values
