"""The page on which invitations are answered and withdrawn, and the ways there."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from messaging.models import Notification
from messaging.notifications.making import follower
from messaging.notifications.reading import count_unread
from messaging.notifications.sentences import sentence
from tasks import clock
from tasks.actions import agents
from tasks.actions.members import MemberWish, change_members
from tasks.models import Invitation, Membership, Role
from tasks.tests.admin_pages import messages_of, signed_in
from tasks.tests.cast import make_user

PAGE = "/invitations/"


def invite(cast, name: str) -> None:
    change_members(actor=cast.mona.user, project=cast.other, wishes=[MemberWish(name, Role.WORKER)])


def press(client, do: str, invitation) -> list[str]:
    pk = getattr(invitation, "pk", invitation)
    return messages_of(client.post(PAGE, {"do": do, "id": pk}, follow=True))


def test_person_answers_on_the_page_that_their_agents_page_leads_to(cast):
    hugo = signed_in(cast.hugo.user)
    assert reverse("invitations") == PAGE
    assert "Nothing to answer" in hugo.get(PAGE).content.decode()
    invite(cast, "hugo")
    assert "An invitation waits" in hugo.get("/agents/").content.decode()
    page = " ".join(hugo.get(PAGE).content.decode().split())
    assert "<strong>mona</strong> invites <strong>you</strong> to <strong>OTHER</strong> as worker." in page
    invitation = Invitation.objects.get()
    assert press(hugo, "accept", invitation) == ["hugo is now a worker of OTHER."]
    assert Membership.objects.filter(project=cast.other, user=cast.hugo.user).exists()
    assert press(hugo, "decline", invitation) == ["The invitation to OTHER was accepted."]


def test_owner_answers_for_the_agent_and_the_inviter_withdraws(cast):
    invite(cast, "atlas")
    first = Invitation.objects.get()
    ada, mona = signed_in(cast.ada.user), signed_in(cast.mona.user)
    assert press(ada, "decline", first) == ["Declined the invitation of atlas to OTHER."]
    invite(cast, "atlas")
    second = Invitation.objects.open().get()
    assert "Sent by your projects" in mona.get(PAGE).content.decode()
    assert press(mona, "withdraw", second) == ["Withdrew the invitation of atlas to OTHER."]
    assert press(ada, "accept", second) == ["The invitation to OTHER was withdrawn."]


@pytest.mark.parametrize(("do", "pk"), [("accept", "x"), ("accept", "999999999999999999"), ("expel", "1"), ("", "")])
def test_made_up_buttons_are_refused_in_a_sentence(cast, do, pk):
    assert press(signed_in(cast.hugo.user), do, pk) == ["do: There is no such button."]


def test_invitations_of_others_are_neither_shown_nor_answered(cast):
    invite(cast, "hugo")
    rita = signed_in(cast.rita.user)
    assert "OTHER" not in rita.get(PAGE).content.decode()
    [said] = press(rita, "accept", Invitation.objects.get())
    assert said.startswith("There is no invitation")


# -- notifications ----------------------------------------------------------------------------------------------------


@pytest.fixture
def notified():
    follower.catch_up()

    def after() -> dict[str, str]:
        follower.catch_up()
        rows = Notification.objects.filter(kind="invited").select_related("event", "recipient")
        return {row.recipient.username: sentence(row) for row in rows}

    return after


def test_invited_person_is_notified_although_they_are_no_member(cast, notified):
    invite(cast, "hugo")
    assert notified() == {"hugo": "mona invites hugo to OTHER as worker."}
    assert count_unread(cast.hugo.user) == 1
    page = signed_in(cast.hugo.user).get("/notifications/").content.decode()
    assert 'href="/invitations/"' in page
    assert "Accept or decline" in page


def test_owner_of_the_agent_is_notified_and_nobody_of_an_unknown_name(cast, notified):
    invite(cast, "atlas")
    invite(cast, "nobody-here")
    make_user("vermin")
    assert set(notified()) == {"ada"}
    agents.hand_over_agent(actor=cast.root, agent=cast.bert, owner=cast.rita.user)
    invite(cast, "bert")
    assert set(notified()) == {"ada", "rita"}


def test_superuser_hears_of_invitations_of_an_agent_whose_owner_is_disabled(cast, notified):
    agents.hand_over_agent(actor=cast.root, agent=cast.atlas, owner=cast.rita.user)
    User.objects.filter(pk=cast.rita.user_id).update(is_active=False)
    invite(cast, "atlas")
    assert set(notified()) == {cast.root.username}
    invitation = Invitation.objects.get()
    assert list(Invitation.objects.standing().answered_by(cast.root)) == [invitation]
    assert press(signed_in(cast.root), "accept", invitation) == ["atlas is now a worker of OTHER."]


def test_who_invites_again_and_again_is_heard_once(cast, notified):
    for _ in range(2):
        for role in (Role.WORKER, Role.REVIEWER, None, Role.WORKER):
            change_members(actor=cast.mona.user, project=cast.other, wishes=[MemberWish("hugo", role)])
        notified()
    invite(cast, "atlas")
    notified()
    assert Notification.objects.filter(recipient=cast.hugo.user).count() == 1
    assert Notification.objects.filter(recipient=cast.ada.user).count() == 1
    Notification.objects.update(read_at=clock.now())
    change_members(actor=cast.mona.user, project=cast.other, wishes=[MemberWish("hugo", Role.REVIEWER)])
    notified()
    assert Notification.objects.filter(recipient=cast.hugo.user).count() == 2


def test_nobody_is_notified_of_an_invitation_withdrawn_meanwhile(cast, notified):
    invite(cast, "hugo")
    change_members(actor=cast.mona.user, project=cast.other, wishes=[MemberWish("hugo", None)])
    assert notified() == {}
