"""Forms of the pages: what describes a field, such as its rules or what is wrong with it, is on the page."""

import re

import pytest
from django.test import Client

from tasks.actions.accounts import offer_sign_in
from tasks.actions.agents import create_agent
from tasks.actions.projects import set_member
from tasks.models import AgentKind, Role

pytestmark = pytest.mark.django_db


def descriptions_of(answer) -> set[str]:
    """The ids that describe fields, each of which is there."""
    page = answer.content.decode()
    named = {name for names in re.findall(r'aria-describedby="([^"]+)"', page) for name in names.split()}
    assert named - set(re.findall(r'\bid="([^"]+)"', page)) == set()
    return named


def test_rules_and_errors_of_a_first_password_are_shown(cast):
    nina = create_agent(actor=cast.ada.user, slug="nina", kind=AgentKind.HUMAN)
    set_member(actor=cast.ada.user, project=cast.ops, user=nina.user, role=Role.WORKER)
    uid, token = offer_sign_in(actor=cast.ada.user, agent=nina)
    link = f"/first_sign_in/{uid}/{token}"
    page = Client().get(link)
    assert "id_new_password1_helptext" in descriptions_of(page)
    assert "at least 8 characters" in page.content.decode()
    refused = Client().post(link, {"new_password1": "nina", "new_password2": "other"})
    assert refused.status_code == 400
    assert "id_new_password2_error" in descriptions_of(refused)


def test_rules_and_errors_of_a_new_token_are_shown(cast):
    browser = Client()
    browser.force_login(cast.hugo.user)
    assert "id_valid_until_helptext" in descriptions_of(browser.get("/agents/hugo/tokens"))
    refused = browser.post("/agents/hugo/tokens", {"do": "create", "name": "", "valid_until": "soon"})
    assert refused.status_code == 400
    assert {"id_name_error", "id_valid_until_error"} <= descriptions_of(refused)
    late = browser.post("/agents/hugo/tokens", {"do": "create", "name": "ci", "valid_until": "2020-01-01"})
    assert "id_valid_until_error" in descriptions_of(late)
    assert "Must be in the future." in late.content.decode()
    assert "expires_at" not in late.content.decode()
