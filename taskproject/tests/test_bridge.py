"""The bridge from ASGI to WSGI threads: what reaches the application, what comes back, and what is cut short."""

import asyncio
import io
import threading

import orjson
import pytest

from taskproject.api.renderers import BODY_LIMIT
from taskproject.http import bodies, bridge
from taskproject.http.bridge import ThreadedWSGI, build_environ
from taskproject.tests.asgi_client import talk


def scope_of(path="/", *, method="GET", headers=(), **changes):
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "headers": list(headers),
        "server": ("localhost", 80),
        "client": ("10.0.0.1", 1234),
        **changes,
    }


async def exchange(app, scope, *messages):
    """Let ``app`` answer; ``messages`` is what the client sends. Returns (status, headers, body)."""
    sent = await talk(app, scope, *messages)
    if not sent:
        return None
    body = b"".join(message.get("body", b"") for message in sent[1:])
    assert not sent[-1].get("more_body")
    return sent[0]["status"], dict(sent[0]["headers"]), body


def body_message(body=b"", more=False):
    return {"type": "http.request", "body": body, "more_body": more}


class Response(list):
    streaming = False

    def __init__(self, parts):
        super().__init__(parts)
        self.closed = threading.Event()

    def close(self):
        self.closed.set()


def echo(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("201 Created", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1")])
    return Response([environ["REQUEST_METHOD"].encode(), b" ", body])


def test_post_reaches_the_application_and_its_answer_comes_back():
    async def main():
        scope = scope_of("/x", method="POST", headers=[(b"content-length", b"6")])
        return await exchange(ThreadedWSGI(echo), scope, body_message(b"abc", more=True), body_message(b"def"))

    status, headers, body = asyncio.run(main())
    assert (status, body) == (201, b"POST abcdef")
    assert headers == {b"content-type": b"text/plain", b"set-cookie": b"a=1"}


def test_environ_keeps_bytes_of_the_path_and_drops_headers_with_underscores():
    scope = scope_of(
        "/caf%C3%A9",
        headers=[
            (b"x_forwarded_proto", b"https"),
            (b"cookie", b"a=1"),
            (b"cookie", b"b=2"),
            (b"accept", b"text/html"),
            (b"accept", b"*/*"),
        ],
        root_path="",
    )
    environ = build_environ(scope, b"")
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/café"
    assert "HTTP_X_FORWARDED_PROTO" not in environ
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_ACCEPT"] == "text/html,*/*"
    assert environ["REMOTE_ADDR"] == "10.0.0.1"


def test_body_declared_too_large_is_refused_before_it_is_kept():
    reached = []

    async def main():
        scope = scope_of(method="POST", headers=[(b"content-length", str(BODY_LIMIT + 1).encode())])
        app = ThreadedWSGI(lambda *args: reached.append(args))
        return await exchange(app, scope, body_message(b"x" * 1000, more=True), body_message(b"x"))

    status, headers, body = asyncio.run(main())
    assert (status, headers[b"content-type"]) == (413, b"application/problem+json")
    problem = orjson.loads(body)
    assert (problem["code"], problem["status"]) == ("body_too_large", 413)
    assert not reached


def test_body_sent_in_chunks_too_large_is_refused():
    async def main():
        scope = scope_of(method="POST", headers=[(b"transfer-encoding", b"chunked")])
        half = b"x" * (BODY_LIMIT // 2 + 1)
        return await exchange(ThreadedWSGI(echo), scope, body_message(half, more=True), body_message(half))

    assert asyncio.run(main())[0] == 413


def test_body_of_the_allowed_size_passes():
    async def main():
        body = b"x" * BODY_LIMIT
        scope = scope_of(method="POST", headers=[(b"content-length", str(BODY_LIMIT).encode())])
        return await exchange(ThreadedWSGI(echo), scope, body_message(body))

    status, _, body = asyncio.run(main())
    assert (status, len(body)) == (201, BODY_LIMIT + 5)


def test_half_a_body_never_reaches_the_application():
    reached = []

    async def main():
        scope = scope_of(method="POST", headers=[(b"content-length", b"10")])
        app = ThreadedWSGI(lambda *args: reached.append(args))
        return await exchange(app, scope, body_message(b"12345", more=True), {"type": "http.disconnect"})

    assert asyncio.run(main()) is None
    assert not reached


@pytest.mark.parametrize("came", [[], [body_message(b"12345", more=True)]], ids=["nothing", "half"])
def test_body_that_does_not_come_in_time_is_given_up(monkeypatch, came):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)

    async def main():
        scope = scope_of(method="POST", headers=[(b"content-length", b"10")])
        return await exchange(ThreadedWSGI(echo), scope, *came)

    status, _, body = asyncio.run(main())
    assert (status, orjson.loads(body)["code"]) == (408, "request_timeout")


def test_streamed_answer_arrives_whole_and_is_closed():
    response = Response([b"a" * 10, b"", b"b" * 10] * 20)
    response.streaming = True

    def application(environ, start_response):
        start_response("200 OK", [])
        return response

    status, _, body = asyncio.run(exchange_of(application))
    assert (status, body) == (200, (b"a" * 10 + b"b" * 10) * 20)
    # By its thread, maybe after the last part has arrived.
    assert response.closed.wait(5)


async def exchange_of(application, **kwargs):
    return await exchange(ThreadedWSGI(application, **kwargs), scope_of())


def test_large_file_arrives_whole():
    content = bytes(range(256)) * 4096

    def application(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(content), 4096)

    for size in (10, bridge.FILE_BLOCK_BYTES, len(content)):
        part = content[:size]

        def serve_part(environ, start_response, part=part):
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](io.BytesIO(part), 4096)

        assert asyncio.run(exchange_of(serve_part))[2] == part


def test_stream_that_breaks_is_cut_and_not_completed():
    def broken():
        yield b"first"
        raise ValueError("half way")

    class Streaming:
        streaming = True

        def __iter__(self):
            return broken()

        def close(self):
            pass

    def application(environ, start_response):
        start_response("200 OK", [])
        return Streaming()

    async def main():
        try:
            await exchange_of(application)
        except ValueError as error:
            return str(error)

    assert asyncio.run(main()) == "half way"


def test_stream_whose_client_went_away_ends_uncompleted():
    closed = threading.Event()

    class Silent:
        streaming = True

        def __iter__(self):
            yield b"first"
            while True:
                yield b""

        def close(self):
            closed.set()

    def application(environ, start_response):
        start_response("200 OK", [])
        return Silent()

    async def main():
        sent = []

        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        await ThreadedWSGI(application)(scope_of(), receive, send)
        return sent

    assert all(message.get("more_body", True) for message in asyncio.run(main()))
    assert closed.wait(5)


def test_threads_are_started_only_when_all_are_busy_and_end_with_the_pool():
    ended = threading.Semaphore(0)
    names = []

    def application(environ, start_response):
        names.append(threading.current_thread().name)
        start_response("200 OK", [])
        return Response([b""])

    async def main():
        app = ThreadedWSGI(application, on_thread_end=ended.release)
        for _ in range(5):
            await exchange(app, scope_of())
        app.close()
        return app

    asyncio.run(main())
    assert set(names) == {"http-1"}
    assert ended.acquire(timeout=5)


def test_request_of_a_client_that_left_the_queue_is_never_begun(monkeypatch):
    monkeypatch.setattr(bridge, "WATCH_AFTER_SECONDS", 0)
    release = threading.Event()
    begun = []

    def application(environ, start_response):
        begun.append(environ["PATH_INFO"])
        release.wait()
        start_response("200 OK", [])
        return Response([b""])

    async def main():
        app = ThreadedWSGI(application, threads=1)
        first = asyncio.create_task(exchange(app, scope_of("/first")))
        await asyncio.sleep(0.01)
        left = await exchange(app, scope_of("/left"), {"type": "http.disconnect"})
        release.set()
        await first
        return left

    assert asyncio.run(main()) is None
    assert begun == ["/first"]
