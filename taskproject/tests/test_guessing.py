"""Guessing passwords and tokens: slowed down early at every door; the right person and the right token get through."""

import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.hashers import BasePasswordHasher, PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from taskproject import counts, guessing
from taskproject import limiter as limiters
from taskproject.asgi import application
from taskproject.tests.asgi_client import talk
from tasks.actions.agents import create_token
from tasks.models import AgentToken

PASSWORD = "right horse battery"
WRONG = "wrong"
DOORS = ["/login/", "/admin/login/"]


@pytest.fixture(autouse=True)
def _one_window(monkeypatch, settings):
    """No window of the counts ends within a test; in Redis, which has its own clock, it begins with the first count."""
    if not settings.REDIS_URL:
        monkeypatch.setattr(limiters, "time", SimpleNamespace(time=lambda: 60_000_000.0, monotonic=time.monotonic))
    monkeypatch.setattr(counts, "_database_time", lambda: 60_000_000.0)


@pytest.fixture
def hashed(settings, monkeypatch):
    """A list that grows with every password that is hashed."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1)
    hashes: list[str] = []
    encode = PBKDF2PasswordHasher.encode

    def counted(self: BasePasswordHasher, password: str, salt: str, iterations: int | None = None) -> str:
        hashes.append(password)
        return encode(self, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)
    return hashes


@pytest.fixture
def ada(db, hashed):
    user = User.objects.create_user("ada", password=PASSWORD, is_staff=True)
    hashed.clear()
    return user


@pytest.fixture
def door(ada):
    """``door(path, password, …)``: sign in there as ``username`` from ``address``, with the cookies of ``browser``."""

    def sign_in(path: str = "/login/", password: str = WRONG, *, username="ada", address="192.0.2.1", browser=None):
        client = browser or Client()
        return client.post(path, {"username": username, "password": password}, REMOTE_ADDR=address)

    return sign_in


def guess(username: str = "ada", address: str = "192.0.2.1") -> None:
    """A wrong password, without the page."""
    attempt = guessing.PasswordAttempt(username, address, None)
    with suppress(guessing.TooManyGuesses):
        attempt.begin()
        attempt.was_wrong()


def locked(answer) -> bool:
    return answer.status_code == 429


def is_in(answer) -> bool:
    return answer.status_code == 302


@pytest.mark.parametrize("path", DOORS)
def test_sixty_wrong_passwords_are_refused_after_ten_before_any_hashing(door, hashed, path):
    answers = [door(path) for _ in range(60)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 50
    assert len(hashed) == 10
    last = answers[-1]
    assert 60 < int(last.headers["Retry-After"]) <= 2 * 15 * 60
    assert "Too many wrong passwords. Try again in" in last.content.decode()
    assert "minutes." in last.content.decode()


def test_both_logins_count_together_and_in_any_case(door):
    for number in range(10):
        door(DOORS[number % 2], username="ada" if number % 3 else "ADA")
    assert all(locked(door(path)) for path in DOORS)
    # Not even the right password is looked at from there.
    assert locked(door(password=PASSWORD))


def test_names_that_do_not_exist_are_refused_alike(door, hashed):
    for _ in range(10):
        assert door(username="nobody").status_code == 200
    assert locked(door(username="nobody"))
    assert len(hashed) == 10


def test_who_guesses_elsewhere_does_not_keep_the_owner_out(door):
    for number in range(130):
        guess(address=f"198.51.100.{number}")
    # 100 in an hour are enough; then each address is heard once in a while: the owner's at the first try.
    assert is_in(door(password=PASSWORD, address="203.0.113.7"))
    assert not locked(door(address="203.0.113.8"))
    assert locked(door(address="203.0.113.8"))


def test_browser_that_its_owner_signed_in_with_is_heard_beside_the_one_who_guesses(door):
    browser = Client()
    assert is_in(door(password=PASSWORD, browser=browser))
    cookie = browser.cookies[guessing.DEVICE_COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    browser.post("/logout/")
    for number in range(220):
        guess("ada" if number % 2 else f"user-{number}")
    assert locked(door(password=PASSWORD))
    assert is_in(door(password=PASSWORD, browser=browser))
    browser.post("/logout/")
    # The cookie is no licence to guess, and says nothing for another account.
    assert [locked(door(browser=browser)) for _ in range(12)] == [False] * 10 + [True] * 2
    assert locked(door(username="hugo", browser=browser))


def test_cookie_that_we_did_not_sign_makes_no_browser_known(door):
    for _ in range(10):
        door()
    browser = Client()
    browser.cookies[guessing.DEVICE_COOKIE] = "WyJ4IixbIngiXV0:1:forged"
    assert locked(door(password=PASSWORD, browser=browser))


def test_right_password_forgets_the_wrong_ones_from_there(door):
    for _ in range(3):
        for _ in range(8):
            guess()
        assert is_in(door(password=PASSWORD))


def test_one_address_with_many_names_is_refused(door, hashed):
    for number in range(99):
        guess(f"user-{number}", "2001:db8::1")
    assert [locked(door(username=name, address="2001:db8::1")) for name in ("eve", "eva")] == [False, True]
    assert hashed == [WRONG]
    # The same network of 64 bits is one address; what a client claims to be forwarded for is nothing.
    assert locked(door(username="someone", address="2001:db8::ffff:2"))
    assert not locked(door(username="someone", address="2001:db8:1::2"))
    claim = Client(headers={"x-forwarded-for": "192.0.2.200"})
    assert locked(door(username="someone", address="2001:db8::1", browser=claim))


def test_old_password_on_the_admins_page_cannot_be_guessed_either(ada, hashed):
    client = Client()
    client.force_login(ada)
    fields = {"old_password": WRONG, "new_password1": "another horse", "new_password2": "another horse"}
    answers = [client.post("/admin/password_change/", fields) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
    assert hashed.count(WRONG) == 10
    assert "Too many wrong passwords." in answers[-1].content.decode()
    guessing._counts().reset()
    assert is_in(client.post("/admin/password_change/", fields | {"old_password": PASSWORD}))


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 second"), (40, "40 seconds"), (91, "2 minutes")])
def test_wait_is_told_in_words(seconds, words):
    assert guessing.in_words(seconds) == words


# Tokens.


def get(secret: str, *, address: str = "192.0.2.1", **kwargs):
    client = APIClient(headers={"authorization": f"Bearer {secret}"})
    return getattr(client, kwargs.pop("method", "get"))("/api/v1/tasks", REMOTE_ADDR=address, **kwargs)


def test_forty_wrong_tokens_are_refused_after_thirty_and_the_right_one_beside_them_works(cast):
    _, right = create_token(actor=None, agent=cast.atlas, name="right")
    answers = [get(f"tp_{number}") for number in range(40)]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429] * 10
    problem = answers[-1].json()
    assert problem["code"] == "throttled"
    assert problem["detail"].startswith("Too many wrong tokens from your address; wait ")
    assert answers[-1].headers["Retry-After"] == str(problem["retry_after_seconds"])
    assert get(right).status_code == 200
    assert get("tp_wrong", address="192.0.2.2").status_code == 401


def test_page_of_the_api_refuses_an_address_with_too_many_wrong_tokens(cast):
    for number in range(30):
        get(f"tp_{number}")
    client = APIClient(headers={"authorization": "Bearer tp_wrong", "accept": "text/html"})
    assert client.get("/api/v1/docs", REMOTE_ADDR="192.0.2.1").status_code == 429


def test_wrong_token_costs_one_lookup_with_a_key_too(cast, django_assert_num_queries):
    for expected in [401] * 30 + [429] * 2:
        with django_assert_num_queries(1):
            answer = get("tp_wrong", method="post", data={}, headers={"idempotency-key": "k"})
        assert answer.status_code == expected


def test_revoked_token_counts_as_wrong(cast):
    token, secret = create_token(actor=None, agent=cast.atlas, name="old")
    AgentToken.objects.update(revoked_at=token.created_at)
    assert [get(secret).status_code for _ in range(31)] == [401] * 30 + [429]


@pytest.mark.django_db(transaction=True)
def test_sockets_and_event_streams_count_with_the_rest(cast):
    _, right = create_token(actor=None, agent=cast.atlas, name="right")
    for number in range(30):
        get(f"tp_{number}")

    def scope(kind: str, path: str, secret: str):
        headers = [(b"authorization", f"Bearer {secret}".encode()), (b"accept", b"text/event-stream")]
        more = {"method": "GET"} if kind == "http" else {"subprotocols": []}
        common = {"type": kind, "path": path, "query_string": b"", "client": ("192.0.2.1", 4711), "headers": headers}
        return common | more

    async def visit(secret: str) -> SimpleNamespace:
        stream = await talk(application, scope("http", "/api/v1/events", secret), {"type": "http.disconnect"})
        socket = scope("websocket", "/ws/events", secret)
        calls = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
        return SimpleNamespace(stream=stream, socket=await talk(application, socket, *calls))

    refused = async_to_sync(visit)("tp_wrong")
    assert refused.stream[0]["status"] == 429
    assert dict(refused.stream[0]["headers"])[b"retry-after"]
    assert (refused.socket[-1]["code"], refused.socket[-1]["reason"]) == (4429, "throttled")
    served = async_to_sync(visit)(right)
    assert served.stream[0]["status"] == 200
    assert served.socket[-1].get("code") != 4429
