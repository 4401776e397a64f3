"""The migration that gives the LLM agents that exist to a project."""

from importlib import import_module

from django.apps import apps

from tasks.models import Agent, AgentKind, Role
from tasks.tests.cast import join, make_agent

migration = import_module("tasks.migrations.0003_agents_belong_to_their_oldest_project")


def test_agents_that_exist_belong_to_the_project_they_have_been_in_longest(cast):
    Agent.objects.update(owner_project=None)
    join(cast.other, cast.atlas.user, Role.WORKER)
    make_agent("stray")
    migration.give_to_oldest_project(apps, None)
    owners = dict(Agent.objects.filter(kind=AgentKind.LLM).values_list("slug", "owner_project__key"))
    assert owners == {"atlas": "OPS", "bert": "OPS", "zed": "OTHER", "stray": None}
    assert not Agent.objects.filter(kind=AgentKind.HUMAN, owner_project__isnull=False).exists()
