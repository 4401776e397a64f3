"""The demo agents' HTTP client: what it retries, what it does not, and that nothing takes effect twice."""

import httpx
import pytest

from tasks.demo import client as demo_client
from tasks.demo.client import Client, Refused, Unreachable


class Server:
    """Answers each request with the next of ``answers``: a status, a response, or an error to raise."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, json={"ok": True}) if isinstance(answer, int) else answer


@pytest.fixture
def pauses(monkeypatch):
    slept = []
    monkeypatch.setattr(demo_client.time, "sleep", slept.append)
    return slept


def client_for(server):
    return Client("http://test/", "tp_secret", transport=httpx.MockTransport(server))


def test_post_is_repeated_with_the_same_key_until_it_is_answered(pauses):
    server = Server(httpx.ConnectError("refused"), 503, httpx.ReadTimeout("slow"), 200)
    assert client_for(server).post("runs/1/complete", {"summary": "x"}) == {"ok": True}
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer tp_secret"}
    assert [str(request.url) for request in server.requests] == ["http://test/api/v1/runs/1/complete"] * 4
    assert len(pauses) == 3


def test_two_posts_have_two_keys(pauses):
    server = Server(200, 200)
    client = client_for(server)
    client.post("a", {})
    client.post("a", {})
    first, second = (request.headers["Idempotency-Key"] for request in server.requests)
    assert first != second


def test_heartbeat_carries_no_key(pauses):
    server = Server(200)
    client_for(server).post("runs/1/heartbeat", {}, once=False)
    assert "Idempotency-Key" not in server.requests[0].headers


def test_throttled_client_waits_as_long_as_required(pauses):
    server = Server(httpx.Response(429, headers={"Retry-After": "7"}, json={"code": "throttled"}), 200)
    client_for(server).get("me")
    assert pauses == [7.0]


def test_request_still_in_progress_is_asked_again(pauses):
    server = Server(httpx.Response(409, json={"code": "request_in_progress"}), 200)
    assert client_for(server).post("tasks", {}) == {"ok": True}


def test_refusal_is_raised_with_its_code_and_sentence(pauses):
    problem = {"code": "lease_lost", "detail": "This run is over.", "reason": "expired"}
    server = Server(httpx.Response(409, json=problem))
    with pytest.raises(Refused) as refused:
        client_for(server).post("runs/1/progress", {})
    assert (refused.value.code, str(refused.value), refused.value.status) == ("lease_lost", "This run is over.", 409)
    assert pauses == []


def test_answer_that_is_not_json_is_also_a_refusal(pauses):
    with pytest.raises(Refused, match="HTTP 404"):
        client_for(Server(httpx.Response(404, text="<html>"))).get("me")


def test_gives_up_after_the_given_time(pauses):
    server = Server(*[httpx.ConnectError("refused")] * 50)
    with pytest.raises(Unreachable, match="refused"):
        client_for(server).post("x", {}, give_up_after=0.0)
    assert len(server.requests) == 1


def test_backoff_grows_to_its_cap():
    assert 0.1 <= demo_client.backoff(0) <= 0.2
    assert 5.0 <= demo_client.backoff(100) <= 10.0


def test_this_machine_is_reached_without_the_proxy_of_the_environment(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    client = Client("http://127.0.0.1:8000", "tp_secret")
    direct = client._http._transport_for_url(httpx.URL("http://127.0.0.1:8000/api/v1/me"))
    outside = client._http._transport_for_url(httpx.URL("http://tasks.example.org/api/v1/me"))
    client.close()
    assert type(outside._pool).__name__ == "HTTPProxy"
    assert type(direct._pool).__name__ == "ConnectionPool"
