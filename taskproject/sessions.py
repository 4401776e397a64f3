"""Sessions in the database, where a database that is away is not a session that is gone."""

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError

from taskproject.outages import is_outage


class SessionStore(db.SessionStore):
    """Django's answers 400 "session was deleted" to any error while saving; an outage stays an outage here."""

    def save(self, must_create: bool = False) -> None:
        try:
            super().save(must_create)
        except UpdateError as error:
            if (cause := error.__context__) is not None and is_outage(cause):
                raise cause from None
            raise
