"""Gives each LLM agent that exists to the project it has been in for longest; others remain with the administrators."""

from typing import Any

from django.db import migrations
from django.db.models import OuterRef, Subquery


def give_to_oldest_project(apps: Any, schema_editor: Any) -> None:
    agents = apps.get_model("tasks", "Agent").objects
    memberships = apps.get_model("tasks", "Membership").objects
    oldest = memberships.filter(user=OuterRef("user")).order_by("created_at", "pk").values("project")[:1]
    agents.filter(kind="llm", owner_project=None, owner_user=None).order_by().update(owner_project=Subquery(oldest))


class Migration(migrations.Migration):
    dependencies = [("tasks", "0002_agent_owner")]

    operations = [migrations.RunPython(give_to_oldest_project, migrations.RunPython.noop)]
