"""Static files under names that say their content, once `collectstatic` has made them."""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.contrib.staticfiles.finders import get_finders
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """A collected file has a name with its hash, which browsers keep for good, and a compressed copy.

    What was not collected keeps its name, and WhiteNoise serves it from its app: so `up` needs no `collectstatic`.
    """

    support_js_module_import_aggregation = True

    def stored_name(self, name: str) -> str:
        path = self.clean_name(urlsplit(unquote(name)).path.strip())
        stored: str = super().stored_name(name) if self.hash_key(path) in self.hashed_files else name
        return stored


def collected_before_a_change(storage: Any) -> str:
    """A file that changed since `collectstatic`, or is new; empty if there is none, or nothing was collected."""
    try:
        collected_at = storage.get_modified_time(storage.manifest_name)
    except (FileNotFoundError, AttributeError):
        return ""
    for finder in get_finders():
        for name, source in finder.list(None):
            if source.get_modified_time(name) > collected_at:
                return str(name)
    return ""
