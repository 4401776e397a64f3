"""Requests that wait hold no thread: who is run again, who is answered with what was kept, and who is let go."""

import asyncio
import io
import threading
import time

import pytest

from taskproject.api.waiting import waiting_of
from taskproject.http import bridge
from taskproject.http.bridge import ThreadedWSGI
from taskproject.http.waiting import KEPT_BODY_BYTES, WaitingWSGI
from taskproject.tests.test_bridge import Response, body_message, exchange, scope_of


class Bench:
    """Seats that a test wakes by hand."""

    def __init__(self):
        self.wakes = []
        self.left = 0

    def wait(self, wake):
        self.wakes.append(wake)

    def leave(self):
        self.left += 1

    def wake_all(self):
        wakes, self.wakes = self.wakes, []
        for wake in wakes:
            wake()


class Shop:
    """A view that sells what is there, and lets its callers wait where nothing is."""

    def __init__(self, *, seconds=30, answer_stands=True):
        self.bench = Bench()
        self.seconds = seconds
        self.answer_stands = answer_stands
        self.goods = 0
        self.runs = 0
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with self.lock:
            self.runs += 1
            waiting = waiting_of(environ)
            if self.goods:
                self.goods -= 1
                answer = b"sold " + body
            else:
                answer = b"nothing, for good" if waiting is None else b"nothing"
                if waiting is not None and environ["PATH_INFO"] == "/wait":
                    waiting.ask(self.bench, seconds=self.seconds, answer_stands=self.answer_stands)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Response([answer])


async def until(condition):
    """Give way to the loop until ``condition`` holds."""
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came")


def post(body):
    scope = scope_of("/wait", method="POST", headers=[(b"content-length", str(len(body)).encode())])
    return scope, body_message(body)


def test_waiting_requests_hold_no_thread_and_are_run_again_when_woken():
    shop = Shop()

    async def main():
        app = ThreadedWSGI(shop, threads=1)
        callers = [asyncio.create_task(exchange(app, *post(b"%d" % number))) for number in range(50)]
        await until(lambda: len(shop.bench.wakes) == 50)
        assert (app.pool.threads, app.pool.busy, len(app.waiting)) == (1, 0, 50)
        other = await exchange(app, scope_of("/other"))
        shop.goods = 50
        shop.bench.wake_all()
        return other, await asyncio.gather(*callers)

    other, answers = asyncio.run(main())
    assert other[2] == b"nothing"
    assert [answer[2] for answer in answers] == [b"sold %d" % number for number in range(50)]
    assert (shop.runs, shop.bench.left) == (101, 50)


def test_request_woken_for_nothing_waits_on():
    shop = Shop()

    async def main():
        app = ThreadedWSGI(shop)
        caller = asyncio.create_task(exchange(app, *post(b"x")))
        await until(lambda: shop.bench.wakes)
        shop.bench.wake_all()
        await until(lambda: shop.bench.wakes)
        shop.goods = 1
        shop.bench.wake_all()
        return await caller

    assert asyncio.run(main())[2] == b"sold x"
    assert (shop.runs, shop.bench.left) == (3, 1)


def test_request_whose_time_is_over_is_answered_with_what_was_kept():
    shop = Shop(seconds=0.05)

    async def main():
        app = ThreadedWSGI(shop)
        return await exchange(app, *post(b"x")), len(app.waiting)

    assert asyncio.run(main()) == ((200, {b"content-type": b"text/plain"}, b"nothing"), 0)
    assert (shop.runs, shop.bench.left) == (1, 1)


def test_request_whose_kept_answer_does_not_stand_is_run_once_more():
    shop = Shop(seconds=0.05, answer_stands=False)
    assert asyncio.run(exchange(ThreadedWSGI(shop), *post(b"x")))[2] == b"nothing, for good"
    assert shop.runs == 2


def test_news_before_the_wait_has_begun_is_not_lost():
    shop = Shop()

    def wait_and_wake(wake):
        shop.goods = 1
        wake()

    shop.bench.wait = wait_and_wake
    assert asyncio.run(exchange(ThreadedWSGI(shop), *post(b"x")))[2] == b"sold x"


def test_client_that_goes_away_while_it_waits_is_let_go_and_handed_nothing():
    shop = Shop()

    async def main():
        app = ThreadedWSGI(shop)
        answer = await exchange(app, *post(b"x"), {"type": "http.disconnect"})
        shop.goods = 1
        shop.bench.wake_all()
        await exchange(app, scope_of("/other"))
        return answer, len(app.waiting)

    assert asyncio.run(main()) == (None, 0)
    assert (shop.runs, shop.bench.left) == (2, 1)


def test_request_of_a_client_that_goes_away_when_woken_is_not_run_again(monkeypatch):
    shop = Shop()
    went = asyncio.Event()

    async def main():
        app = ThreadedWSGI(shop, threads=1)
        messages = [post(b"x")[1]]

        async def receive():
            if messages:
                return messages.pop()
            await went.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            raise AssertionError("nobody is there to hear it")

        caller = asyncio.create_task(app(post(b"x")[0], receive, send))
        await until(lambda: shop.bench.wakes)
        went.set()
        shop.bench.wake_all()
        await caller

    asyncio.run(main())
    assert shop.runs == 1


def test_all_who_wait_are_answered_when_the_server_stops_and_nobody_waits_then():
    shop = Shop()

    async def main():
        app = ThreadedWSGI(shop)
        callers = [asyncio.create_task(exchange(app, *post(b"x"))) for _ in range(20)]
        await until(lambda: len(app.waiting) == 20)
        app.stop_waiting()
        answers = await asyncio.gather(*callers)
        return [*answers, await exchange(app, *post(b"x"))]

    assert [answer[2] for answer in asyncio.run(main())] == [b"nothing"] * 21
    assert shop.runs == 21


def test_more_than_may_wait_are_answered_at_once(monkeypatch):
    monkeypatch.setattr(bridge, "MOST_WAITING", 1)
    shop = Shop()

    async def main():
        app = ThreadedWSGI(shop)
        first = asyncio.create_task(exchange(app, *post(b"x")))
        await until(lambda: app.waiting)
        second = await exchange(app, *post(b"x"))
        app.stop_waiting()
        return second, await first

    second, _ = asyncio.run(main())
    assert second[2] == b"nothing"


# Under a plain WSGI server


def call(app, body=b"x", path="/wait", **environ):
    head = []
    environ = {"PATH_INFO": path, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), **environ}
    response = app(environ, lambda *args: head.append(args))
    assert len(head) == 1
    return b"".join(response)


def test_plain_wsgi_request_waits_in_its_thread_and_is_run_again_with_its_body():
    shop = Shop()

    def wait_and_wake(wake):
        shop.goods = 1
        wake()

    shop.bench.wait = wait_and_wake
    assert call(WaitingWSGI(shop, most=1), b"body") == b"sold body"
    assert (shop.runs, shop.bench.left) == (2, 1)


@pytest.mark.parametrize(("answer_stands", "answer"), [(True, b"nothing"), (False, b"nothing, for good")])
def test_plain_wsgi_request_is_answered_when_its_time_is_over(answer_stands, answer):
    shop = Shop(seconds=0.02, answer_stands=answer_stands)
    assert call(WaitingWSGI(shop, most=1)) == answer
    assert shop.bench.left == 1


def test_plain_wsgi_lets_only_as_many_wait_as_may():
    shop = Shop()
    app = WaitingWSGI(shop, most=1)
    answers = []
    first = threading.Thread(target=lambda: answers.append(call(app, b"first")))
    first.start()
    while not shop.bench.wakes:
        time.sleep(0.001)
    assert call(app, b"second") == b"nothing"
    shop.goods = 1
    shop.bench.wake_all()
    first.join()
    assert answers == [b"sold first"]


@pytest.mark.parametrize(
    "environ", [{"CONTENT_LENGTH": str(KEPT_BODY_BYTES + 1)}, {"HTTP_TRANSFER_ENCODING": "chunked"}]
)
def test_plain_wsgi_request_with_a_body_that_is_not_kept_is_answered_at_once(environ):
    assert call(WaitingWSGI(Shop(), most=1), **environ) == b"nothing, for good"
