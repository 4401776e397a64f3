"""What may be asked, and the one sentence for what may not."""

from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from reports.parameters import read_question
from reports.tests.conftest import utc
from taskproject.errors import Invalid, NotFound

pytestmark = pytest.mark.django_db
NOW = utc("2026-02-20 12:00")


@pytest.fixture
def read(cast):
    return lambda query, user=None: read_question(QueryDict(query), user=user or cast.ada.user, now=NOW)


def test_read_nothing_is_twelve_weeks_until_the_end_of_today_in_all_projects(read, cast, settings):
    question = read("")
    period = question.period
    assert (period.start, period.end) == (utc("2025-12-01 00:00"), utc("2026-02-21 00:00"))
    assert (period.size, period.zone, question.output) == ("week", ZoneInfo(settings.TIME_ZONE), "json")
    assert (question.scope.project, question.scope.project_ids) == (None, (cast.ops.pk,))


def test_read_all_parameters_takes_dates_as_local_midnights(read, cast):
    question = read("project=ops&from=2026-01-01&to=2026-02-01&bucket=day&tz=Europe/Berlin&output=csv")
    assert question.scope.project == cast.ops
    assert (question.period.start, question.period.end) == (utc("2025-12-31 23:00"), utc("2026-01-31 23:00"))
    assert (question.period.size, question.output) == ("day", "csv")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01T10:30:00Z", "2026-01-01 10:30"),
        ("2026-01-01T10:30:00%2B02:00", "2026-01-01 08:30"),
        ("2026-01-01T10:30", "2026-01-01 09:30"),
    ],
)
def test_read_times_with_and_without_an_offset(read, text, moment):
    assert read(f"from={text}&tz=Europe/Berlin").period.start == utc(moment)


def test_read_empty_values_are_as_left_out(read):
    assert read("project=&from=&to=&bucket=&tz=&output=") == read("")


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("bucket=weak", "bucket", "did you mean 'week'?"),
        ("output=xls", "output", "did you mean 'xlsx'?"),
        ("tz=Europe/Berln", "tz", "did you mean 'Europe/Berlin'?"),
        ("tz=../../etc/passwd", "tz", "There is no time zone"),
        ("tz=Europe", "tz", "There is no time zone"),
        ("form=2026-01-01", "form", "did you mean 'from'?"),
        ("limit=5", "limit", "There is no parameter 'limit'"),
        ("from=yesterday", "from", "'yesterday' is not a date"),
        ("from=2026-02-30", "from", "'2026-02-30' is not a date"),
        ("from=0001-01-01", "from", "is not a date from 1970 to 9998"),
        ("to=9999-12-31T23:59:59Z", "to", "is not a date from 1970 to 9998"),
        ("from=2026-02-01&to=2026-02-01", "to", "must be after `from`"),
        ("from=2026-03-01", "from", "is in the future"),
        ("from=1990-01-01&bucket=day", "bucket", "more than 1,000 days; choose a larger bucket"),
        ("bucket=day&bucket=week", "bucket", "Give it once."),
        ("project=O%00PS", "project", "contains invalid characters"),
    ],
)
def test_read_what_is_wrong_is_refused_with_one_sentence(read, query, field, words):
    with pytest.raises(Invalid) as refused:
        read(query)
    assert words in refused.value.data["errors"][field][0]


def test_read_project_of_strangers_is_not_found_like_one_that_does_not_exist(read, cast):
    with pytest.raises(NotFound) as theirs:
        read("project=OTHER")
    with pytest.raises(NotFound) as nowhere:
        read("project=OTHEX")
    assert theirs.value.detail == "There is no project of yours 'OTHER'."
    assert nowhere.value.detail == "There is no project of yours 'OTHEX'."
    with pytest.raises(NotFound, match="did you mean 'OPS'"):
        read("project=OPSS")


def test_read_as_superuser_is_every_project(read, cast):
    assert set(read("", user=cast.root).scope.project_ids) == {cast.ops.pk, cast.other.pk}
    assert read("project=OTHER", user=cast.root).scope.project == cast.other
