"""Predefined reports that are definitions: the builder opens with the same figures, and figures lead to their facts."""

from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from reports import running
from reports.behind import behind, href_of
from reports.behind.reading import read_asked
from reports.builder.form import Form
from reports.builder.opening import changes_of
from reports.builder.pages import kinds_of
from reports.definitions import read
from reports.parameters import read_question
from reports.predefined import REPORTS
from reports.tests.conftest import utc
from reports.vocabulary import FACTS

pytestmark = pytest.mark.django_db

JANUARY = "from=2026-01-01&to=2026-02-01&tz=Europe/Berlin&bucket=week"
NOW = utc("2026-06-01 12:00")
BY_DEFINITION = sorted(slug for slug, report in REPORTS.items() if report.parts)


def answered(slug: str, query: str, user):
    question = read_question(QueryDict(query), user=user, now=NOW)
    return running.answer(REPORTS[slug], question.scope, question.period, now=NOW)


@pytest.mark.parametrize("slug", sorted(REPORTS))
def test_report_has_a_query_or_definitions_that_are_grouped_alike(slug):
    report = REPORTS[slug]
    assert bool(report.parts) != bool(report.query)
    shapes = {(part.definition.by, bool(part.definition.time and part.definition.time.bucket)) for part in report.parts}
    assert len(shapes) <= 1
    named = [name for part in report.parts for name in part.columns]
    assert len(named) == len(set(named))
    for part in report.parts:
        assert read(part.definition.to_document()) == part.definition


@pytest.mark.parametrize("slug", BY_DEFINITION)
@pytest.mark.parametrize("project", ["", "&project=OPS"])
def test_builder_opens_with_the_figures_of_the_report(client, cast, something_of_all, slug, project):
    something_of_all()
    user = cast.ada.user
    given = answered(slug, JANUARY + project, user)
    client.force_login(user)
    page = client.get(f"/reports/{slug}/?{JANUARY}{project}").content.decode()
    for part, (title, address) in zip(REPORTS[slug].parts, changes_of(given), strict=True):
        assert f'<a href="{address.replace("&", "&amp;")}">{title}</a>' in page
        form = Form.of_query(QueryDict(urlsplit(address).query))
        same = running.run(read(form.definition(kinds_of(FACTS[form.facts]))), user=user, now=NOW)
        assert client.get(address).status_code == 200
        assert (same.period.start, same.period.end) == (given.period.start, given.period.end)
        assert {name: given.total[name] for name in part.columns} == {
            name: same.total[column] for name, column in part.columns.items()
        }
        by = [*part.definition.by, *(["bucket"] if given.is_over_time else [])]
        shown = {tuple(row[name] for name in by): row for row in given.rows}
        for row in same.rows:
            mine = shown[tuple(row[name] for name in by)]
            assert all(mine[name] == row[column] for name, column in part.columns.items())


@pytest.mark.parametrize("slug", BY_DEFINITION)
def test_figures_of_a_report_lead_to_as_many_facts(cast, something_of_all, slug):
    something_of_all()
    given = answered(slug, JANUARY, cast.ada.user)
    leads, links = href_of(given), 0
    for row in [*given.rows, given.total]:
        for column in given.columns:
            address = leads(row, column.name)
            if address is not None:
                links += 1
                asked = read_asked(QueryDict(urlsplit(address).query), user=cast.ada.user, zone=ZoneInfo("UTC"))
                facts = behind(asked.definition, asked.cell, asked.scope, now=NOW, user=cast.ada.user)
                assert facts.count() == (row[column.n] if column.n else row[column.name]), column.name
    assert links
