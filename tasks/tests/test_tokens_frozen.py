"""The migration that freezes the tokens that exist: the owner's stay, others open nothing that is joined later."""

from importlib import import_module

from django.apps import apps

from tasks.models import AgentToken, Role
from tasks.tests.cast import join

migration = import_module("tasks.migrations.0008_freeze_tokens_made_by_others")


def test_tokens_that_exist_are_frozen_unless_their_owner_made_them(cast):
    both = (cast.atlas, cast.hugo)
    for agent in both:
        join(cast.other, agent.user, Role.WORKER)
    for actor in (None, cast.root, cast.ada.user, cast.mona.user, cast.hugo.user, cast.rita.user):
        for agent in both:
            name = f"{agent.slug} by {actor.username if actor else 'nobody'}"
            AgentToken.objects.create(agent=agent, name=name, digest=name, hint="tp_", created_by=actor)
    migration.freeze(apps, None)
    reached = {
        token.name: sorted(project.key for project in token.projects.all()) if token.is_limited else None
        for token in AgentToken.objects.all()
    }
    everything = ["OPS", "OTHER"]
    assert reached == {
        "atlas by nobody": everything,
        "hugo by nobody": everything,
        "atlas by root": None,
        "hugo by root": None,
        "atlas by ada": None,
        "hugo by ada": ["OPS"],
        "atlas by mona": ["OTHER"],
        "hugo by mona": ["OTHER"],
        "atlas by hugo": everything,
        "hugo by hugo": None,
        "atlas by rita": everything,
        "hugo by rita": everything,
    }
