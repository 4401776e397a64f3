"""One project with a text in every place where people and agents write, for tests of what pages make of it."""

import base64
from types import SimpleNamespace
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from messaging.models import Email, Mail, NotificationKind, WebhookDelivery
from messaging.notifications.choices import Ways, change_choices
from messaging.notifications.making import prepare
from messaging.webhooks import endpoints
from tasks import clock
from tasks.actions import claims, reviews, runs
from tasks.actions.messages import ack_message, edit_message, post_direct, post_in_channel, post_message, react
from tasks.actions.questions import answer_questions, ask_run
from tasks.models import Agent, Artifact, Event, Message, Project, Task

#: In an address: what of a text may be there.
IN_URL = "?<script>alert(1)</script>\"'><img/src=x>"


def questions_of(text: str) -> list[dict[str, Any]]:
    """One question of each kind, with ``text`` in each of its parts."""
    labels = [f"{number} {text}"[:200] for number in (1, 2)]
    options: list[dict[str, Any]] = [{"label": label, "description": text} for label in labels]
    options[0]["recommended"] = True
    field = {"title": text[:200], "description": text}
    form = {
        "type": "object",
        "title": text[:200],
        "description": text,
        "properties": {
            "<b>line</b>": field | {"type": "string", "default": text},
            "\"'>one": field | {"type": "string", "enum": [text, "plain"], "default": text},
            "count": field | {"type": "integer", "minimum": 1},
            "really": field | {"type": "boolean"},
        },
    }
    return [
        {"prompt": text, "kind": "choice", "options": options, "default": labels[0], "to": "hugo"},
        {"prompt": text, "kind": "choice", "multi": True, "options": options, "default": [labels[1], text]},
        {"prompt": text, "kind": "form", "schema": form},
        {"prompt": text, "default": text, "to": "reviewer", "urgency": "urgent"},
    ]


def artifacts_of(text: str) -> list[dict[str, Any]]:
    """One artifact of each kind, and files that a browser might run."""
    page = f"<!doctype html><script>alert(1)</script>{text}"
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script>{text}</svg>'
    diff = f"--- a/{text}\n+++ b/{text}\n@@ -1 +1,2 @@ {text}\n-{text}\n+{text}\n+new\n"
    files = ((f"{text[:180]}.html", "text/html", page), ("drawing.svg", "image/svg+xml", drawing))
    return [
        {"name": f"{text[:180]}.diff", "kind": "diff", "text": diff},
        {"name": f"{text[:180]}.txt", "kind": "text", "text": f"{text}\n{text}\n"},
        {"name": text[:200], "kind": "link", "url": f"https://evil.example/{IN_URL}"},
        *(
            {"name": name, "kind": "file", "media_type": kind, "base64": base64.b64encode(body.encode()).decode()}
            for name, kind, body in files
        ),
    ]


def fill(cast: Any, new_task: Any, text: str) -> SimpleNamespace:
    """Write ``text``, one line of at most 1,000 characters, everywhere in OPS, and tell everybody.

    Returns ``judged``, a task in review, ``asking``, one with a run that asks, ``failed``, one that failed, and the
    ``webhook`` with its ``delivery``. Requires that webhooks may lead to this machine.
    """
    hugo, atlas, rita = cast.hugo.user, cast.atlas.user, cast.rita.user
    Project.objects.filter(pk=cast.ops.pk).update(name=text[:100])
    Agent.objects.filter(pk=cast.atlas.pk).update(name=text[:100], version=text[:100])
    User.objects.filter(pk=rita.pk).update(first_name=text[:100], last_name=text[:100])
    User.objects.filter(pk=hugo.pk).update(email="hugo@example.org")
    change_choices(user=hugo, ways={kind: Ways(email=Email.AT_ONCE) for kind in NotificationKind})
    webhook, _ = endpoints.create_webhook(
        actor=cast.ada.user, project=cast.ops, url=f"http://127.0.0.1:9/{IN_URL}", description=text
    )
    endpoints.send_test(actor=cast.ada.user, webhook=webhook)
    attempt = {"at": text, "status": None, "error": text, "milliseconds": 1, "answer": text}
    WebhookDelivery.objects.update(attempts=[attempt], state="failed", ended_at=clock.now())

    fields: dict[str, Any] = {"description": text, "criteria": [text], "labels": [text[:50]]}
    judged = new_task(text[:300], review_required=True, assignees=[cast.atlas, cast.hugo], **fields)
    plan = [{"content": text[:1000], "status": status} for status in ("completed", "in_progress", "pending")]
    made: dict[str, Any] = {
        "summary": text,
        "result": {text: [text]},
        "criteria": [{"criterion": text, "met": True, "note": text}],
        "artifacts": artifacts_of(text),
        "follow_ups": [{"title": text[:300], "description": text}],
        "plan": plan,
        "external_url": f"https://evil.example/{IN_URL}",
    }
    run = claims.claim_task(actor=atlas, task=judged)
    runs.complete_run(actor=atlas, run_id=run.pk, **made)
    on_lines = [{"artifact": row.pk, "line": 2, "body": text} for row in Artifact.objects.filter(lines__gt=0)]
    reviews.request_changes(actor=rita, task=judged, note=text, comments=on_lines)
    run = claims.claim_task(actor=atlas, task=judged)
    runs.complete_run(actor=atlas, run_id=run.pk, **made)

    asking = new_task(text[:300], assignees=[cast.atlas, cast.hugo], **fields)
    run = claims.claim_task(actor=atlas, task=asking)
    runs.progress_run(actor=atlas, run_id=run.pk, percent=40, note=text, plan=plan, external_url=made["external_url"])
    first = ask_run(actor=atlas, run_id=run.pk, questions=questions_of(text)[1:]).questions
    # The answers of an open form are text, too.
    values = [[text], {"<b>line</b>": text, "\"'>one": text, "count": 1, "really": True}, text]
    answers = [
        {"question_id": each.pk, "value": value, "note": text} for each, value in zip(first, values, strict=True)
    ]
    assert not [each for each in answer_questions(actor=cast.ada.user, items=answers) if isinstance(each, Exception)]
    ask_run(actor=atlas, run_id=run.pk, questions=questions_of(text), checkpoint={text: text})

    said = post_message(actor=atlas, task=asking, body=f"{text} @hugo")
    edit_message(actor=atlas, message=said, body=f"{text} {text} @hugo")
    post_message(actor=cast.ada.user, task=asking, body=text, in_reply_to=said.pk)
    react(actor=hugo, message=said, emoji="👍")
    instruction = post_message(actor=cast.ada.user, task=asking, body=text, kind="instruction")
    ack_message(actor=atlas, message=instruction, outcome="declined", note=text)
    Message.objects.create(project=cast.ops, task=asking, author_name=text[:150], body=text, at=clock.now())
    quoted = post_in_channel(actor=atlas, project=cast.ops, body=f"{text} @hugo")
    post_in_channel(actor=cast.ada.user, project=cast.ops, body=text, in_reply_to=quoted.pk)
    post_direct(actor=atlas, to=hugo, body=text)

    failed = new_task(text[:300], max_attempts=1)
    run = claims.claim_task(actor=atlas, task=failed)
    runs.fail_run(actor=atlas, run_id=run.pk, code="broken", detail=text, retryable=False)
    effect = prepare(list(Event.objects.order_by("pk")))
    assert effect
    with transaction.atomic():
        effect()
    assert Mail.objects.exists()
    return SimpleNamespace(
        judged=Task.objects.get(pk=judged.pk),
        asking=Task.objects.get(pk=asking.pk),
        failed=failed,
        webhook=webhook,
        delivery=WebhookDelivery.objects.get(),
    )
