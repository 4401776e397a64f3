"""Static files with and without `collectstatic`: names, imports between modules, compressed copies, a reminder."""

import gzip
import os
import re

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.templatetags.static import static

from taskproject.checks import check_collected_files
from taskproject.static_files import HashedStaticFiles

HASHED = re.compile(r"\.[0-9a-f]{12}\.")
IMPORTED = re.compile(r"""(?:import|export)[^;"']*["']([^"']+\.js)["']""")


@pytest.fixture(scope="module")
def collected(tmp_path_factory, django_db_blocker):
    """The folder of our collected files; those of other packages take seconds."""
    folder = tmp_path_factory.mktemp("static")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(staticfiles_storage, "location", str(folder))
        call_command(
            "collectstatic", interactive=False, verbosity=0, ignore_patterns=["drf_*", "rest_framework", "admin"]
        )
    return folder


@pytest.fixture
def storage(collected):
    return HashedStaticFiles(location=str(collected))


def test_without_collectstatic_names_are_plain():
    assert static("tasks/follow.js") == "/static/tasks/follow.js"
    assert check_collected_files() == []


def test_collected_files_have_names_of_their_content_and_those_added_later_do_not(storage):
    assert HASHED.search(storage.url("tasks/follow.js"))
    assert HASHED.search(storage.url("taskproject/icons.svg#bell"))
    assert storage.url("taskproject/icons.svg#bell").endswith("#bell")
    assert storage.url("tasks/new.js") == "/static/tasks/new.js"


def test_modules_import_each_other_under_hashed_names(collected):
    modules = [path for path in collected.rglob("*.js") if HASHED.search(path.name)]
    imports = [(path, name) for path in modules for name in IMPORTED.findall(path.read_text())]
    assert len(imports) > 10
    for path, name in imports:
        assert HASHED.search(name), f"{path.name} imports {name}"
        assert (path.parent / name).resolve().is_file(), f"{path.name} imports {name}"


def test_hashed_files_have_compressed_copies(collected, storage):
    path = collected / storage.url("tasks/board.css").removeprefix("/static/")
    assert gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes()) == path.read_bytes()


def test_change_after_collecting_is_said(collected, storage, monkeypatch):
    monkeypatch.setattr("taskproject.checks.staticfiles_storage", storage)
    manifest = collected / "staticfiles.json"
    assert check_collected_files() == []
    os.utime(manifest, (0, 0))
    (message,) = check_collected_files()
    assert "has changed since the static files were collected" in message.msg
