"""Freezes the tokens that exist, so that they do not open what their agent joins later.

The owner's tokens stay as they are. One made by somebody else reaches those projects of the agent that its maker manages
now; where the maker is unknown, or manages none of them any more, all projects of the agent as of now.
"""

from typing import Any

from django.db import migrations

LLM = "llm"


def freeze(apps: Any, schema_editor: Any) -> None:
    memberships = apps.get_model("tasks", "Membership").objects
    tokens = apps.get_model("tasks", "AgentToken").objects
    rows = tokens.select_related("agent__user", "created_by").filter(agent__user__is_superuser=False)
    for token in rows.order_by("pk").iterator(chunk_size=500):
        agent, maker = token.agent, token.created_by
        managed = set()
        if maker is not None:
            if maker.is_superuser or maker.pk == (agent.owner_user_id if agent.kind == LLM else agent.user_id):
                continue
            managed = set(memberships.filter(user=maker, role="manager").values_list("project", flat=True))
            if agent.kind == LLM and agent.owner_project_id in managed:
                continue
        present = set(memberships.filter(user=agent.user_id).values_list("project", flat=True))
        token.projects.set(present & managed or present)
        token.is_limited = True
        token.save(update_fields=["is_limited"])


class Migration(migrations.Migration):
    dependencies = [("tasks", "0007_token_reach")]

    operations = [migrations.RunPython(freeze, migrations.RunPython.noop)]
