"""The same POST twice at once under one Idempotency-Key: one effect, one answer, on every path that accepts POST."""

import json
import time

import pytest
from django.apps import apps
from django.db import transaction

from taskproject.api.idempotency import SHOWN_ONCE
from taskproject.models import IdempotencyKey
from tasks.tests.racing import at_once
from tasks.tests.test_authorisation_matrix import MATRIX, ROLES, filled, scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

__all__ = ["scene"]  # a fixture, used by name

#: The last of these roles that the matrix lets through sends the pair.
SENDERS = ("hugo", "root", "atlas", "ada")


def _cases():
    for _, method, path, body, expected in MATRIX:
        answers = dict(zip(ROLES, expected.split(), strict=True))
        if method == "post":
            sender = [name for name in SENDERS if answers[name] < "300"][-1]
            yield pytest.param(sender, path, body, id=f"{path} {json.dumps(body)}")


def _row_counts():
    models = [model for model in apps.get_models() if model is not IdempotencyKey]
    return {model._meta.label: model._default_manager.count() for model in models}


def _growth(before):
    return {name: count - before[name] for name, count in _row_counts().items() if count != before[name]}


def _comparable(answer):
    """The part of an answer that must be the same; a secret is shown only once, in the first answer."""
    is_json = "json" in answer.headers.get("Content-Type", "")
    body = answer.json() if is_json else answer.content
    if isinstance(body, dict):
        body |= dict.fromkeys(body.keys() & SHOWN_ONCE)
    return answer.status_code, body, answer.headers.get("ETag"), answer.headers.get("Location")


@pytest.mark.parametrize(("sender", "path", "body"), list(_cases()))
def test_post_twice_at_once_has_one_effect_and_one_answer(scene, sender, path, body):
    client = scene.clients[sender]
    path, body = "/api/v1" + filled(path, scene.names), filled(body, scene.names)

    def send(key):
        until = time.monotonic() + 60
        while (answer := client.post(path, body, HTTP_IDEMPOTENCY_KEY=key)).status_code == 409:
            if answer.json()["code"] != "request_in_progress":
                break
            assert time.monotonic() < until
            time.sleep(0.01)
        return answer

    before = _row_counts()
    with transaction.atomic():
        assert send("once").status_code < 300
        effect_of_one = _growth(before)
        transaction.set_rollback(True)
    first, second = at_once(lambda: send("pair"), lambda: send("pair"))
    assert first.status_code < 300
    assert _comparable(first) == _comparable(second)
    assert {first.headers.get("Idempotency-Replayed"), second.headers.get("Idempotency-Replayed")} == {None, "true"}
    assert _growth(before) == effect_of_one
    assert _comparable(send("pair")) == _comparable(first)
    assert _growth(before) == effect_of_one
