"""The page that assigns one task: who sees the form, who a sentence, and who nothing."""

import pytest
from django.urls import reverse

from tasks.actions import lifecycle


@pytest.fixture
def page(client):
    def get(user, task):
        client.force_login(user)
        return client.get(reverse("assign_task", args=[task.ref]))

    return get


def test_form_offers_the_members_who_work(page, cast, new_task):
    answer = page(cast.ada.user, new_task())
    assert [agent.slug for agent in answer.context["agents"]] == ["ada", "atlas", "bert", "hugo", "rita"]
    assert "data-assign" in answer.content.decode()


def test_others_are_told_why_not(page, cast, new_task):
    task = new_task()
    refused = page(cast.hugo.user, task).content.decode()
    assert "data-assign" not in refused
    assert "data-why" in refused
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    assert "OPS-1 is cancelled; only open tasks can be assigned." in page(cast.ada.user, task).content.decode()


def test_who_may_not_see_the_task_finds_no_page(page, cast, new_task):
    assert page(cast.mona.user, new_task()).status_code == 404
