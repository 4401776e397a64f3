"""Saved reports over HTTP: their life, whose figures they give, and what is refused."""

import csv
import io

import pytest
from openpyxl import load_workbook

from reports.models import SavedReport
from tasks.models import Membership
from tasks.tests.api_client import client_of

COUNT = {"version": 1, "facts": "episodes", "measures": [{"aggregate": "count"}], "period": {"from": "2026-01-01"}}
NAMES = ("Atlas", "Bert")
BY_AGENT = COUNT | {"by": ["agent"], "order": ["-count"], "tz": "UTC"}


@pytest.fixture
def hugo(cast):
    return client_of(cast.hugo.user)


def save(client, name="Pace", **fields):
    answer = client.post("/api/v1/saved_reports", {"name": name, "definition": BY_AGENT} | fields)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_report_is_saved_read_changed_and_deleted(hugo):
    saved = hugo.post("/api/v1/saved_reports", {"name": "Pace", "project": "ops", "definition": BY_AGENT})
    assert (saved.headers["Location"], saved.headers["ETag"]) == (f"/api/v1/saved_reports/{saved.json()['id']}", '"1"')
    path = saved.headers["Location"]
    read = hugo.get(path).json()
    assert read == saved.json()
    assert {name: read[name] for name in ("name", "description", "owner", "project", "definition", "version")} == {
        "name": "Pace", "description": "", "owner": "hugo", "project": "OPS", "definition": BY_AGENT, "version": 1,
    }  # fmt: skip
    changed = hugo.patch(path, {"description": "By agent", "project": None}, headers={"If-Match": '"1"'})
    assert (changed.json()["project"], changed.json()["version"], changed.headers["ETag"]) == (None, 2, '"2"')
    stale = hugo.patch(path, {"name": "Other"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    assert stale.json()["current"]["version"] == 2
    assert hugo.delete(path).status_code == 204
    assert hugo.get(path).status_code == 404


@pytest.mark.parametrize(
    ("definition", "place", "words"),
    [
        (BY_AGENT | {"by": ["agnet"]}, "by[0]", "did you mean 'agent'"),
        (BY_AGENT | {"facts": "episode"}, "facts", "did you mean 'episodes'"),
        (BY_AGENT | {"measures": [{"name": "cycle", "aggregate": "p99"}]}, "measures[0].aggregate", "Known"),
        (BY_AGENT | {"version": 2}, "version", "Must be 1"),
        ([], "definition", "object"),
        ("text", "definition", "object"),
    ],
)
def test_definition_with_a_mistake_is_refused_at_its_place_and_nothing_is_kept(hugo, definition, place, words):
    answer = hugo.post("/api/v1/saved_reports", {"name": "Pace", "definition": definition})
    assert answer.status_code == 400
    assert words in answer.json()["errors"][place][0]
    assert not SavedReport.objects.exists()
    kept = save(hugo)
    assert hugo.patch(f"/api/v1/saved_reports/{kept['id']}", {"definition": definition}).status_code == 400
    assert hugo.get(f"/api/v1/saved_reports/{kept['id']}").json() == kept


@pytest.mark.parametrize(
    ("fields", "place", "words"),
    [
        ({"name": ""}, "name", "blank"),
        ({"name": 3}, "name", "text"),
        ({"defintion": {}}, "defintion", "did you mean 'definition'"),
        ({"project": ""}, "project", "blank"),
        ({"definition": BY_AGENT | {"tz": "U" * 6_000}}, "definition", "5,000"),
    ],
)
def test_field_with_a_mistake_is_refused(hugo, fields, place, words):
    answer = hugo.post("/api/v1/saved_reports", {"name": "Pace", "definition": BY_AGENT} | fields)
    assert answer.status_code == 400
    assert words in answer.json()["errors"][place][0]


def test_version_belongs_into_a_header(hugo):
    path = f"/api/v1/saved_reports/{save(hugo)['id']}"
    assert "If-Match" in hugo.patch(path, {"version": 1}).json()["errors"]["version"][0]


def test_save_twice_with_one_key_makes_one_report(hugo):
    body, key = {"name": "Pace", "definition": BY_AGENT}, {"Idempotency-Key": "once"}
    first, second = (hugo.post("/api/v1/saved_reports", body, headers=key) for _ in range(2))
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert SavedReport.objects.count() == 1


def test_list_is_filtered_searched_ordered_and_paged(cast, hugo):
    save(hugo, "Pace")
    save(hugo, "Cost", project="OPS")
    save(client_of(cast.ada.user), "Pace of all", project="OPS", description="by week")
    save(client_of(cast.mona.user), "Elsewhere", project="OTHER")

    def names(query=""):
        return [row["name"] for row in hugo.get(f"/api/v1/saved_reports?{query}").json()["results"]]

    assert names() == ["Pace", "Cost", "Pace of all"]
    assert names("owner=me&ordering=name") == ["Cost", "Pace"]
    assert names("project=OPS") == ["Cost", "Pace of all"]
    assert names("q=PACE+week") == ["Pace of all"]
    assert hugo.get("/api/v1/saved_reports?owner=ada").status_code == 400
    first = hugo.get("/api/v1/saved_reports?limit=2&ordering=-name").json()
    rest = hugo.get(first["next"]).json()
    assert [row["name"] for row in first["results"] + rest["results"]] == ["Pace of all", "Pace", "Cost"]


@pytest.fixture
def done(cast, do_task, set_clock):
    """Two episodes of atlas and one of bert in OPS, in January."""
    for day, agent in (("02", cast.atlas), ("03", cast.atlas), ("04", cast.bert)):
        do_task(f"2026-01-{day} 08:00", f"2026-01-{day} 09:00", f"2026-01-{day} 10:00", agent=agent)
    set_clock("2026-02-01 12:00")


@pytest.mark.usefixtures("done")
def test_reader_gets_the_figures_of_their_own_projects(cast, hugo):
    report = save(hugo, project="OPS")
    path = f"/api/v1/saved_reports/{report['id']}/run"
    own = hugo.get(path).json()
    assert [(row["agent"], row["count"]) for row in own["rows"]] == [("atlas", 2), ("bert", 1)]
    assert (own["title"], own["total"]["count"], own["n"]) == ("Pace", 3, 3)
    # The owner leaves: whoever still reads it gets theirs, the owner nothing at all.
    Membership.objects.filter(user=cast.hugo.user).delete()
    assert hugo.get(path).status_code == 404
    assert client_of(cast.vera).get(path).json()["total"]["count"] == 3
    # Somebody else with the same definition and other projects counts nothing of OPS.
    theirs = save(client_of(cast.mona.user))
    assert client_of(cast.mona.user).get(f"/api/v1/saved_reports/{theirs['id']}/run").json()["total"]["count"] == 0


@pytest.mark.usefixtures("done")
def test_figures_are_the_same_in_json_csv_and_xlsx(hugo):
    path = f"/api/v1/saved_reports/{save(hugo)['id']}/run"
    rows = [(row["agent"], row["count"]) for row in hugo.get(path).json()["rows"]]
    table = hugo.get(f"{path}?output=csv")
    lines = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert [(line["agent"], int(line["count"])) for line in lines] == rows
    assert "attachment" in table.headers["Content-Disposition"]
    book = load_workbook(io.BytesIO(hugo.get(f"{path}?output=xlsx").content))
    cells = [[cell.value for cell in line] for line in book.worksheets[0].iter_rows()]
    # A workbook is for people: it has names where programs read slugs.
    assert [[name.capitalize(), count] for name, count in rows] == [line[:2] for line in cells if line[0] in NAMES]


def test_run_refuses_unknown_parameters_and_values(hugo):
    path = f"/api/v1/saved_reports/{save(hugo)['id']}/run"
    assert "did you mean 'output'" in hugo.get(f"{path}?outputt=csv").json()["errors"]["outputt"][0]
    assert hugo.get(f"{path}?output=pdf").status_code == 400
    assert hugo.get(f"{path}?tz=Mars/Base").status_code == 400
    assert hugo.get(f"{path}?project=OTHER").status_code == 404
    assert hugo.get(f"{path}?project=OPS&tz=Asia/Tokyo").json()["tz"] == "Asia/Tokyo"


def test_report_whose_words_are_gone_says_which(hugo):
    report = save(hugo)
    SavedReport.objects.update(definition=BY_AGENT | {"by": ["agent_of_old"]})
    answer = hugo.get(f"/api/v1/saved_reports/{report['id']}/run")
    assert answer.status_code == 400
    assert "agent_of_old" in answer.json()["errors"]["by[0]"][0]
    assert hugo.get(f"/api/v1/saved_reports/{report['id']}").status_code == 200


def test_name_that_is_code_is_text_everywhere(hugo):
    name = "=cmd|' /C calc'!A1 <script>alert(1)</script>"
    report = save(hugo, name)
    assert report["name"] == name
    book = hugo.get(f"/api/v1/saved_reports/{report['id']}/run?output=xlsx")
    sheets = load_workbook(io.BytesIO(book.content)).worksheets
    formulas = [cell.value for sheet in sheets for line in sheet.iter_rows() for cell in line if cell.data_type == "f"]
    assert formulas == []
    assert "<" not in book.headers["Content-Disposition"]
