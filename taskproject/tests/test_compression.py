"""What goes out compressed, and what must not."""

import gzip

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from taskproject.middleware import CompressionMiddleware

GZIP = {"HTTP_ACCEPT_ENCODING": "gzip, deflate"}
LONG = b"text " * 1000


def sent(response, **headers):
    return CompressionMiddleware(lambda request: response)(RequestFactory().get("/", **(headers or GZIP)))


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json", "text/csv"])
def test_long_texts_are_compressed_for_whoever_accepts_it(kind):
    response = sent(HttpResponse(LONG, content_type=kind))
    assert response["Content-Encoding"] == "gzip"
    assert response["Vary"] == "Accept-Encoding"
    assert gzip.decompress(response.content) == LONG
    assert not sent(HttpResponse(LONG, content_type=kind), HTTP_ACCEPT_ENCODING="identity").has_header(
        "Content-Encoding"
    )


def test_lengths_of_equal_pages_differ():
    lengths = {len(sent(HttpResponse(LONG)).content) for _ in range(40)}
    assert len(lengths) > 5, "the same secret must not show in the length"


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(b"short"),
        HttpResponse(LONG, headers={"ETag": '"3"'}, content_type="application/json"),
        HttpResponse(LONG, content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        StreamingHttpResponse([LONG], content_type="text/html"),
        StreamingHttpResponse([LONG], content_type="text/event-stream"),
    ],
)
def test_short_tagged_packed_and_streamed_ones_are_not(response):
    assert not sent(response).has_header("Content-Encoding")


@pytest.mark.django_db
def test_pages_are_compressed_and_tasks_keep_their_version(client, cast, new_task):
    client.force_login(cast.ada.user)
    task = new_task(description="word " * 2000)
    page = client.get("/", **GZIP)
    assert page["Content-Encoding"] == "gzip"
    assert b"<h1" in gzip.decompress(page.content)
    answer = client.get(f"/api/v1/tasks/{task.ref}", **GZIP)
    assert not answer.has_header("Content-Encoding")
    assert answer["ETag"] == '"1"'
