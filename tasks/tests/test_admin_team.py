"""Agents, their tokens, projects and their members in the admin."""

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tasks.actions.agents import create_token
from tasks.actions.assignments import assign_task
from tasks.actions.claims import claim_task
from tasks.models import Agent, AgentToken, Invitation, Label, Membership, Project, Role, Skill
from tasks.tests.admin_pages import as_posted, messages_of, signed_in
from tasks.tests.cast import join, make_agent
from tasks.using.tokens import TokenForm


@pytest.fixture
def ada(cast):
    return signed_in(cast.ada.user)


def change(client, name, row, **fields):
    url = reverse(f"admin:tasks_{name}_change", args=[row.pk])
    return client.post(url, as_posted(client.get(url)) | fields, follow=True)


def errors_of(response) -> list[str]:
    form = response.context["adminform"].form
    errors = [text for texts in form.errors.values() for text in texts]
    for inline in response.context["inline_admin_formsets"]:
        errors += [text for row in inline.formset.forms for texts in row.errors.values() for text in texts]
    return errors


# -- agents -----------------------------------------------------------------------------------------------------------


def test_add_agent_creates_it_with_skills_in_the_project(cast, ada):
    url = reverse("admin:tasks_agent_add")
    data = as_posted(ada.get(url)) | {
        "slug": "cora",
        "max_concurrent": "3",
        "projects": [cast.ops.pk],
        "role": "reviewer",
        "skills-TOTAL_FORMS": "1",
        "skills-0-skill": Skill.objects.get(name="python").pk,
        "skills-0-level": "5",
    }
    ada.post(url, data)
    agent = Agent.objects.get(slug="cora")
    assert (agent.name, agent.kind, agent.max_concurrent) == ("cora", "llm", 3)
    assert [str(skill) for skill in agent.skills.all()] == ["python:5"]
    assert Membership.objects.get(user=agent.user).role == Role.REVIEWER
    assert not agent.user.has_usable_password()


def test_add_agent_without_a_project_is_refused_to_managers_only(cast, ada):
    url = reverse("admin:tasks_agent_add")
    page = ada.post(url, as_posted(ada.get(url)) | {"slug": "lost"})
    assert errors_of(page) == ["This field is required."]
    root = signed_in(cast.root)
    root.post(url, as_posted(root.get(url)) | {"slug": "free"})
    assert Agent.objects.filter(slug="free").exists()
    assert not Agent.objects.filter(slug="lost").exists()


def test_add_agent_with_a_taken_name_is_a_form_error(cast, ada):
    url = reverse("admin:tasks_agent_add")
    page = ada.post(url, as_posted(ada.get(url)) | {"slug": "vera", "projects": [cast.ops.pk]})
    assert "taken" in " ".join(errors_of(page))


def test_add_agent_whose_role_does_not_fit_leaves_nothing_behind(cast, ada):
    url = reverse("admin:tasks_agent_add")
    page = ada.post(url, as_posted(ada.get(url)) | {"slug": "x", "projects": [cast.ops.pk], "role": "manager"})
    assert errors_of(page)
    assert not Agent.objects.filter(slug="x").exists()


def test_edit_agent_changes_capacity_and_skills_through_the_verb(cast, ada):
    change(ada, "agent", cast.atlas, max_concurrent="4", **{"skills-0-level": "5", "skills-1-DELETE": "on"})
    agent = Agent.objects.get(slug="atlas")
    assert agent.max_concurrent == 4
    assert sorted(str(skill) for skill in agent.skills.all()) == ["docs:5"]


def test_edit_agent_with_a_capacity_of_zero_is_a_form_error(cast, ada):
    page = change(ada, "agent", cast.atlas, max_concurrent="0")
    assert errors_of(page)
    assert Agent.objects.get(slug="atlas").max_concurrent == 10


def test_agents_list_shows_load_and_pauses_many(cast, new_task, ada):
    task = new_task()
    assign_task(actor=cast.ada.user, task=new_task(), agents=[cast.atlas])
    claim_task(actor=cast.atlas.user, task=task)
    url = reverse("admin:tasks_agent_changelist")
    assert "1 active + 1 assigned of 10" in ada.get(url).content.decode()
    done = ada.post(url, {"action": "pause", "_selected_action": [cast.atlas.pk, cast.bert.pk]}, follow=True)
    assert messages_of(done) == ["Paused: atlas, bert."]
    shown = ada.get(url, {"availability": "paused"}).context["cl"].result_list
    assert {agent.slug for agent in shown} == {"atlas", "bert"}


def test_agents_list_with_more_agents_costs_no_more_queries(cast, ada, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    url = reverse("admin:tasks_agent_changelist")
    ada.get(url)
    with CaptureQueriesContext(connection) as few:
        ada.get(url)
    for number in range(10):
        join(cast.ops, make_agent(f"more-{number}", skills={"docs": 1, "python": 2}).user, Role.WORKER)
    with django_assert_num_queries(len(few)):
        ada.get(url)


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_token_is_shown_in_one_answer_and_kept_nowhere(cast, ada):
    url = reverse("admin:tasks_agent_tokens", args=[cast.atlas.pk])
    answer = ada.post(url, {"name": "laptop"})
    plain = answer.context["plain"]
    token = AgentToken.objects.get()
    assert plain.startswith("tp_")
    assert answer.content.decode().count(plain) == 2
    assert "no-store" in answer["Cache-Control"]
    assert plain not in str(answer.cookies)
    assert plain not in str(dict(ada.session))
    assert plain not in str(AgentToken.objects.values())
    for again in (url, reverse("admin:tasks_agent_change", args=[cast.atlas.pk]), reverse("admin:index")):
        assert plain not in ada.get(again).content.decode()
    assert token.hint in ada.get(reverse("admin:tasks_agent_change", args=[cast.atlas.pk])).content.decode()


def test_token_form_sent_twice_makes_one_token(cast, ada):
    url = reverse("admin:tasks_agent_tokens", args=[cast.atlas.pk])
    ada.post(url, {"name": "laptop"})
    again = ada.post(url, {"name": "laptop"})
    assert again.context["plain"] is None
    assert "revoke it or choose another name" in again.content.decode()
    assert AgentToken.objects.count() == 1


def test_token_expires_at_the_end_of_its_last_day(cast, ada):
    url = reverse("admin:tasks_agent_tokens", args=[cast.atlas.pk])
    ada.post(url, {"name": "short", "valid_until": "2031-05-01"})
    expires = timezone.localtime(AgentToken.objects.get().expires_at)
    assert (expires.date(), expires.hour) == (date(2031, 5, 2), 0)
    yesterday = timezone.localdate() - timedelta(days=1)
    page = ada.post(url, {"name": "past", "valid_until": yesterday.isoformat()})
    assert "Must be in the future." in page.content.decode()
    assert TokenForm({"name": ""}, actor=cast.ada.user, agent=cast.atlas).is_valid() is False


def test_token_form_limits_the_token_and_offers_what_its_maker_may_choose(cast, ada):
    join(cast.other, cast.hugo.user, Role.WORKER)
    url = reverse("admin:tasks_agent_tokens", args=[cast.hugo.pk])
    page = ada.get(url)
    assert [project.key for project in page.context["form"].fields["projects"].queryset] == ["OPS"]
    assert "Later projects are not added." in page.content.decode()
    ada.post(url, {"name": "any"})
    ada.post(url, {"name": "reads", "projects": [cast.ops.pk], "read_only": "on"})
    refused = ada.post(url, {"name": "more", "projects": [cast.other.pk]})
    assert refused.context["plain"] is None
    made = {token.name: token for token in AgentToken.objects.prefetch_related("projects")}
    assert {name: (token.is_limited, token.read_only) for name, token in made.items()} == {
        "any": (True, False),
        "reads": (True, True),
    }
    assert all(list(token.projects.all()) == [cast.ops] for token in made.values())
    create_token(actor=None, agent=cast.hugo, name="his own", projects=["OPS", "OTHER"])
    shown = ada.get(reverse("admin:tasks_agent_change", args=[cast.hugo.pk])).content.decode()
    assert "Read only" in shown
    assert "his own" not in shown


def test_revoked_token_is_reported_and_its_button_is_gone(cast, ada):
    ada.post(reverse("admin:tasks_agent_tokens", args=[cast.atlas.pk]), {"name": "laptop"})
    token = AgentToken.objects.get()
    url = reverse("admin:tasks_agent_revoke", args=[cast.atlas.pk, token.pk])
    ada.get(url)
    token.refresh_from_db()
    assert token.revoked_at is None
    done = ada.post(url, follow=True)
    assert messages_of(done) == ["Revoked the token laptop of atlas."]
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert url not in done.content.decode()


def test_agent_that_another_project_owns_is_read_and_not_changed(cast, ada):
    join(cast.ops, cast.zed.user, Role.WORKER)
    create_token(actor=None, agent=cast.zed, name="not for ada")
    page = ada.get(reverse("admin:tasks_agent_change", args=[cast.zed.pk]))
    assert page.status_code == 200
    assert "Save" not in page.content.decode()
    assert "not for ada" not in page.content.decode()
    assert ada.post(reverse("admin:tasks_agent_tokens", args=[cast.zed.pk]), {"name": "x"}).status_code == 403
    done = ada.post(
        reverse("admin:tasks_agent_changelist"), {"action": "pause", "_selected_action": [cast.zed.pk]}, follow=True
    )
    assert "the rest is for its owner" in messages_of(done)[0]
    assert AgentToken.objects.count() == 1


def test_agent_is_handed_over_by_its_owner(cast, ada):
    change(ada, "agent", cast.atlas, owning_project="", owning_person="ada")
    assert Agent.objects.get(slug="atlas").owner_user == cast.ada.user
    page = change(ada, "agent", cast.atlas, owning_project="", owning_person="mona")
    assert errors_of(page) == ["Name yourself or a project that you manage, not 'mona'."]
    assert errors_of(change(ada, "agent", cast.atlas, owning_project=cast.ops.pk)) == [
        "Choose a project, or name a person."
    ]
    change(ada, "agent", cast.atlas, owning_project=cast.ops.pk, owning_person="")
    assert Agent.objects.get(slug="atlas").owner_project == cast.ops


# -- projects ---------------------------------------------------------------------------------------------------------


def members(project) -> dict[str, str]:
    return dict(Membership.objects.filter(project=project).values_list("user__username", "role"))


def row_of(page, name: str) -> int:
    formset = page.context["inline_admin_formsets"][0].formset
    return next(i for i, form in enumerate(formset.initial_forms) if form.instance.user.username == name)


def test_edit_project_changes_its_rules(cast, ada):
    change(ada, "project", cast.ops, lease_seconds="120", allow_pull="")
    cast.ops.refresh_from_db()
    assert (cast.ops.lease_seconds, cast.ops.allow_pull) == (120, False)
    page = change(ada, "project", cast.ops, lease_seconds="1")
    assert errors_of(page)


def test_members_are_added_changed_and_removed_through_the_verbs(cast, ada):
    make_agent("newbie", owner=cast.ops)
    page = ada.get(reverse("admin:tasks_project_change", args=[cast.ops.pk]))
    hugo, vera = row_of(page, "hugo"), row_of(page, "vera")
    total = int(as_posted(page)["memberships-TOTAL_FORMS"])
    change(
        ada,
        "project",
        cast.ops,
        **{
            "memberships-TOTAL_FORMS": str(total + 1),
            f"memberships-{hugo}-role": "reviewer",
            f"memberships-{vera}-DELETE": "on",
            f"memberships-{total}-member": "newbie",
            f"memberships-{total}-role": "worker",
        },
    )
    assert members(cast.ops) == {
        "ada": "manager",
        "rita": "reviewer",
        "hugo": "reviewer",
        "atlas": "worker",
        "bert": "worker",
        "newbie": "worker",
    }


@pytest.mark.parametrize(
    ("name", "role", "reason"),
    [
        ("no such name", "worker", "'no such name' cannot be a name; use letters, digits and @ . + - _ only."),
        ("lent", "manager", "role: lent is an LLM agent; it can be worker or reviewer."),
        ("hugo", "worker", "hugo is already listed."),
    ],
)
def test_member_that_cannot_be_is_a_form_error(cast, ada, name, role, reason):
    make_agent("lent", owner=cast.ops)
    page = ada.get(reverse("admin:tasks_project_change", args=[cast.ops.pk]))
    total = int(as_posted(page)["memberships-TOTAL_FORMS"])
    before = members(cast.ops)
    page = change(
        ada,
        "project",
        cast.ops,
        **{
            "memberships-TOTAL_FORMS": str(total + 1),
            f"memberships-{total}-member": name,
            f"memberships-{total}-role": role,
        },
    )
    assert any(reason in text for text in errors_of(page)), errors_of(page)
    assert members(cast.ops) == before


@pytest.mark.parametrize("name", ["zed", "mona", "nobody-here"])
def test_accounts_of_others_and_unknown_names_are_invited_alike(cast, ada, name):
    page = ada.get(reverse("admin:tasks_project_change", args=[cast.ops.pk]))
    total = int(as_posted(page)["memberships-TOTAL_FORMS"])
    fields = {
        "memberships-TOTAL_FORMS": str(total + 1),
        f"memberships-{total}-member": name,
        f"memberships-{total}-role": "worker",
    }
    page = change(ada, "project", cast.ops, **fields)
    said = f"{name} is invited as worker and joins by accepting, if this account exists."
    assert said in messages_of(page)
    add = reverse("admin:tasks_membership_add")
    page = ada.post(
        add, as_posted(ada.get(add)) | {"project": cast.ops.pk, "member": name, "role": "worker"}, follow=True
    )
    assert messages_of(page) == [said]
    invitation = Invitation.objects.get()
    assert name not in members(cast.ops)
    page = ada.get(reverse("admin:tasks_invitation_change", args=[invitation.pk]))
    assert "user" not in page.context["adminform"].fieldsets[0][1]["fields"]
    rows = ada.get(reverse("admin:tasks_invitation_changelist"))
    assert name in rows.content.decode()
    done = ada.post(
        reverse("admin:tasks_invitation_changelist"),
        {"action": "withdraw", "_selected_action": [invitation.pk]},
        follow=True,
    )
    assert messages_of(done) == [f"Withdrew the invitation of {name}."]


def test_superuser_who_sees_everybody_is_told_of_an_unknown_name(cast):
    root = signed_in(cast.root)
    add = reverse("admin:tasks_membership_add")
    fields = {"project": cast.ops.pk, "role": "worker"}
    page = root.post(add, as_posted(root.get(add)) | fields | {"member": "zedd"})
    assert errors_of(page) == ["There is no agent or user 'zedd'; did you mean 'zed'?"]
    root.post(add, as_posted(root.get(add)) | fields | {"member": "zed"})
    assert members(cast.ops)["zed"] == "worker"


def test_last_manager_cannot_leave(cast, ada):
    page = ada.get(reverse("admin:tasks_project_change", args=[cast.ops.pk]))
    page = change(ada, "project", cast.ops, **{f"memberships-{row_of(page, 'ada')}-DELETE": "on"})
    assert any("without an active manager" in text for text in errors_of(page))
    assert members(cast.ops)["ada"] == "manager"


def test_manager_hands_over_and_leaves_in_one_save(cast, ada):
    page = ada.get(reverse("admin:tasks_project_change", args=[cast.ops.pk]))
    change(
        ada,
        "project",
        cast.ops,
        **{f"memberships-{row_of(page, 'ada')}-DELETE": "on", f"memberships-{row_of(page, 'rita')}-role": "manager"},
    )
    assert "ada" not in members(cast.ops)
    assert members(cast.ops)["rita"] == "manager"


def test_add_project_makes_its_creator_the_manager(cast, ada):
    url = reverse("admin:tasks_project_add")
    ada.post(url, as_posted(ada.get(url)) | {"key": "NEW", "name": "New one"})
    assert members(Project.objects.get(key="NEW")) == {"ada": "manager"}
    page = ada.post(url, as_posted(ada.get(url)) | {"key": "lower case", "name": "x"})
    assert any("capital letters" in text for text in errors_of(page))


def test_large_project_has_its_members_in_a_list_of_their_own(cast, ada, monkeypatch):
    monkeypatch.setattr("tasks.admin.projects.MOST_INLINE", 3)
    page = ada.get(reverse("admin:tasks_project_change", args=[cast.ops.pk]))
    assert page.context["inline_admin_formsets"] == []
    assert "Members (6)" in page.content.decode()
    url = reverse("admin:tasks_membership_changelist")
    assert len(ada.get(url, {"project": "OPS"}).context["cl"].result_list) == 6
    assert [row.user.username for row in ada.get(url, {"q": "hug"}).context["cl"].result_list] == ["hugo"]


def test_membership_pages_add_change_and_remove_through_the_verbs(cast, new_task, ada):
    make_agent("newbie", owner=cast.ops)
    url = reverse("admin:tasks_membership_add")
    ada.post(url, as_posted(ada.get(url)) | {"project": cast.ops.pk, "member": "newbie", "role": "worker"})
    row = Membership.objects.get(user__username="newbie")
    change(ada, "membership", row, role="reviewer")
    assert members(cast.ops)["newbie"] == "reviewer"
    page = change(ada, "membership", row, role="manager")
    assert errors_of(page) == ["newbie is an LLM agent; it can be worker or reviewer."]
    task = new_task(assignees=[cast.bert])
    delete = reverse("admin:tasks_membership_delete", args=[Membership.objects.get(user=cast.bert.user).pk])
    assert "an active run is revoked" in ada.get(delete).content.decode()
    ada.post(delete, {"post": "yes"})
    assert "bert" not in members(cast.ops)
    assert not task.assignments.active().exists()
    own = Membership.objects.get(user=cast.ada.user)
    done = ada.post(reverse("admin:tasks_membership_delete", args=[own.pk]), {"post": "yes"}, follow=True)
    assert "without an active manager" in messages_of(done)[-1]
    assert members(cast.ops)["ada"] == "manager"


def test_members_are_not_deleted_without_the_verb(cast, new_task, ada):
    """Django's "delete selected" would end no run, record no event, and take the last manager too."""
    claim_task(actor=cast.bert.user, task=new_task(assignees=[cast.bert]))
    everybody = [row.pk for row in Membership.objects.filter(project=cast.ops)]
    for _ in range(2):
        chosen = {"action": "delete_selected", "_selected_action": everybody, "post": "yes"}
        ada.post(reverse("admin:tasks_membership_changelist"), chosen)
    assert Membership.objects.filter(pk__in=everybody).count() == len(everybody)


# -- skills and labels ------------------------------------------------------------------------------------------------


def test_skills_are_added_by_staff_and_changed_by_superusers_only(cast, ada):
    url = reverse("admin:tasks_skill_add")
    ada.post(url, as_posted(ada.get(url)) | {"name": "rust", "description": "The language"})
    skill = Skill.objects.get(name="rust")
    page = ada.post(reverse("admin:tasks_skill_change", args=[skill.pk]), {"description": "mine"})
    assert page.status_code == 403
    change(signed_in(cast.root), "skill", skill, description="Clearer")
    skill.refresh_from_db()
    assert skill.description == "Clearer"


def test_labels_in_use_are_not_deleted(cast, new_task, ada):
    new_task(labels=["used"])
    free = Label.objects.create(project=cast.ops, name="free")
    used = Label.objects.get(name="used")
    for label in (used, free):
        ada.post(reverse("admin:tasks_label_delete", args=[label.pk]), {"post": "yes"})
    assert list(Label.objects.values_list("name", flat=True)) == ["used"]
