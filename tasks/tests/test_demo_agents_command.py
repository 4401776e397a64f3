"""demo_agents: what it refuses before any agent starts."""

import pytest
from django.core.management import CommandError, call_command

from tasks.management.commands import demo_agents
from tasks.models import Agent

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", "http://[::1", "http://h:99999", "http://h:x"])
def test_url_that_is_none_is_wrong_use(url):
    with pytest.raises(CommandError, match="write a base URL such as") as refused:
        call_command("demo_agents", "--url", url)
    assert refused.value.returncode == 2


@pytest.fixture
def server_is_there(monkeypatch):
    monkeypatch.setattr(demo_agents.Command, "_require_server", staticmethod(lambda url: None))


@pytest.mark.parametrize(
    ("args", "tokens", "sentence"),
    [
        (["--count", "0"], "", "--count: Must be from 1 to 50."),
        (["--count", "3"], "tp_a,tp_b", "--count: TASKPROJECT_TOKENS has tokens for 2 agents only."),
        (["--project", "NONE"], "", "There is no project 'NONE'"),
    ],
)
def test_what_cannot_be_meant_is_wrong_use_and_creates_nothing(server_is_there, monkeypatch, args, tokens, sentence):
    monkeypatch.setenv("TASKPROJECT_TOKENS", tokens)
    with pytest.raises(CommandError) as refused:
        call_command("demo_agents", "--url", "http://127.0.0.1:8000", *args)
    assert str(refused.value).startswith(sentence)
    assert refused.value.returncode == 2
    assert not Agent.objects.exists()
