"""The pages: what they show to whom, links that keep the query, files, and empty states."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from reports.filling import FILLED_BY
from reports.predefined import REPORTS
from tasks.models import Agent, Membership, Role
from tasks.tests.cast import join, make_agent

pytestmark = pytest.mark.django_db

JANUARY = "project=OPS&from=2026-01-01&to=2026-02-01&tz=UTC"


@pytest.fixture
def page(client, cast):
    """``page("/reports/", user=…)`` → (status, text), white space folded."""

    def get(path: str, user=None) -> tuple[int, str]:
        client.force_login(user or cast.ada.user)
        answer = client.get(path)
        return answer.status_code, " ".join(answer.content.decode().split())

    return get


@pytest.mark.parametrize("path", ["/reports/", "/reports/completed/"])
def test_page_without_login_leads_to_login(client, db, path):
    assert client.get(path).url == f"/login/?next={path}"


def test_overview_names_all_reports_and_where_their_figures_are(page, something_of_all):
    something_of_all()
    status, text = page(f"{reverse('reports')}?{JANUARY}")
    assert status == 200
    for report in REPORTS.values():
        assert report.title in text
        assert escape(report.description) in text
        assert f'href="{reverse("report", args=[report.slug])}?project=OPS&amp;from=2026-01-01' in text
        assert f'data-figures="{reverse("report_card", args=[report.slug])}?project=OPS&amp;from=2026-01-01' in text
    assert "<svg" not in text.partition("<main")[2]
    assert "<table" not in text
    assert "1 Jan 2026 to 31 Jan 2026, by week, in UTC time" in text


def test_overview_asks_as_many_queries_for_much_as_for_little(client, cast, do_task, something_of_all):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    client.force_login(cast.ada.user)
    with CaptureQueriesContext(connection) as little:
        assert "data-figures" in client.get(f"/reports/?{JANUARY}").content.decode()
    something_of_all()
    with CaptureQueriesContext(connection) as much:
        client.get(f"/reports/?{JANUARY}")
    assert len(much) <= len(little) < len(REPORTS)


@pytest.mark.parametrize("slug", sorted(REPORTS))
def test_card_has_the_first_figures_and_a_small_chart(page, something_of_all, slug):
    something_of_all()
    status, text = page(f"{reverse('report_card', args=[slug])}?{JANUARY}")
    assert status == 200
    assert '<dl class="headline">' in text
    # A forecast and a service level need more than this, and say so.
    assert text.count('class="chart"') == (0 if slug in ("forecast", "service_level") else 1)
    assert "<table" not in text
    assert 'class="chart-mark"' not in text
    assert "<html" not in text


def test_card_of_an_empty_period_says_so(page, do_task):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    text = page("/reports/cards/completed/?project=OPS&from=2026-02-01&to=2026-03-01")[1]
    assert "Nothing to count in this period." in text


def test_card_of_a_strangers_project_or_an_unknown_report_is_not_found(page, cast):
    assert page("/reports/cards/completed/?project=OPS", user=cast.mona.user)[0] == 404
    assert page("/reports/cards/nothing/")[0] == 404


@pytest.mark.parametrize("slug", sorted(REPORTS))
def test_page_of_one_report_has_its_table_and_downloads(page, something_of_all, slug):
    something_of_all()
    status, text = page(f"{reverse('report', args=[slug])}?{JANUARY}&bucket=month")
    assert status == 200
    for output in ("csv", "xlsx", "json"):
        assert f"bucket=month&amp;tz=UTC&amp;output={output}" in text


def test_page_without_a_period_shows_all_time_in_buckets_that_fit(page, do_task, set_clock):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    do_task("2026-01-20 08:00", "2026-01-20 09:00", "2026-01-20 10:00")
    set_clock("2026-03-01 00:00")
    for query in ("tz=UTC", "tz=UTC&from=&to=&bucket=auto"):
        text = page(f"/reports/completed/?{query}")[1]
        assert "2 Jan 2026 to 20 Jan 2026, by day, in UTC time" in text
        assert '<option value="auto" selected>' in text
        assert 'href="?tz=UTC" aria-current="true" >All time' in text


def test_page_of_facts_within_hours_is_by_the_hour_or_the_minute(page, do_task, set_clock):
    do_task("2026-01-02 08:10", "2026-01-02 08:20", "2026-01-02 08:50")
    set_clock("2026-01-02 09:30")
    assert "2 Jan 2026 to 2 Jan 2026, by minute" in page("/reports/completed/?tz=UTC")[1]
    do_task("2026-01-02 11:10", "2026-01-02 11:20", "2026-01-02 12:50")
    assert "2 Jan 2026 to 2 Jan 2026, by hour" in page("/reports/completed/?tz=UTC")[1]


def test_all_time_goes_up_to_now_while_anything_is_open(page, cast, do_task, new_task, set_clock):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    set_clock("2026-01-03 08:00")
    new_task()
    set_clock("2026-01-30 08:00")
    assert "2 Jan 2026 to 30 Jan 2026, by day" in page("/reports/completed/?tz=UTC")[1]


def test_page_folds_empty_buckets(page, do_task):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 11:30")
    text = page(f"/reports/time_to_complete/?{JANUARY}&bucket=day")[1]
    assert '29 empty days <span class="row-remark">Sat 3 Jan 2026 to Sat 31 Jan 2026</span>' in text


def test_page_says_how_a_report_counts(page, something_of_all):
    something_of_all()
    for report in REPORTS.values():
        text = page(f"/reports/{report.slug}/?{JANUARY}")[1]
        assert escape(report.description) in text
        assert escape(report.formula) in text
        assert escape(report.source) in text


def test_page_shows_durations_and_partial_buckets_in_words(page, do_task):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 11:30")
    text = page(f"/reports/time_to_complete/?{JANUARY}")[1]
    assert "3 h 30 min" in text
    assert "2 h 30 min" in text
    assert 'Week of 29 Dec 2025 <span class="row-remark">partial</span>' in text


def test_page_files_come_under_the_same_question(client, cast, do_task):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    client.force_login(cast.vera)
    exported = json.loads(client.get(f"/reports/completed/?{JANUARY}&output=json").content)
    assert (exported["project"], exported["total"]["completed"]) == ("OPS", 1)
    answer = client.get(f"/reports/completed/?{JANUARY}&output=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="completed_OPS_2026-01-01_2026-02-01.csv"'


def test_page_of_strangers_project_is_not_found(page, cast):
    assert page("/reports/?project=OPS", user=cast.mona.user)[0] == 404
    assert page("/reports/completed/?project=OPS&output=csv", user=cast.mona.user)[0] == 404


def test_page_without_project_shows_nothing_of_others(page, cast, do_task):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    for path in ("/reports/", "/reports/cards/workload/"):
        text = page(f"{path}?from=2026-01-01&to=2026-02-01", user=cast.mona.user)[1]
        assert "OPS" not in text
        assert "atlas" not in text.lower()


def test_page_of_unknown_report_is_not_found(page):
    assert page("/reports/nothing/")[0] == 404


def test_page_with_a_wrong_filter_says_which_and_keeps_the_form(page):
    assert "did you mean &#x27;week&#x27;?" in page("/reports/cards/completed/?bucket=weeek")[1]
    status, text = page("/reports/?bucket=weeek&project=OPS")
    assert status == 400
    assert "did you mean &#x27;week&#x27;?" in text
    assert '<option value="OPS" selected>' in text


def test_page_takes_only_reads(client, cast):
    client.force_login(cast.ada.user)
    assert client.post("/reports/").status_code == 405


def test_empty_page_of_a_project_without_completions_leads_to_the_board(page, cast):
    text = page("/reports/?project=OPS")[1]
    assert "Nothing has happened yet" in text
    assert f'href="{reverse("board")}">Open the board' in text


def test_empty_period_names_the_last_completion_and_leads_to_all_time(page, do_task):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    text = page("/reports/?project=OPS&from=2026-02-01&to=2026-03-01")[1]
    assert "A task last arrived or was completed on 2 Jan 2026." in text
    assert 'href="?project=OPS">Show all time' in text
    assert "Show all time" in text


# Where an agent could have worked, utilisation has figures.
@pytest.mark.parametrize("slug", [slug for slug in REPORTS if slug != "utilisation"])
def test_empty_report_says_in_one_sentence_what_would_fill_it(page, slug):
    assert FILLED_BY[slug].count(".") == 1
    assert FILLED_BY[slug] in page(f"/reports/{slug}/?project=OPS&from=2020-01-01&to=2020-02-01")[1]


def test_sentences_on_what_would_fill_a_report_are_of_reports():
    assert FILLED_BY.keys() == REPORTS.keys()


def test_empty_page_without_projects_says_whom_to_ask(page, django_user_model):
    assert "not a member of any project" in page("/reports/", user=django_user_model.objects.create_user("new"))[1]


def test_page_of_a_superuser_without_projects_at_all_leads_to_none(page, db, django_user_model):
    root = django_user_model.objects.create_superuser("chief")
    assert page("/reports/", user=root)[0] == 200


def test_page_shows_hostile_names_as_text(page, cast, do_task):
    Agent.objects.filter(pk=cast.atlas.pk).update(name="<script>alert(1)</script>")
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    text = page(f"/reports/cards/workload/?{JANUARY}")[1]
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_page_has_no_inline_script_or_style(page, something_of_all):
    something_of_all()
    text = "".join(page(f"{path}?{JANUARY}")[1] for path in ("/reports/", "/reports/cards/cumulative_flow/"))
    assert " style=" not in text
    assert "<style" not in text
    assert "<script>" not in text


@pytest.mark.parametrize("slug", sorted(REPORTS))
def test_card_asks_as_many_queries_for_many_agents_as_for_few(
    client, cast, do_task, django_assert_max_num_queries, slug
):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    client.force_login(cast.ada.user)
    path = f"{reverse('report_card', args=[slug])}?{JANUARY}&bucket=month"
    with CaptureQueriesContext(connection) as few:
        client.get(path)
    for number in range(20):
        join(cast.ops, make_agent(f"agent-{number}").user, Role.WORKER)
    assert Membership.objects.filter(project=cast.ops).count() > 20
    with django_assert_max_num_queries(len(few)):
        client.get(path)
