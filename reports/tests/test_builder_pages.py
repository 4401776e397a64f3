"""The builder and the pages of saved reports, without a browser's scripts: plain forms and links do everything."""

import io
import json
import re

import pytest
from django.test import Client
from openpyxl import load_workbook

from reports import saving
from reports.models import SavedReport

COUNT = {"version": 1, "facts": "episodes", "measures": [{"aggregate": "count"}], "period": {"from": "2026-01-01"}}
BY_AGENT = COUNT | {"by": ["agent"], "tz": "UTC"}
NEW = "/reports/new/"
HOSTILE = "<img src=x onerror=alert(1)>\u202e =1+1"


@pytest.fixture
def browse(cast):
    """``browse(cast.hugo.user)``: a client that is signed in."""

    def open_as(user) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return open_as


@pytest.fixture
def hugo(cast, browse):
    return browse(cast.hugo.user)


@pytest.fixture
def done(cast, do_task, set_clock):
    """Two episodes of atlas and one of bert in OPS, in January."""
    for day, agent in (("02", cast.atlas), ("03", cast.atlas), ("04", cast.bert)):
        do_task(f"2026-01-{day} 08:00", f"2026-01-{day} 09:00", f"2026-01-{day} 10:00", agent=agent)
    set_clock("2026-02-01 12:00")


@pytest.fixture
def save(cast):
    def make(name="Pace", *, actor=None, definition=BY_AGENT, **fields) -> SavedReport:
        return saving.save_report(actor=actor or cast.hugo.user, name=name, definition=definition, **fields)

    return make


def text(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def table(answer) -> list[list[str]]:
    """The cells of the page's table, without the remarks in them."""
    rows = re.findall(r"<tr>(.*?)</tr>", answer.content.decode(), re.DOTALL)
    cells = [re.findall(r"<(?:td|th)[^>]*>(.*?)</(?:td|th)>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<span.*?</span>|<[^>]+>|\s+", " ", cell).strip() for cell in row] for row in cells]


@pytest.mark.usefixtures("done")
def test_builder_opens_with_a_report_and_its_address_is_the_definition(hugo):
    assert "Episodes of tasks" in text(hugo.get(NEW))
    shown = hugo.get(f"{NEW}?facts=episodes&m=count&by=agent&from=2026-01-01&span=dates&tz=UTC")
    assert table(shown)[1:3] == [["Atlas", "2"], ["Bert", "1"]]
    assert json.loads(shown.context["definition"]) == BY_AGENT


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        # A form sends empty fields, and both kinds of period.
        ("facts=runs&was=runs&m=&m=count&by=&bucket=&last=4&unit=week&from=&to=&span=last",
         "facts=runs&m=count&last=4&unit=week"),
        ("facts=episodes&m=count&last=4&unit=week&from=2026-01-01&span=dates&field=",
         "facts=episodes&m=count&span=dates&from=2026-01-01"),
        ("facts=episodes&m=count&m=cycle:p85&do=remove-m-0", "facts=episodes&m=cycle%3Ap85"),
        ("facts=episodes&m=count&by=agent&by=project&order=agent&do=remove-by-0", "facts=episodes&m=count&by=project"),
        ("facts=episodes&m=count&m=count&by=agent&by=agent&do=", "facts=episodes&m=count&by=agent"),
        ("facts=episodes&m=count&do=remove-m-7", "facts=episodes&m=count"),
        ("facts=episodes&m=count&do=nonsense", "facts=episodes&m=count"),
        ("facts=nothing&m=count&do=add", "facts=nothing&m=count"),
    ],
)  # fmt: skip
def test_sent_form_leads_to_the_address_of_what_it_says(hugo, sent, address):
    answer = hugo.get(f"{NEW}?{sent}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{NEW}?{address}")
    assert hugo.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("facts=episode&m=count", "facts", "did you mean"),
        ("facts=episodes", "m-0", "Choose a figure."),
        ("facts=episodes&m=count&m=cycel:p85", "m-1", "did you mean"),
        ("facts=episodes&m=count&by=agent&by=agnet", "by-1", "did you mean"),
        ("facts=episodes&m=count&on=completd&bucket=week", "on", "did you mean"),
        ("facts=episodes&m=count&bucket=fortnight", "bucket", "Known"),
        ("facts=episodes&m=count&last=0&unit=week", "last", "1 to 1,000"),
        ("facts=episodes&m=count&last=many&unit=week", "last", "whole number"),
        ("facts=episodes&m=count&span=dates&from=2026-02-30", "from", "not a date"),
        ("facts=episodes&m=count&span=dates&from=2026-02-01&to=2026-01-01", "to", "after"),
        ("facts=episodes&m=count&tz=Mars", "tz", "time zone"),
        ("facts=episodes&m=count&limit=-1", "limit", "whole number"),
        ("facts=episodes&m=count&chart=pie", "chart", "Known"),
        ("facts=episodes&m=count&order=-lead", "order", "column"),
    ],
)
def test_mistake_is_told_in_one_sentence_beside_its_field(hugo, query, field, words):
    shown = hugo.get(f"{NEW}?{query}")
    assert shown.status_code == 200
    page = text(shown)
    assert page.count('class="builder-problem"') == 1
    sentence = re.search(rf'id="problem-{field}"> ?(.*?) ?</p>', page)
    assert sentence is not None, re.findall(r'id="problem-[^"]*">.*?</p>', page)
    assert words in sentence[1]
    assert f'aria-describedby="{"b-facts-help " if field == "facts" else ""}problem-{field}"' in page


@pytest.mark.parametrize(
    "query",
    [
        "facts=%00",
        "m=a:b:c:d",
        "c0={",
        "f0=label&o0=zzz&v0=x",
        "last=" + "9" * 200,
        "by=x&" * 60,
        "bucket=minute&facts=episodes&m=count&last=1000&unit=year",
    ],
)
def test_address_that_nobody_makes_is_answered(hugo, query):
    answer = hugo.get(f"{NEW}?{query}", follow=True)
    assert answer.status_code == 200
    assert "builder-form" in answer.content.decode()


@pytest.mark.usefixtures("done")
def test_report_is_saved_shown_changed_and_deleted_by_forms(cast, hugo, browse):
    sent = {"name": " Pace ", "description": "By agent", "project": "OPS", "definition": json.dumps(BY_AGENT)}
    saved = hugo.post(NEW, sent, follow=True)
    report = SavedReport.objects.get()
    page = f"/reports/saved/{report.pk}/"
    assert (saved.redirect_chain[0][0], report.name, report.project) == (page, "Pace", cast.ops)
    assert "Saved Pace." in text(saved)
    assert table(saved)[1:] == [["Atlas", "2"], ["Bert", "1"], ["All together", "3"]]
    # Somebody else reads it, with their own figures, and may not change it.
    vera = browse(cast.vera)
    assert table(vera.get(page))[1:] == table(saved)[1:]
    assert "Manage this report" in text(hugo.get(page))
    assert "Manage this report" not in text(vera.get(page))
    assert vera.post(f"{page}change/", {"name": "Mine"}).status_code == 403
    assert vera.post(f"{page}delete/").status_code == 403
    assert browse(cast.mona.user).get(page).status_code == 404
    # The owner changes what it shows, its name, and takes it back.
    edit = hugo.get(f"{page}edit/")
    assert json.loads(edit.context["definition"]) == BY_AGENT
    changed = hugo.post(f"{page}edit/", {"do": "change", "version": 1, "definition": json.dumps(COUNT)}, follow=True)
    assert "Saved Pace." in text(changed)
    assert hugo.post(f"{page}change/", {"name": "Count", "description": "", "project": ""}).status_code == 302
    report.refresh_from_db()
    assert (report.name, report.description, report.project, report.version) == ("Count", "", None, 3)
    assert vera.get(page).status_code == 404
    assert "Deleted Count." in text(hugo.post(f"{page}delete/", follow=True))
    assert not SavedReport.objects.exists()


def test_form_sent_twice_saves_once(hugo):
    sent = {"name": "Pace", "definition": json.dumps(BY_AGENT)}
    first, second = hugo.post(NEW, sent), hugo.post(NEW, sent)
    assert first.headers["Location"] == second.headers["Location"]
    assert SavedReport.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"name": ""}, "This field cannot be blank."),
        ({"name": "\u200b"}, "Must have a visible character."),
        ({"name": "n" * 121}, "at most 120 characters"),
        ({"project": "OTHER"}, "no project"),
        ({"definition": "{"}, "Must be an object"),
        ({"definition": json.dumps(COUNT | {"by": ["agnet"]})}, "did you mean"),
        ({"definition": json.dumps(COUNT | {"tz": "x" * 6_000})}, "at most 5,000"),
    ],
)
def test_refused_form_keeps_what_was_entered(hugo, sent, words):
    sent = {"name": "Pace", "description": "Why", "definition": json.dumps(BY_AGENT)} | sent
    answer = hugo.post(NEW, sent)
    assert answer.status_code in (400, 404)
    page = text(answer)
    assert words in re.sub("&#x27;", "'", page)
    assert 'value="Why"' in page
    assert not SavedReport.objects.exists()


def test_save_of_a_version_that_somebody_changed_is_refused(cast, hugo, save):
    report = save(project="OPS")
    saving.edit_report(actor=cast.ada.user, report=report, changes={"definition": COUNT})
    sent = {"do": "change", "version": 1, "definition": json.dumps(BY_AGENT)}
    answer = hugo.post(f"/reports/saved/{report.pk}/edit/", sent)
    assert answer.status_code == 412
    assert "has changed since you read it" in text(answer)
    report.refresh_from_db()
    assert report.definition == COUNT


def test_reader_saves_a_copy_of_their_own(cast, browse, save):
    report = save(project="OPS")
    vera = browse(cast.vera)
    page = text(vera.get(f"/reports/saved/{report.pk}/edit/"))
    assert 'value="change"' not in page
    vera.post(f"/reports/saved/{report.pk}/edit/", {"do": "save", "name": "Mine", "definition": json.dumps(COUNT)})
    assert set(SavedReport.objects.values_list("name", "owner__username")) == {("Pace", "hugo"), ("Mine", "vera")}


@pytest.mark.usefixtures("done")
def test_downloads_are_files_of_the_figures(hugo, save):
    page = f"/reports/saved/{save().pk}/"
    assert hugo.get(f"{page}?output=json").json()["rows"][0]["agent"] == "atlas"
    assert b"atlas" in hugo.get(f"{page}?output=csv").content
    book = load_workbook(io.BytesIO(hugo.get(f"{page}?output=xlsx").content))
    assert book.worksheets[0]["A2"].value == "Atlas"
    assert hugo.get(f"{page}?output=pdf").status_code == 400
    assert hugo.get(f"{page}?outptu=csv").status_code == 400


def test_report_whose_words_are_gone_says_so_and_can_be_mended(hugo, save):
    report = save()
    SavedReport.objects.update(definition=BY_AGENT | {"by": ["agent_of_old"], "show": {"chart": "pie"}})
    answer = hugo.get(f"/reports/saved/{report.pk}/")
    assert answer.status_code == 400
    assert "agent_of_old" in text(answer)
    assert "Change the report" in text(answer)
    mending = hugo.get(f"/reports/saved/{report.pk}/edit/")
    assert mending.status_code == 200
    assert "agent_of_old (unknown)" in text(mending)


@pytest.mark.parametrize("definition", [[], "x", {}, {"by": 3, "measures": {"a": 1}, "where": [1], "period": 4}])
def test_stored_definition_that_is_none_breaks_no_page(hugo, save, definition):
    report = save()
    SavedReport.objects.update(definition=definition)
    assert hugo.get(f"/reports/saved/{report.pk}/").status_code == 400
    assert hugo.get(f"/reports/saved/{report.pk}/edit/").status_code == 200
    assert hugo.get("/reports/").status_code == 200


def test_label_that_is_gone_is_said_in_one_sentence_beside_the_figures(hugo, save):
    where = {"all": [{"field": "label", "in": ["of_old"]}]}
    page = text(hugo.get(f"/reports/saved/{save(definition=BY_AGENT | {'where': where}).pk}/"))
    assert page.count("Label of_old is not in your projects.") == 1
    assert "only if Label is of_old" in page


def test_hundred_reports_are_listed_in_pages_and_found_by_words(cast, hugo, save, django_assert_max_num_queries):
    for number in range(100):
        save(f"Report {number:03}", actor=cast.ada.user if number % 2 else None, project="OPS" if number % 2 else None)
    with django_assert_max_num_queries(12):
        first = text(hugo.get("/reports/saved/"))
    assert (first.count('href="/reports/saved/'), "Page 1 of 2" in first) == (50, True)
    assert "Report 099" in text(hugo.get("/reports/saved/?page=2"))
    assert re.findall(r"Report \d+", text(hugo.get("/reports/saved/?q=report+042"))) == ["Report 042"]
    assert "No saved report has these words" in text(hugo.get("/reports/saved/?q=nothing"))
    overview = text(hugo.get("/reports/"))
    assert "All saved reports (100)" in overview
    assert overview.count('href="/reports/saved/') == 13


def test_lists_are_empty_with_a_next_step(hugo):
    assert "Nothing is saved yet" in text(hugo.get("/reports/saved/"))
    assert "Nothing is saved yet" in text(hugo.get("/reports/"))


def test_hostile_names_are_text(hugo, save):
    report = save(HOSTILE, description=HOSTILE, definition=BY_AGENT | {"tz": "reader"})
    for path in ("/reports/", "/reports/saved/", f"/reports/saved/{report.pk}/", f"/reports/saved/{report.pk}/edit/"):
        page = hugo.get(path).content.decode()
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page


def test_builder_shows_hostile_addresses_as_text(hugo):
    page = hugo.get(
        NEW, {"facts": "episodes", "m": "<script>alert(1)</script>", "f0": "<b>", "v0": '"><i>'}, follow=True
    )
    assert "<script>alert" not in page.content.decode()
    assert '"><i>' not in page.content.decode()


def test_heat_map_of_hours_has_a_field_for_the_same_hour_of_each_day(hugo, done):
    asked = "facts=episodes&m=count&by=agent&bucket=hour&chart=heat_map&tz=UTC&span=dates&from=2026-01-02&to=2026-01-05"
    content = hugo.get(f"/reports/new/?{asked}").content.decode()
    fields = re.findall(r'<rect class="chart-heat[^"]*" x="([^"]+)"', content)
    assert len(fields) == len(set(fields)) == 3, fields
    assert "3 Jan, 10:00" in content
