"""Signing keys: made here, stored encrypted, shown once.

A key has to be used at every sending, so that a digest, as tokens have, would not do. It is encrypted with a key
derived from ``SECRET_KEY``, which is not in the database: a dump or a backup of the database signs nothing.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import Q

from messaging.models import Webhook, WebhookKey

PREFIX: Final = "whsec_"
#: Standard Webhooks: from 24 to 64.
KEY_BYTES: Final = 32
#: How many keys sign at a time at most, so that headers stay short however often a key is replaced.
MOST_KEYS: Final = 4


class Unreadable(Exception):
    """No key of a webhook can be decrypted: ``SECRET_KEY`` has changed."""


@lru_cache(maxsize=4)
def _box(secret_keys: tuple[str, ...]) -> MultiFernet:
    derived = [
        HKDF(algorithm=SHA256(), length=32, salt=None, info=b"taskproject webhook keys").derive(key.encode())
        for key in secret_keys
    ]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])


def _present_box() -> MultiFernet:
    return _box((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def new_secret() -> str:
    """A key in the notation of Standard Webhooks: ``whsec_`` and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def seal(secret: str) -> str:
    """``secret`` as it is stored."""
    return _present_box().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str | None:
    """The key, or None if it was stored with another ``SECRET_KEY``."""
    try:
        return _present_box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def secrets_of(webhook: Webhook, now: datetime) -> Sequence[str]:
    """The keys that sign now, the newest first. Raises ``Unreadable`` if there is none."""
    current = WebhookKey.objects.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=now), webhook=webhook).order_by("-pk")
    readable = [secret for key in current[:MOST_KEYS] if (secret := unseal(key.sealed)) is not None]
    if not readable:
        raise Unreadable
    return readable
