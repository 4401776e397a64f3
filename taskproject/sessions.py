"""Sessions in the database, where a database that is away is not a session that is gone."""

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import Error

from taskproject.models import SignIn
from taskproject.outages import is_outage, only_reads


class SessionStore(db.SessionStore):
    """Django's answers 400 "session was deleted" to any error while saving; an outage stays an outage here.

    A page that finds its session outdated (a new password) would delete it, and so wait for whoever writes. If it
    cannot at once, the session stays: it is refused each time, and ``clearsessions`` removes it.
    """

    def save(self, must_create: bool = False) -> None:
        try:
            super().save(must_create)
        except UpdateError as error:
            if (cause := error.__context__) is not None and is_outage(cause):
                raise cause from None
            raise

    def cycle_key(self) -> None:
        before = self.session_key
        super().cycle_key()
        if before is not None and self.session_key is not None:
            SignIn.objects.filter(session_key=before).update(session_key=self.session_key)

    def delete(self, session_key: str | None = None) -> None:
        try:
            super().delete(session_key)
        except Error as error:
            if not (only_reads() and is_outage(error)):
                raise
