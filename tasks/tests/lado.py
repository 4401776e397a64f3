"""Where the tasks of trobanga/lado lie, which are not ours to ship: beside the repository, or nowhere."""

from pathlib import Path

from django.conf import settings


def _lado() -> Path | None:
    folders = (parent / "shared" / "data" for parent in Path(settings.BASE_DIR).parents)
    return next((path for folder in folders if (path := folder / "lado.beads.jsonl").exists()), None)


LADO = _lado()
