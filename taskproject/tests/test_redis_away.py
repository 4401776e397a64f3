"""Redis gone, silent, or answering with errors: limits are counted in this process, and every request is answered."""

import socket
from collections.abc import Generator

import pytest
from limits import parse

from taskproject import limiter as limiters
from taskproject.api import throttling
from taskproject.tests.redis_server import BadRedis, RedisServer
from tasks.actions import claims

TWO = parse("2/minute")
MANY = parse("1000/minute")
GOES = "Redis fails"
RETURNS = "Redis is back"


@pytest.fixture(autouse=True)
def _patience(monkeypatch) -> None:
    """Enough for a Redis that works, however busy the machine is."""
    monkeypatch.setattr(limiters, "REDIS_SECONDS", 20)


def said(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == limiters.__name__]


ERRORS = {
    "silent": b"",
    "read only": b"-READONLY You can't write against a read only replica.\r\n",
    "full": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "no password": b"-NOAUTH Authentication required.\r\n",
    "other protocol": b"HTTP/1.1 400 Bad Request\r\n",
}


@pytest.mark.parametrize("answer", ERRORS.values(), ids=list(ERRORS))
def test_limit_holds_in_this_process_while_redis_is_bad(answer, caplog, monkeypatch):
    monkeypatch.setattr(limiters, "REDIS_SECONDS", 0.05)
    redis = BadRedis(answer)
    try:
        limiter = limiters.limiter_at(redis.url)
        assert [limiter.hit(TWO, "user:1") for _ in range(4)] == [True, True, False, False]
        before = redis.connections
        assert limiter.wait(TWO, "user:1") > 0
        assert not limiter.test(TWO, "user:1")
        limiter.clear(TWO, "user:1")
        assert limiter.hit(TWO, "user:1")
        assert redis.connections == before, "Redis is left alone after it failed"
    finally:
        redis.close()
    [sentence] = said(caplog)
    assert sentence.startswith(GOES)


@pytest.fixture
def redis() -> Generator[RedisServer, None, None]:
    server = RedisServer()
    yield server
    server.close()


def test_redis_that_returns_is_used_again_and_each_end_is_logged_once(redis, caplog, monkeypatch):
    monkeypatch.setattr(limiters, "REST_SECONDS", 0.0)
    limiter = limiters.limiter_at(redis.url)
    assert limiter.hit(TWO, "user:1")
    redis.kill()
    for _ in range(3):
        limiter.hit(MANY, "user:2")
    redis.start()
    # The counts died with the old server.
    assert [limiter.hit(TWO, "user:1") for _ in range(3)] == [True, True, False]
    assert [limiter.hit(TWO, "user:3") for _ in range(3)] == [True, True, False]
    other = limiters.limiter_at(redis.url)
    assert not other.hit(TWO, "user:3"), "counted together again"
    assert [sentence.split(" (")[0].split(";")[0] for sentence in said(caplog)] == [GOES, RETURNS]


def test_connections_that_redis_closed_while_idle_are_no_outage(redis, caplog):
    limiter = limiters.limiter_at(redis.url)
    assert limiter.hit(MANY, "user:1")
    redis.kill()
    redis.start()
    assert limiter.hit(MANY, "user:1")
    assert said(caplog) == []


@pytest.fixture
def nobody(monkeypatch) -> None:
    """The process counts in a Redis that does not exist."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"redis://127.0.0.1:{gone.getsockname()[1]}/0"
    monkeypatch.setattr(throttling, "limiter", limiters.limiter_at(url))


def test_agent_works_on_without_redis_within_its_limit(nobody, settings, api, cast, new_task, caplog):
    settings.API_RATE_LIMIT = "4/minute"
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    answers = [api.atlas.get("/me"), *(api.atlas.post(f"/runs/{run.pk}/heartbeat") for _ in range(4))]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert len(said(caplog)) == 1
