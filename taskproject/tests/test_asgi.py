"""The ASGI application: HTTP through the bridge, sockets on unknown paths refused, a clean start and stop."""

import asyncio
import subprocess
import sys

import pytest
from django.conf import settings

from taskproject.asgi import application
from taskproject.tests.asgi_client import talk
from taskproject.watch.pulse import pulse


def test_socket_of_an_unknown_path_is_closed_before_it_opens():
    scope = {"type": "websocket", "path": "/ws/nowhere", "headers": [], "query_string": b"", "subprotocols": []}
    assert asyncio.run(talk(application, scope, {"type": "websocket.connect"})) == [
        {"type": "websocket.close", "code": 4404}
    ]


def test_lifespan_is_answered(monkeypatch):
    monkeypatch.setattr(pulse, "ensure", lambda: None)
    sent = asyncio.run(
        talk(application, {"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    )
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.django_db(transaction=True)
def test_http_is_answered_by_django():
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/admin/login/",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(b"host", b"localhost")],
    }
    start, *parts = asyncio.run(talk(application, scope))
    assert start["status"] == 200
    assert b"csrfmiddlewaretoken" in b"".join(part["body"] for part in parts)


def test_protocols_can_be_loaded_before_the_application():
    """As uvicorn does with what ``--http`` and ``--ws`` name."""
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run(
        [sys.executable, "-c", "import taskproject.http.protocol"], env=environment, cwd=settings.BASE_DIR, check=True
    )
