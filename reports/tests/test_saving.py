"""Saved reports: who keeps, reads, shares, edits and deletes them, and what becomes of them with their people."""

import pytest

from reports import saving
from reports.models import SavedReport
from taskproject.errors import Invalid, NotFound, NotPermitted
from taskproject.reach import Reach, limited
from tasks.models import Membership, Role
from tasks.owning import HasChanged

DEFINITION = {
    "version": 1,
    "facts": "episodes",
    "measures": [{"aggregate": "count"}],
    "period": {"last": 4, "unit": "week"},
}


@pytest.fixture
def save(cast):
    """``save("Name", actor=…, project="OPS")``: a report of hugo's, a worker of OPS."""

    def make(name: str = "Pace", *, actor=None, **fields) -> SavedReport:
        fields = {"definition": DEFINITION} | fields
        return saving.save_report(actor=actor or cast.hugo.user, name=name, **fields)

    return make


def readers(cast, report) -> set[str]:
    users = {name: getattr(cast, name) for name in ("root", "ada", "rita", "hugo", "vera", "atlas", "mona", "zed")}
    return {
        name
        for name, member in users.items()
        if SavedReport.objects.visible_to(getattr(member, "user", member)).filter(pk=report.pk).exists()
    }


def test_own_report_is_read_by_its_owner_alone(cast, save):
    assert readers(cast, save()) == {"hugo"}


def test_shared_report_is_read_by_all_members_once(cast, save):
    report = save(project="ops")
    assert readers(cast, report) == {"root", "ada", "rita", "hugo", "vera", "atlas"}
    assert saving.reports_of(cast.hugo.user).count() == 1


def test_viewer_keeps_reports_and_shares_none(cast, save):
    save(actor=cast.vera)
    with pytest.raises(NotPermitted, match="Viewers of OPS"):
        save("Another", actor=cast.vera, project="OPS")
    with pytest.raises(NotFound):
        save("Another", actor=cast.vera, project="OTHER")


@pytest.mark.parametrize(("who", "may"), [("hugo", True), ("ada", True), ("rita", False), ("atlas", False)])
def test_owner_and_managers_edit_and_delete_a_shared_report(cast, save, who, may):
    report, actor = save(project="OPS"), getattr(cast, who).user
    if not may:
        with pytest.raises(NotPermitted, match="Only its owner and managers of OPS"):
            saving.edit_report(actor=actor, report=report, changes={"name": "Other"})
        with pytest.raises(NotPermitted):
            saving.delete_report(actor=actor, report=report)
        report.refresh_from_db()
        assert (report.name, report.version) == ("Pace", 1)
        return
    changed = saving.edit_report(actor=actor, report=report, changes={"name": "Other", "definition": DEFINITION})
    assert (changed.name, changed.version) == ("Other", 2)
    saving.delete_report(actor=actor, report=changed)
    assert not SavedReport.objects.exists()


def test_manager_takes_a_report_back_and_shares_it_nowhere_else(cast, save):
    Membership.objects.create(project=cast.other, user=cast.ada.user, role=Role.MANAGER)
    report = save(project="OPS")
    with pytest.raises(NotPermitted, match="Only its owner may share"):
        saving.edit_report(actor=cast.ada.user, report=report, changes={"project": "OTHER"})
    taken = saving.edit_report(actor=cast.ada.user, report=report, changes={"project": None})
    assert (taken.project, taken.owner) == (None, cast.hugo.user)
    assert readers(cast, report) == {"hugo"}


def test_edit_of_another_version_is_refused_and_nothing_is_changed(cast, save):
    report = save()
    saving.edit_report(actor=cast.hugo.user, report=report, changes={"description": "x"}, expected_version=1)
    with pytest.raises(HasChanged) as refused:
        saving.edit_report(actor=cast.hugo.user, report=report, changes={"name": "y"}, expected_version=1)
    assert refused.value.current.version == 2
    assert SavedReport.objects.get().name == "Pace"


def test_edit_that_changes_nothing_counts_no_version(cast, save):
    report = saving.edit_report(actor=cast.hugo.user, report=save(), changes={"name": "Pace", "project": None})
    assert report.version == 1


def test_names_differ_among_the_reports_of_one_owner_only(cast, save):
    first = save(project="OPS")
    with pytest.raises(Invalid, match="already"):
        save()
    save(actor=cast.ada.user)
    other = save("Other")
    with pytest.raises(Invalid, match="already"):
        saving.edit_report(actor=cast.hugo.user, report=other, changes={"name": first.name})


def test_form_sent_twice_makes_one_report(cast):
    fields = {"actor": cast.hugo.user, "name": "Pace", "definition": DEFINITION, "project": None}
    first = saving.save_report_once(**fields)
    assert saving.save_report_once(**fields) == first
    with pytest.raises(Invalid, match="already"):
        saving.save_report_once(**fields | {"definition": DEFINITION | {"limit": 3}})
    assert SavedReport.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"name": "\u200b"}, "name", "visible"),
        ({"name": "n" * 121}, "name", "120"),
        ({"description": "d" * 501}, "description", "500"),
        ({"definition": []}, "definition", "object"),
        ({"definition": DEFINITION | {"x": "\0"}}, "definition", "Null"),
        ({"definition": DEFINITION | {"x": "é" * 2_500}}, "definition", "at most 5,000"),
    ],
)
def test_unfit_report_is_refused_with_its_field(cast, save, fields, field, sentence):
    with pytest.raises(Invalid, match=sentence) as refused:
        save(fields.pop("name", "Pace"), **fields)
    assert list(refused.value.data["errors"]) == [field]
    assert not SavedReport.objects.exists()


def test_one_owner_keeps_a_limited_number(cast, save, monkeypatch):
    monkeypatch.setattr(saving, "MOST_REPORTS", 2)
    save("1")
    save("2")
    with pytest.raises(Invalid, match="which is the limit"):
        save("3")
    save("3", actor=cast.ada.user)


def test_limited_token_reaches_only_what_is_shared_with_its_projects(cast, save):
    own, shared = save("Own"), save("Shared", project="OPS")
    caller = limited(cast.hugo.user, Reach(projects=frozenset({cast.ops.pk})))
    assert set(saving.reports_of(caller)) == {shared}
    with pytest.raises(NotPermitted, match="limited to projects"):
        save("New", actor=caller)
    with pytest.raises(NotPermitted, match="limited to projects"):
        saving.edit_report(actor=caller, report=shared, changes={"project": None})
    with pytest.raises(NotFound):
        saving.find_saved_report(caller, own.pk)


def test_deleted_owner_leaves_what_was_shared(cast, save):
    save("Own")
    shared = save("Shared", project="OPS")
    cast.hugo.user.delete()
    assert list(SavedReport.objects.values_list("pk", "owner")) == [(shared.pk, None)]
    shared = saving.find_saved_report(cast.ada.user, shared.pk)
    with pytest.raises(Invalid, match="delete it instead"):
        saving.edit_report(actor=cast.ada.user, report=shared, changes={"project": None})
    saving.edit_report(actor=cast.ada.user, report=shared, changes={"name": "Ours"})


def test_deleted_project_gives_its_reports_back(cast, save):
    save("Own")
    save("Shared", project="OPS")
    orphan = save("Orphan", actor=cast.bert.user, project="OPS")
    cast.bert.user.delete()
    cast.ops.delete()
    assert set(SavedReport.objects.values_list("name", "owner", "project")) == {
        ("Own", cast.hugo.user.pk, None),
        ("Shared", cast.hugo.user.pk, None),
    }
    assert not SavedReport.objects.filter(pk=orphan.pk).exists()


def test_who_leaves_the_project_leaves_its_reports(cast, save):
    report = save(project="OPS")
    Membership.objects.filter(user=cast.hugo.user).delete()
    assert readers(cast, report) == {"root", "ada", "rita", "vera", "atlas"}


def test_search_finds_each_word_in_name_or_description(cast, save):
    report = save("Cycle time", description="of bugs, by week")
    save("Cost")
    rows = saving.reports_of(cast.hugo.user)
    assert list(rows.with_words("BUGS cycle")) == [report]
    assert not rows.with_words("bugs cost").exists()
