"""Who is there is the same on the agents' pages and in conversations."""

from datetime import timedelta

import pytest

from messaging.conversation.here import HERE, members_here, seen_agents
from messaging.models import Seen
from tasks import clock
from tasks.models import Agent


@pytest.mark.parametrize("ago", [timedelta(seconds=5), HERE + timedelta(seconds=5)])
@pytest.mark.parametrize("way", ["page", "token", "disabled", "account closed"])
def test_both_agree_who_is_there(client, cast, ago, way):
    at = clock.now() - ago
    agent = cast.atlas if way == "token" else cast.hugo
    if way == "token":
        Agent.objects.filter(pk=agent.pk).update(last_seen_at=at)
    else:
        Seen.objects.create(user=agent.user, at=at)
    if way == "disabled":
        Agent.objects.filter(pk=agent.pk).update(enabled=False)
    if way == "account closed":
        agent.user.is_active = False
        agent.user.save()
    agent.refresh_from_db()
    seen = seen_agents([agent])[agent.pk]
    assert seen.at == at
    assert seen.is_here == (agent.user in members_here(cast.ops)) == (ago < HERE and way in ("page", "token"))
    client.force_login(cast.ada.user)
    for path in (f"/agents/?q={agent.slug}", f"/agents/{agent.slug}"):
        assert ("here now" in client.get(path).content.decode()) == seen.is_here
