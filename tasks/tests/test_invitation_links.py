"""Invitation links: who makes them, who joins by them as what, what ends them, and what they never give away."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from limits import parse

from taskproject import guessing
from tasks.actions.invitation_links import MOST_LINKS, join_by_link, make_link, revoke_link, sign_up_by_link
from tasks.actions.members import MemberWish, change_members
from tasks.errors import DomainError, Invalid, InvitationEnded, NotPermitted
from tasks.models import Agent, AgentKind, Event, InvitationLink, Membership, Role
from tasks.tests.cast import join, make_user
from tasks.tests.racing import at_once

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
NINA = {"username": "nina", "name": "Nina Nowak", "password1": PASSWORD, "password2": PASSWORD}
PEOPLE = "/projects/OPS/people/"


@pytest.fixture(autouse=True)
def _passwords_are_hashed_quickly(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def browser(user=None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(getattr(user, "user", user))
    return client


def made(client, **fields) -> str:
    """The path of a new link, made on the page."""
    answer = client.post(PEOPLE, {"do": "make_link", "role": "worker", "days": "7", "once": "once", **fields})
    assert answer.status_code == 200, answer.content.decode()
    [path] = re.findall(r"http://testserver(/join/[\w-]+)", answer.content.decode())
    return path


def secret_of(path: str) -> str:
    return path.removeprefix("/join/")


def role_of(name: str) -> str | None:
    return Membership.objects.filter(project__key="OPS", user__username=name).values_list("role", flat=True).first()


def text_of(answer) -> str:
    return answer.content.decode()


def test_person_without_an_account_joins_once_and_is_signed_in(cast):
    ada, visitor = browser(cast.ada), browser()
    path = made(ada, role="reviewer", note="for Nina")
    assert "for Nina" in text_of(ada.get(PEOPLE))
    page = visitor.get(path)
    assert (page.status_code, page.headers["Referrer-Policy"]) == (200, "strict-origin")
    assert "Operations" in text_of(page)
    joined = visitor.post(path, NINA)
    assert joined.headers["Location"] == "/?project=OPS"
    assert "Welcome to Operations" in text_of(visitor.get("/?project=OPS"))
    agent = Agent.objects.get(slug="nina")
    assert (agent.name, agent.kind, role_of("nina")) == ("Nina Nowak", AgentKind.HUMAN, "reviewer")
    assert (agent.user.is_staff, agent.user.is_superuser) == (False, False)
    events = Event.objects.filter(kind__startswith="member.").order_by("pk")
    assert [(event.kind, event.actor_id, event.data.get("role")) for event in events] == [
        ("member.link_made", cast.ada.user.pk, "reviewer"),
        ("member.joined", agent.user_id, "reviewer"),
    ]
    assert "for Nina" not in text_of(ada.get(PEOPLE)), "a used link is no longer open"
    late = browser().get(path)
    assert late.status_code == 409
    assert "has been used" in text_of(late)
    assert "Operations" not in text_of(late)


def test_form_sent_twice_makes_one_account_and_signs_in(cast):
    path = made(browser(cast.ada))
    first, again, other = browser(), browser(), browser()
    assert first.post(path, NINA).status_code == again.post(path, NINA).status_code == 302
    assert again.get("/").status_code == 200
    assert User.objects.filter(username="nina").count() == 1
    assert other.post(path, {**NINA, "password1": "another one", "password2": "another one"}).status_code == 409
    assert other.get("/").status_code == 302
    assert InvitationLink.objects.get().uses == 1


def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost_or_made(cast):
    path, visitor = made(browser(cast.ada)), browser()
    for change, field in (
        ({"username": "Nina N"}, "username"),
        ({"username": "ada"}, "username"),
        ({"username": "ATLAS"}, "username"),
        ({"name": "\u2800"}, "name"),
        ({"password1": "nina", "password2": "nina"}, "password1"),
        ({"password2": "other"}, "password2"),
    ):
        answer = visitor.post(path, {**NINA, **change})
        page = text_of(answer)
        assert answer.status_code == 400, change
        assert f'id="id_{field}_error"' in page, change
        assert PASSWORD not in page
        assert 'value="nina"' in page or "username" in change
    assert not User.objects.filter(username__iexact="nina").exists()
    assert InvitationLink.objects.get().uses == 0
    assert visitor.post(path, NINA).status_code == 302


def test_whoever_is_signed_in_joins_with_their_account_and_members_use_up_nothing(cast):
    path = made(browser(cast.ada), role="manager")
    hugo = browser(cast.hugo)
    assert "already" in text_of(hugo.get(path))
    hugo.post(path)
    assert role_of("hugo") == "worker", "a link does not change the role of a member"
    mona = browser(cast.mona)
    assert "Join as mona" in text_of(mona.get(path))
    assert role_of("mona") is None, "looking joins nobody"
    assert mona.post(path).status_code == mona.post(path).status_code == 302
    assert role_of("mona") == "manager"
    assert InvitationLink.objects.get().uses == 1
    with pytest.raises(NotPermitted):
        join_by_link(actor=cast.zed.user, secret=secret_of(path))


def test_signing_in_leads_back_to_the_link_and_keeps_it_out_of_the_address(cast):
    cast.mona.user.set_password(PASSWORD)
    cast.mona.user.save()
    path, visitor = made(browser(cast.ada)), browser()
    page = text_of(visitor.get(path))
    assert f"next={path}" not in page
    assert f'name="next" value="{path}"' in page
    answer = visitor.post("/login/", {"username": "mona", "password": PASSWORD, "next": path})
    assert answer.headers["Location"] == path


def test_link_for_many_serves_until_it_is_revoked(cast):
    ada = browser(cast.ada)
    path = made(ada, once="many")
    for name in ("nina", "otto"):
        assert browser().post(path, {**NINA, "username": name}).status_code == 302
    assert "2 joined" in text_of(ada.get(PEOPLE))
    link = InvitationLink.objects.get()
    assert browser(cast.mona).post("/projects/OTHER/people/", {"do": "revoke_link", "link": link.pk}).status_code == 302
    assert browser(cast.hugo).post(PEOPLE, {"do": "revoke_link", "link": link.pk}).status_code == 302
    with pytest.raises(NotPermitted):
        revoke_link(actor=cast.hugo.user, link=link)
    assert browser().get(path).status_code == 200, "only managers of the project revoke it"
    for _ in range(2):
        ada.post(PEOPLE, {"do": "revoke_link", "link": link.pk})
    assert Event.objects.filter(kind="member.link_revoked").count() == 1
    assert "was revoked" in text_of(browser().get(path))
    assert browser().post(path, {**NINA, "username": "pia"}).status_code == 409


def end_the_right(cast, how):
    match how:
        case "expired":
            InvitationLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        case "role":
            change_members(actor=cast.root, project=cast.ops, wishes=[MemberWish("ada", Role.WORKER)])
        case "taken out":
            change_members(actor=cast.root, project=cast.ops, wishes=[MemberWish("ada", None)])
        case "by hand":
            Membership.objects.filter(user=cast.ada.user).update(role=Role.REVIEWER)
        case "disabled":
            User.objects.filter(pk=cast.ada.user.pk).update(is_active=False)


@pytest.mark.parametrize("how", ["expired", "role", "taken out", "by hand", "disabled"])
def test_link_ends_with_its_time_and_with_the_right_of_its_maker(cast, how):
    join(cast.ops, make_user("second"), Role.MANAGER)
    path = made(browser(cast.ada), role="manager")
    end_the_right(cast, how)
    for answer in (browser().get(path), browser().post(path, NINA), browser(cast.mona).post(path)):
        assert answer.status_code == 409
        assert "This invitation" in text_of(answer) or "Whoever made" in text_of(answer)
    assert not User.objects.filter(username="nina").exists()
    assert role_of("mona") is None
    if how in ("role", "taken out"):
        change_members(actor=cast.root, project=cast.ops, wishes=[MemberWish("ada", Role.MANAGER)])
        assert browser().get(path).status_code == 409, "what they started does not go on"


@pytest.mark.parametrize("by", ["rita", "hugo", "vera", "atlas", "mona", "zed"])
def test_links_are_made_by_managers_alone(cast, by):
    user = getattr(cast, by)
    with pytest.raises(NotPermitted):
        make_link(actor=getattr(user, "user", user), project=cast.ops, role=Role.VIEWER)


def test_links_are_bounded_and_stored_as_digests(cast):
    _, secret = make_link(actor=cast.ada.user, project=cast.ops, role=Role.WORKER)
    assert secret not in str(InvitationLink.objects.values().get())
    for _ in range(MOST_LINKS - 1):
        make_link(actor=cast.ada.user, project=cast.ops, role=Role.WORKER)
    with pytest.raises(Invalid, match="50 open links"):
        make_link(actor=cast.ada.user, project=cast.ops, role=Role.WORKER)
    refused = browser(cast.ada).post(PEOPLE, {"do": "make_link", "role": "boss", "days": "0", "once": "once"})
    assert refused.status_code == 400
    assert {"id_role_error", "id_days_error"} <= set(re.findall(r'id="(id_\w+_error)"', text_of(refused)))


def test_guessing_links_and_names_is_braked(cast, monkeypatch):
    monkeypatch.setattr(guessing, "TAKEN_NAMES", parse("2 per hour"))
    monkeypatch.setattr(guessing, "WRONG_TOKENS", parse("3 per minute"))
    path = made(browser(cast.ada), once="many")
    visitor = browser()
    statuses = [visitor.get(f"/join/made-up-{number}").status_code for number in range(4)]
    assert statuses == [404, 404, 404, 429]
    assert visitor.get(path).status_code == 200, "a right one is served"
    answers = [visitor.post(path, {**NINA, "username": "mona"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert "is taken" not in text_of(answers[-1])


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_share_no_link_for_one(cast):
    _, secret = make_link(actor=cast.ada.user, project=cast.ops, role=Role.WORKER)
    outcomes = at_once(
        *(
            lambda name=name: sign_up_by_link(secret=secret, username=name, name=name, password=PASSWORD)
            for name in ("nina", "otto")
        ),
        seed=1,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, DomainError)]
    assert [type(each) for each in refused] == [InvitationEnded]
    assert User.objects.filter(username__in=["nina", "otto"]).count() == 1


# -- the page of the people -------------------------------------------------------------------------------------------


def test_manager_adds_changes_and_removes_members_on_the_page(cast):
    ada = browser(cast.ada)
    hugo = Membership.objects.get(project=cast.ops, user=cast.hugo.user)
    ada.post(PEOPLE, {"do": "set_role", "member": hugo.pk, "role": "reviewer"})
    assert role_of("hugo") == "reviewer"
    ada.post(PEOPLE, {"do": "remove", "member": hugo.pk})
    ada.post(PEOPLE, {"do": "remove", "member": hugo.pk})
    assert role_of("hugo") is None
    assert "is invited as worker" in text_of(
        ada.post(PEOPLE, {"do": "add", "name": "zed", "role": "worker"}, follow=True)
    )
    assert "cannot be a name" in text_of(ada.post(PEOPLE, {"do": "add", "name": "\0", "role": "worker"}, follow=True))
    own = Membership.objects.get(project=cast.ops, user=cast.ada.user)
    kept = text_of(ada.post(PEOPLE, {"do": "remove", "member": own.pk}, follow=True))
    assert "without an active manager" in kept
    for wrong in ({"do": "dance"}, {"do": "set_role", "member": own.pk, "role": "king"}, {"do": "add", "name": ""}):
        assert "notice-error" in text_of(ada.post(PEOPLE, wrong, follow=True))


def test_members_read_the_page_change_nothing_and_leave(cast):
    hugo = browser(cast.hugo)
    page = text_of(hugo.get(PEOPLE))
    assert "Rita" in page
    assert "Make a link" not in page
    rita = Membership.objects.get(project=cast.ops, user=cast.rita.user)
    hugo.post(PEOPLE, {"do": "set_role", "member": rita.pk, "role": "viewer"})
    hugo.post(PEOPLE, {"do": "remove", "member": rita.pk})
    assert role_of("rita") == "reviewer"
    assert hugo.post(PEOPLE, {"do": "make_link", "role": "manager", "days": "7", "once": "many"}).status_code == 400
    own = Membership.objects.get(project=cast.ops, user=cast.hugo.user)
    assert hugo.post(PEOPLE, {"do": "remove", "member": own.pk}).headers["Location"] == "/"
    assert hugo.get(PEOPLE).status_code == browser(cast.mona).get(PEOPLE).status_code == 404


@pytest.mark.parametrize("reader", ["ada", "hugo"])
def test_page_reads_as_often_for_many_members(cast, reader):
    client = browser(getattr(cast, reader))

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(PEOPLE).status_code == 200
        return len(captured)

    before = queries()
    for number in range(8):
        join(cast.ops, make_user(f"more{number}"), Role.WORKER)
    assert queries() == before
