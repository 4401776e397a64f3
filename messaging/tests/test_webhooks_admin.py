"""Webhooks in the admin: buttons that call the verbs, the secret once, and hostile text as text."""

import re

import pytest
from django.urls import reverse
from django.utils.html import escape

from messaging.models import Webhook, WebhookDelivery, WebhookKey
from messaging.webhooks import endpoints
from messaging.webhooks.keys import unseal
from tasks.tests.admin_pages import messages_of, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_machine")]

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def ada(cast):
    return signed_in(cast.ada.user)


@pytest.fixture
def webhook(cast):
    made, _ = endpoints.create_webhook(
        actor=cast.ada.user, project=cast.ops, url=f"{URL}?<script>alert(1)</script>", description=HOSTILE
    )
    return made


@pytest.fixture
def delivery(cast, webhook):
    made = endpoints.send_test(actor=cast.ada.user, webhook=webhook)
    attempt = {"at": HOSTILE, "status": None, "error": HOSTILE, "milliseconds": 1, "answer": HOSTILE}
    WebhookDelivery.objects.filter(pk=made.pk).update(
        attempts=[attempt], state="failed", ended_at=made.created_at, kind="webhook.test"
    )
    return WebhookDelivery.objects.get(pk=made.pk)


def change(model, pk):
    return reverse(f"admin:messaging_{model}_change", args=[pk])


def test_add_shows_the_secret_once_and_a_refusal_at_its_field(cast, ada):
    url = reverse("admin:messaging_webhook_add")
    page = ada.get(url, {"project": "OPS"})
    assert "OTHER" not in page.content.decode()
    data = {"project": cast.ops.pk, "url": "https://10.0.0.1/", "format": "plain", "description": HOSTILE}
    refused = ada.post(url, data)
    assert "does not lead to the public internet" in refused.content.decode()
    assert not Webhook.objects.exists()
    assert ada.post(url, data | {"project": cast.other.pk, "url": URL}).status_code == 200
    assert not Webhook.objects.exists()
    made = ada.post(url, data | {"url": URL, "kinds": ["task.created"]})
    (key,) = WebhookKey.objects.all()
    assert escape(unseal(key.sealed)) in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    webhook = Webhook.objects.get()
    assert (webhook.kinds, webhook.created_by) == (["task.created"], cast.ada.user)
    assert unseal(key.sealed)[6:20] not in ada.get(change("webhook", webhook.pk)).content.decode()


def test_pages_show_hostile_text_as_text(ada, webhook, delivery):
    pages = [
        reverse("admin:messaging_webhook_changelist"),
        reverse("admin:messaging_webhookdelivery_changelist"),
        change("webhook", webhook.pk),
        change("webhookdelivery", delivery.pk),
        reverse("admin:messaging_webhook_edit", args=[webhook.pk]),
    ]
    for url in pages:
        page = ada.get(url)
        assert page.status_code == 200
        text = page.content.decode()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "alert(1)" in text, f"{url} shows it"


def test_buttons_test_disable_enable_and_delete(ada, webhook):
    def press(verb):
        url = reverse("admin:messaging_webhook_verb", args=[webhook.pk, verb])
        assert ada.get(url).status_code == 302, "only a POST does anything"
        return messages_of(ada.post(url, follow=True))

    number = f"webhook {webhook.pk}"
    assert press("test") == [f"A test is on its way to {number}."]
    assert WebhookDelivery.objects.get().kind == "webhook.test"
    assert press("disable") == [f"Disabled {number}."]
    assert press("test") == ["The webhook is disabled, so nothing is sent to it; enable it first."]
    assert press("enable") == [f"Enabled {number}."]
    assert ada.post(reverse("admin:messaging_webhook_verb", args=[webhook.pk, "explode"])).status_code == 404
    url = reverse("admin:messaging_webhook_verb", args=[webhook.pk, "delete"])
    assert messages_of(ada.post(url, follow=True)) == [f"Deleted {number}."]
    assert not Webhook.objects.exists()


def test_edit_and_new_key(ada, webhook):
    url = reverse("admin:messaging_webhook_edit", args=[webhook.pk])
    assert ada.post(url, {"url": "ftp://x/", "format": "plain"}).status_code == 200
    done = ada.post(url, {"url": URL, "format": "cloudevents", "kinds": ["task.edited"]}, follow=True)
    assert messages_of(done) == [f"Changed webhook {webhook.pk}."]
    webhook.refresh_from_db()
    assert (webhook.url, webhook.format, webhook.kinds, webhook.description) == (
        URL,
        "cloudevents",
        ["task.edited"],
        "",
    )
    url = reverse("admin:messaging_webhook_rotate", args=[webhook.pk])
    assert ada.get(url).status_code == 302
    page = ada.post(url)
    assert "no-store" in page["Cache-Control"]
    assert re.search(r'value="whsec_', page.content.decode())
    assert WebhookKey.objects.count() == 2
    ada.post(url, {"old": "ends"})
    assert WebhookKey.objects.count() == 1


def test_deliveries_are_sent_again_by_button_and_for_many(ada, webhook, delivery):
    done = ada.post(reverse("admin:messaging_webhookdelivery_redeliver", args=[delivery.pk]), follow=True)
    assert messages_of(done) == ["It is sent again."]
    assert WebhookDelivery.objects.get().state == "pending"
    WebhookDelivery.objects.update(state="failed", ended_at=delivery.created_at)
    data = {"action": "redeliver", "_selected_action": [delivery.pk]}
    done = ada.post(reverse("admin:messaging_webhookdelivery_changelist"), data, follow=True)
    assert messages_of(done) == ["1 are sent again."]
    assert WebhookDelivery.objects.get().state == "pending"
    for query, shown in (("?state=pending", True), ("?state=failed", False), (f"?webhook={webhook.pk}", True)):
        page = ada.get(reverse("admin:messaging_webhookdelivery_changelist") + query)
        assert (delivery.message_id in page.content.decode()) is shown
    assert ada.get(reverse("admin:messaging_webhookdelivery_changelist") + "?webhook=x").status_code == 200
    assert (
        ada.get(reverse("admin:messaging_webhookdelivery_changelist") + "?webhook__keys__sealed=x").status_code == 400
    )


def test_managers_of_other_projects_see_and_change_nothing(cast, webhook, delivery):
    mona = signed_in(cast.mona.user)
    for url in (change("webhook", webhook.pk), change("webhookdelivery", delivery.pk)):
        assert mona.get(url).status_code == 404
    for url in (
        reverse("admin:messaging_webhook_verb", args=[webhook.pk, "delete"]),
        reverse("admin:messaging_webhook_rotate", args=[webhook.pk]),
        reverse("admin:messaging_webhook_edit", args=[webhook.pk]),
        reverse("admin:messaging_webhookdelivery_redeliver", args=[delivery.pk]),
    ):
        assert mona.post(url).status_code == 404
    for model in ("webhook", "webhookdelivery"):
        page = mona.get(reverse(f"admin:messaging_{model}_changelist"))
        assert page.status_code == 200
        assert "127.0.0.1:9" not in page.content.decode()
        assert delivery.message_id not in page.content.decode()
    data = {"action": "redeliver", "_selected_action": [delivery.pk]}
    mona.post(reverse("admin:messaging_webhookdelivery_changelist"), data)
    assert WebhookDelivery.objects.get().state == "failed"
    assert Webhook.objects.exists()
    for name in ("delete", "history"):
        assert mona.get(reverse(f"admin:messaging_webhook_{name}", args=[webhook.pk])).status_code in (302, 403, 404)


def test_project_page_links_to_its_webhooks(cast, ada, webhook):
    page = ada.get(reverse("admin:tasks_project_change", args=[cast.ops.pk])).content.decode()
    assert f"{reverse('admin:messaging_webhook_changelist')}?project=OPS" in page
    listed = ada.get(f"{reverse('admin:messaging_webhook_changelist')}?project=OPS")
    assert listed.status_code == 200
    assert "127.0.0.1:9" in listed.content.decode()
