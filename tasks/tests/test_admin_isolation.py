"""Who gets into the admin, and that staff of one project see nothing of another anywhere."""

import json
import re

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tasks.actions.agents import create_token
from tasks.actions.claims import claim_task
from tasks.actions.runs import complete_run
from tasks.models import Agent, AgentToken, Assignment, Label, Membership, Role, Task
from tasks.tests.admin_pages import as_posted, messages_of, signed_in
from tasks.tests.cast import join, make_user
from tasks.using.bulk import BULK_VERBS
from tasks.verbs import Door, On
from tasks.verbs.catalogue import at

OURS = [model for model in admin.site._registry if model._meta.app_label == "tasks"]
SECRETS = ("OTHER", "Somewhere else", "zed", "mona", "Hidden work", "hidden-label")


def secrets_in(text):
    """The words of another project in ``text``; whole words, since a CSRF token may contain any three letters."""
    return [word for word in SECRETS if re.search(rf"\b{word}\b", text)]


@pytest.fixture
def ada(cast):
    return signed_in(cast.ada.user)


@pytest.fixture
def hidden(cast, new_task):
    """Work of a project that ada has no part in, with everything that can be attached to it."""
    task = new_task(
        "Hidden work", project=cast.other, actor=cast.mona.user, labels=["hidden-label"], assignees=[cast.zed]
    )
    run = claim_task(actor=cast.zed.user, task=task)
    complete_run(actor=cast.zed.user, run_id=run.pk, summary="Hidden result")
    create_token(actor=cast.mona.user, agent=cast.zed, name="Hidden token")
    return new_task("Hidden work too", project=cast.other, actor=cast.mona.user, labels=["hidden-label"])


def holds_nothing(response) -> None:
    text = response.content.decode()
    assert secrets_in(text) == []


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.model_name)
def test_lists_show_nothing_of_another_project(cast, new_task, hidden, ada, model):
    new_task(labels=["ours"])
    name = model._meta.model_name
    for query in ({}, {"q": hidden.ref}, {"q": "Hidden"}, {"q": "zed"}, {"q": str(hidden.number)}):
        response = ada.get(reverse(f"admin:tasks_{name}_changelist"), query)
        assert response.status_code == 200
        assert secrets_in(response.content.decode().replace(query.get("q", "\0"), "")) == []


@pytest.mark.parametrize(
    "query", [{"project": "OTHER"}, {"assignee": "zed"}, {"label": "hidden-label"}, {"skill": "python"}]
)
def test_filters_by_hidden_names_find_nothing(cast, new_task, hidden, ada, query):
    new_task()
    response = ada.get(reverse("admin:tasks_task_changelist"), query)
    assert list(response.context["cl"].result_list) == []


def test_own_pages_offer_nothing_of_another_project(cast, new_task, hidden, ada):
    task = new_task()
    pages = [
        reverse("admin:index"),
        reverse("admin:tasks_task_add"),
        reverse("admin:tasks_agent_add"),
        reverse("admin:tasks_label_add"),
        reverse("admin:tasks_task_change", args=[task.pk]),
        reverse("admin:tasks_agent_change", args=[cast.atlas.pk]),
        reverse("admin:tasks_project_change", args=[cast.ops.pk]),
        reverse("admin:tasks_task_bulk", args=["assign"]) + f"?ids={task.pk}",
    ]
    for url in pages:
        response = ada.get(url)
        assert response.status_code == 200, url
        holds_nothing(response)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.model_name)
@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_guessed_addresses_show_nothing_of_another_project(cast, new_task, hidden, ada, model, page):
    name = model._meta.model_name
    hidden_rows = {
        "agent": [cast.zed.pk, cast.mona.pk],
        "project": [cast.other.pk],
        "task": [hidden.pk, hidden.ref],
        "label": list(Label.objects.filter(project=cast.other).values_list("pk", flat=True)),
    }
    rows = hidden_rows.get(name, list(model._base_manager.values_list("pk", flat=True)[:3]))
    for pk in rows:
        response = ada.get(reverse(f"admin:tasks_{name}_{page}", args=[pk]), follow=True)
        text = response.content.decode().replace(str(pk), "")
        assert secrets_in(text) == []


def test_autocomplete_offers_tasks_and_agents_of_own_projects_only(cast, new_task, hidden, ada):
    own = new_task("Hidden in plain sight")
    sources = {"task": ("task", "parent"), "dependency": ("dependency", "depends_on"), "agent": ("assignment", "agent")}
    for model, field in sources.values():
        for term in ("", "Hidden", hidden.ref, "zed"):
            answer = ada.get(
                reverse("admin:autocomplete"),
                {"app_label": "tasks", "model_name": model, "field_name": field, "term": term},
            )
            shown = {row["text"] for row in json.loads(answer.content)["results"]}
            assert shown <= {str(own), "ada", "rita", "hugo", "atlas", "bert"}
    answer = ada.get(
        reverse("admin:autocomplete"),
        {"app_label": "tasks", "model_name": "task", "field_name": "parent", "term": own.ref},
    )
    assert json.loads(answer.content)["results"] == [{"id": str(own.pk), "text": str(own)}]


@pytest.mark.parametrize("verb", sorted(BULK_VERBS))
def test_bulk_verbs_on_guessed_ids_touch_nothing_of_another_project(cast, new_task, hidden, ada, verb):
    before = Task.objects.get(pk=hidden.pk)
    data = {"ids": str(hidden.pk), "agents": [cast.atlas.pk], "note": "mine now"}
    response = ada.post(reverse("admin:tasks_task_bulk", args=[verb]), data, follow=True)
    holds_nothing(response)
    assert messages_of(response) == [f"Could not {BULK_VERBS[verb].to('1 task')} (a task): It no longer exists."]
    assert Task.objects.get(pk=hidden.pk).version == before.version
    response = ada.get(reverse("admin:tasks_task_bulk", args=[verb]), {"ids": str(hidden.pk)}, follow=True)
    assert messages_of(response) == ["None of these tasks exists any more."]


@pytest.mark.parametrize("verb", sorted({verb.name for verb in at(Door.ADMIN, On.TASK, On.RUN)}))
def test_page_verbs_on_guessed_ids_are_not_found(hidden, ada, verb):
    assert ada.post(reverse("admin:tasks_task_verb", args=[hidden.pk, verb]), {}).status_code == 404
    assert Task.objects.get(pk=hidden.pk).status == "not_started"


def test_other_task_addresses_on_guessed_ids_are_not_found(cast, hidden, ada):
    for name in ("adopt", "unassign"):
        url = reverse(f"admin:tasks_task_{name}", args=[hidden.pk])
        assert ada.post(url, {"agent": "zed", "number": "1"}).status_code == 404


def test_forms_with_guessed_ids_of_another_project_are_refused(cast, new_task, hidden, ada):
    task = new_task()
    url = reverse("admin:tasks_task_change", args=[task.pk])
    form = as_posted(ada.get(url))
    for change in ({"parent": hidden.pk}, {"depends_on": [hidden.pk]}):
        page = ada.post(url, form | change)
        assert page.status_code == 200
        holds_nothing(page)
    url = reverse("admin:tasks_task_add")
    form = as_posted(ada.get(url)) | {"title": "x"}
    for change in ({"project": cast.other.pk}, {"assignees": [cast.zed.pk]}):
        page = ada.post(url, form | change)
        assert page.status_code == 200
        holds_nothing(page)
    assert Task.objects.filter(title="x").count() == 0


def test_agents_of_others_get_no_token_and_lose_none(cast, hidden, ada):
    token = AgentToken.objects.get()
    assert ada.get(reverse("admin:tasks_agent_tokens", args=[cast.zed.pk])).status_code == 404
    assert ada.post(reverse("admin:tasks_agent_tokens", args=[cast.zed.pk]), {"name": "x"}).status_code == 404
    assert ada.post(reverse("admin:tasks_agent_revoke", args=[cast.zed.pk, token.pk])).status_code == 404
    assert ada.post(reverse("admin:tasks_agent_revoke", args=[cast.atlas.pk, token.pk])).status_code == 404
    token.refresh_from_db()
    assert (AgentToken.objects.count(), token.revoked_at) == (1, None)


def test_assigning_an_agent_of_another_project_is_refused(cast, new_task, ada):
    task = new_task()
    data = {"ids": str(task.pk), "agents": [cast.zed.pk]}
    page = ada.post(reverse("admin:tasks_task_bulk", args=["assign"]), data)
    assert "is not one of the available choices" in page.content.decode()
    assert not Assignment.objects.filter(agent=cast.zed).exists()


@pytest.mark.parametrize(
    "lookup",
    ["runs__id__startswith", "runs", "created_by__password__startswith", "project__last_number__gt", "title"],
)
def test_free_lookups_in_the_address_are_refused(cast, new_task, ada, lookup):
    new_task()
    assert ada.get(reverse("admin:tasks_task_changelist"), {lookup: "a"}).status_code == 400


def test_addresses_of_single_runs_and_events_do_not_exist(cast, new_task, ada):
    task = new_task()
    run = claim_task(actor=cast.atlas.user, task=task)
    assert ada.get(reverse("admin:tasks_run_change", args=[run.pk])).status_code == 404
    root = signed_in(cast.root)
    assert root.get(reverse("admin:tasks_run_change", args=[run.pk])).status_code == 404
    assert root.get(reverse("admin:tasks_run_add")).status_code == 403
    assert root.get(reverse("admin:tasks_event_add")).status_code == 403


def test_shortcut_to_the_site_reveals_no_ref_of_another_project(cast, hidden, ada):
    from django.contrib.contenttypes.models import ContentType

    kind = ContentType.objects.get_for_model(Task)
    try:
        url = reverse("admin:view_on_site", args=[kind.pk, hidden.pk])
    except NoReverseMatch:
        return
    assert ada.get(url).status_code == 404


@pytest.mark.parametrize("who", ["hugo", "rita", "atlas", "vera"])
def test_people_without_staff_rights_are_refused(cast, new_task, who):
    task = new_task()
    person = getattr(cast, who)
    client = signed_in(getattr(person, "user", person))
    for url in (
        reverse("admin:index"),
        reverse("admin:tasks_task_changelist"),
        reverse("admin:tasks_task_change", args=[task.pk]),
        reverse("admin:tasks_agent_tokens", args=[cast.atlas.pk]),
        reverse("admin:tasks_task_bulk", args=["cancel"]),
    ):
        assert client.get(url).status_code == 302
        assert "/login/" in client.get(url).url
    client.post(reverse("admin:tasks_task_verb", args=[task.pk, "cancel"]), {})
    client.post(reverse("admin:tasks_task_bulk", args=["cancel"]), {"ids": str(task.pk)})
    client.post(reverse("admin:tasks_agent_tokens", args=[cast.atlas.pk]), {"name": "x"})
    task.refresh_from_db()
    assert (task.status, AgentToken.objects.count()) == ("not_started", 0)
    assert Client().get(reverse("admin:tasks_task_changelist")).status_code == 302


def test_staff_who_manage_nothing_see_nothing_but_may_begin_a_project(cast, new_task):
    user = make_user("newcomer", is_staff=True)
    task = new_task()
    client = signed_in(user)
    assert client.get(reverse("admin:tasks_task_changelist")).status_code == 403
    url = reverse("admin:tasks_project_add")
    data = as_posted(client.get(url)) | {"key": "FRESH", "name": "Fresh"}
    client.post(url, data)
    assert Membership.objects.get(user=user).role == Role.MANAGER
    response = client.get(reverse("admin:tasks_task_changelist"))
    assert response.status_code == 200
    assert task.ref not in response.content.decode()


def test_staff_who_are_only_reviewers_do_not_manage_in_the_admin(cast, new_task):
    user = make_user("rev", is_staff=True)
    join(cast.ops, user, Role.REVIEWER)
    task = new_task()
    client = signed_in(user)
    assert client.get(reverse("admin:tasks_task_changelist")).status_code == 403
    client.post(reverse("admin:tasks_task_bulk", args=["cancel"]), {"ids": str(task.pk)})
    task.refresh_from_db()
    assert task.status == "not_started"


def test_superuser_sees_all_projects(cast, new_task, hidden):
    new_task("Open work")
    page = signed_in(cast.root).get(reverse("admin:tasks_task_changelist")).content.decode()
    assert "Open work" in page
    assert "Hidden work" in page


def test_no_list_deletes_rows_without_a_verb(cast, rf):
    request = rf.get("/")
    request.user = cast.root
    assert [model for model in OURS if "delete_selected" in admin.site._registry[model].get_actions(request)] == []


def test_accounts_and_groups_are_for_superusers_and_nobody_is_deleted(cast, ada):
    assert ada.get(reverse("admin:auth_user_changelist")).status_code == 403
    root = signed_in(cast.root)
    assert root.get(reverse("admin:auth_user_changelist")).status_code == 200
    assert root.post(reverse("admin:auth_user_delete", args=[cast.atlas.user.pk]), {"post": "yes"}).status_code == 403
    assert root.post(reverse("admin:tasks_agent_delete", args=[cast.atlas.pk]), {"post": "yes"}).status_code == 403
    assert root.post(reverse("admin:tasks_project_delete", args=[cast.ops.pk]), {"post": "yes"}).status_code == 403
    assert Agent.objects.filter(slug="atlas").exists()
