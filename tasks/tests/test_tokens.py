"""``last_seen_at``: kept for agents that stay connected, rate-limited, and not written when nothing changed."""

from datetime import timedelta

from tasks import clock
from tasks.actions.agents import create_token
from tasks.models import Agent, AgentToken
from tasks.tokens import SEEN_EVERY, note_seen


def seen(cast):
    return dict(Agent.objects.filter(pk__in=[cast.atlas.pk, cast.bert.pk]).values_list("slug", "last_seen_at"))


def test_note_seen_updates_agents_not_seen_for_a_while(cast):
    tokens = [create_token(actor=None, agent=agent, name="t")[0] for agent in (cast.atlas, cast.bert)]
    note_seen([tokens[0].pk])
    before = seen(cast)
    assert before["atlas"] is not None
    assert before["bert"] is None
    note_seen([token.pk for token in tokens])
    after = seen(cast)
    assert after["atlas"] == before["atlas"]
    assert after["bert"] is not None
    assert AgentToken.objects.get(pk=tokens[1].pk).last_used_at == after["bert"]


def test_note_seen_writes_nothing_within_the_interval(cast, django_assert_max_num_queries):
    tokens = [create_token(actor=None, agent=cast.atlas, name="t")[0].pk]
    AgentToken.objects.update(last_used_at=clock.now() - SEEN_EVERY / 2)
    with django_assert_max_num_queries(2) as queries:
        note_seen(tokens)
        assert not [query for query in queries.captured_queries if "UPDATE" in query["sql"]]
    AgentToken.objects.update(last_used_at=clock.now() - SEEN_EVERY - timedelta(seconds=1))
    note_seen(tokens)
    assert seen(cast)["atlas"] is not None
