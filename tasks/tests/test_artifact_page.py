"""The page of an artifact: numbered, escaped lines, in parts; and where the lines of a diff stand."""

import pytest

from tasks.actions import claims, runs
from tasks.contents import count_lines, lines_of
from tasks.diffs import DiffLine, read_diff
from tasks.models import Artifact
from tasks.pages.artifact import LONGEST_LINE

DIFF = """diff --git a/src/key.py b/src/key.py
index 1..2 100644
--- a/src/key.py
+++ b/src/key.py
@@ -10,4 +10,5 @@ def rotate():
 keep
-old
+new
+-- a comment that looks like a header
 keep

@@ -40 +41 @@
--- removed comment
+x
\\ No newline at end of file
--- a/gone.txt\t2026-01-01
+++ /dev/null
@@ -1 +0,0 @@
-bye
trailing words
"""


def test_diff_gives_each_line_its_place():
    places = list(read_diff(DIFF.splitlines()))
    assert [place.kind for place in places] == [
        "head", "head", "head", "head", "hunk", "same", "removed", "added", "added", "same", "same", "hunk", "removed",
        "added", "head", "head", "head", "hunk", "removed", "head",
    ]  # fmt: skip
    assert places[6] == DiffLine("removed", "src/key.py", 11, None)
    assert places[8] == DiffLine("added", "src/key.py", None, 12)
    assert (places[8].side, places[8].number) == ("new", 12)
    assert places[10] == DiffLine("same", "src/key.py", 13, 14)
    assert (places[12].path, places[12].old, places[13].new) == ("src/key.py", 40, 41)
    assert (places[18].path, places[18].side, places[18].number) == ("gone.txt", "old", 1)


def test_diff_with_wrong_counts_ends_its_hunk_and_never_fails():
    assert [each.kind for each in read_diff(["@@ -1,9 +1,9 @@", "+a", "@@ -5 +5 @@", "-b", "+b", "-c"])] == [
        "hunk", "added", "hunk", "removed", "added", "head",
    ]  # fmt: skip
    assert [each.kind for each in read_diff(["", "+++", "@@", "@@ -x +1 @@", "\\"])] == ["head"] * 5


def test_lines_end_at_line_feeds_alone():
    assert lines_of(b"a\r\nb\x0cc\xe2\x80\xa8d\n\n") == ["a", "b\x0cc\u2028d", ""]
    for content in (b"a", b"a\n", b"a\nb", b"\n", b"a\n\n"):
        assert count_lines("text", content) == len(lines_of(content)), content
    assert count_lines("file", b"a\nb") == 0


@pytest.fixture
def shown(cast, new_task, client):
    """``shown(kind, text, query)`` → the page of an artifact with this text, as vera sees it."""

    def read(kind, text, query=""):
        run = claims.claim_task(actor=cast.atlas.user, task=new_task())
        artifact = {"name": "<b>name</b>.txt", "kind": kind, "text": text}
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done", artifacts=[artifact])
        client.force_login(cast.vera)
        answer = client.get(f"/tasks/{run.task.ref}/artifacts/{Artifact.objects.latest('pk').pk}{query}")
        assert answer.status_code == 200
        return answer.content.decode()

    return read


@pytest.mark.django_db
def test_page_of_a_text_escapes_and_numbers_its_lines(shown):
    page = shown("text", "<script>alert(1)</script>\n" + "x" * (LONGEST_LINE + 5) + "\n")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;b&gt;name&lt;/b&gt;.txt" in page
    assert 'id="L2"' in page
    assert "cut at 2000" in " ".join(page.split())
    assert "x" * (LONGEST_LINE + 1) not in page


@pytest.mark.django_db
def test_page_of_a_diff_marks_its_lines(shown):
    page = " ".join(shown("diff", DIFF).split())
    assert '<tr class="line line-added" id="L8">' in page
    assert '<td class="line-place">11</td> <td class="line-place"></td>' in page


@pytest.mark.django_db
def test_page_of_ten_thousand_lines_shows_a_thousand_at_a_time(shown):
    text = "".join(f"line {number}\n" for number in range(1, 10_001))
    page = shown("text", text, "?line=2500")
    assert page.count('scope="row"') == 1_000
    assert "line 2001<" in page
    assert "line 3001<" not in page
    assert 'href="?line=1001"' in page
    assert 'href="?line=3001"' in page
    for odd in ("?line=0", "?line=x", "?line=²", "?line=99999999999"):
        assert "line 1<" in shown("text", text, odd)
    assert "line 10000<" in shown("text", text, "?line=99999")


@pytest.mark.django_db
def test_page_of_an_artifact_is_found_only_with_its_task(cast, new_task, client):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    text = {"name": "x", "kind": "text", "text": "x"}
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done", artifacts=[text])
    pk = Artifact.objects.get().pk
    other = new_task()
    client.force_login(cast.ada.user)
    assert client.get(f"/tasks/{other.ref}/artifacts/{pk}").status_code == 404
    assert client.get(f"/tasks/{run.task.ref}/artifacts/{pk + 1}").status_code == 404
    client.force_login(cast.zed.user)
    assert client.get(f"/tasks/{run.task.ref}/artifacts/{pk}").status_code == 404
