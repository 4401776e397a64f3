"""The page of the projects: what somebody sees there, and who creates a project without the admin."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.actions import projects
from tasks.errors import Invalid
from tasks.models import Membership, Project, Role
from tasks.tests.cast import join

pytestmark = pytest.mark.django_db


def test_list_has_the_projects_of_the_reader_alone(client, cast):
    client.force_login(cast.hugo.user)
    page = client.get("/projects/").content.decode()
    assert "/projects/OPS/people/" in page
    assert "6 members" in page
    assert "OTHER" not in page
    assert "Create the project" not in page


def test_manager_creates_a_project_and_manages_it(client, cast):
    cast.ada.user.is_staff = False
    cast.ada.user.save()
    client.force_login(cast.ada.user)
    answer = client.post("/projects/", {"name": "Design", "key": "des"})
    assert answer.headers["Location"] == "/?project=DES"
    assert Membership.objects.get(project__key="DES").role == Role.MANAGER
    again = client.post("/projects/", {"name": "Design once more", "key": "DES"})
    assert again.status_code == 400
    page = again.content.decode()
    assert 'id="id_key_error"' in page
    assert "There is a project DES already; choose another key." in page
    assert 'value="Design once more"' in page
    assert client.post("/projects/", {"name": "\u2800", "key": "4 you"}).status_code == 400
    client.force_login(cast.hugo.user)
    assert client.post("/projects/", {"name": "Mine", "key": "MINE"}).status_code == 400
    assert set(Project.objects.values_list("key", flat=True)) == {"OPS", "OTHER", "DES"}


def test_form_that_is_sent_twice_makes_one_project(client, cast):
    client.force_login(cast.ada.user)
    for _ in range(2):
        answer = client.post("/projects/", {"name": "Design", "key": "des"})
        assert answer.headers["Location"] == "/?project=DES"
    assert Project.objects.filter(key="DES").count() == 1
    # Somebody else's, or of another name, is taken.
    assert client.post("/projects/", {"name": "Somewhere else", "key": "OTHER"}).status_code == 400


def test_key_taken_at_the_same_moment_is_refused_like_any_other(cast, monkeypatch):
    checked = projects._validated

    def while_somebody_else_creates_it(project):
        checked(project)
        monkeypatch.setattr(projects, "_validated", checked)
        Project.objects.create(key="DES", name="First")

    monkeypatch.setattr(projects, "_validated", while_somebody_else_creates_it)
    with pytest.raises(Invalid, match="There is a project DES already"):
        projects.create_project(actor=cast.ada.user, key="DES", name="Second")


def test_list_reads_as_often_for_many_projects(client, cast):
    client.force_login(cast.hugo.user)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/projects/")
        return len(captured)

    before = queries()
    for number in range(5):
        project = Project.objects.create(key=f"MORE{number}", name=f"More {number}")
        join(project, cast.hugo.user, Role.VIEWER)
    assert queries() == before
