"""A brake on guessing passwords and tokens. Right ones are never counted, and nobody is locked out for good.

Passwords follow NIST SP 800-63B-4, section 3.2.2 (limit the failed attempts on one account), and OWASP's *Slow Down
Online Guessing Attacks with Device Cookies*. Everything is decided before a password is hashed. The reasons and the
figures: docs/decisions/0021-a-brake-on-guessing.md.
"""

import ipaddress
import math
import secrets
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.db import connection
from django.utils.crypto import salted_hmac
from limits import RateLimitItem, parse

from taskproject.counts import DatabaseLimiter
from taskproject.errors import TooManyRequests
from taskproject.limiter import Limiter, limiter

#: Wrong passwords for one account from one address, or from one browser that its owner has signed in with.
FROM_ONE_PLACE: Final = parse("10 per 15 minutes")
#: Wrong passwords for one account from everywhere but those browsers. Beyond that each address is heard only this often
#: (not: never), so whoever guesses from many addresses cannot keep the owner out.
ONE_ACCOUNT: Final = parse("100 per hour")
STILL_HEARD: Final = parse("1 per 5 minutes")
#: Wrong passwords from one address, whatever the account.
ONE_ADDRESS: Final = parse("100 per hour")
#: Names that were taken when somebody with an invitation chose them, from one address.
TAKEN_NAMES: Final = parse("20 per hour")
#: Wrong tokens from one address. Its right ones are served all the same.
WRONG_TOKENS: Final = parse("30 per minute")

DATABASE: Final = DatabaseLimiter()

#: The cookie of a browser that somebody has signed in with, and how long it counts.
DEVICE_COOKIE: Final = "known_device"
DEVICE_SECONDS: Final = 180 * 24 * 3600
#: Accounts that one browser is known for; the oldest is dropped.
MOST_ACCOUNTS: Final = 5


def address_in(meta: Mapping[str, Any]) -> str:
    """The client's address in a request's ``META``.

    Only the server may set it, from the connection or from a proxy that it was told to trust (uvicorn's
    ``--forwarded-allow-ips``); the header ``X-Forwarded-For`` is not read here.
    """
    return meta.get("REMOTE_ADDR") or ""


def address_of(scope: Mapping[str, Any]) -> str:
    """The same for an ASGI scope."""
    client = scope.get("client")
    return client[0] if client else ""


def _place(address: str) -> str:
    """What counts as one address: of IPv6, the network of 64 bits that a single client usually has to itself."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(number, ipaddress.IPv6Address):
        if number.ipv4_mapped is None:
            return str(ipaddress.ip_network((int(number), 64), strict=False))
        number = number.ipv4_mapped
    return str(number)


def _account(username: str) -> str:
    """A name for the account that says nothing about it: it stands in Redis and in the browser's cookie."""
    normal = unicodedata.normalize("NFKC", username).casefold()
    return salted_hmac("taskproject.guessing", normal, algorithm="sha256").hexdigest()[:32]


def in_words(seconds: float) -> str:
    """A wait as people read it, rounded up: ``40 seconds``, ``12 minutes``."""
    amount, unit = (math.ceil(seconds / 60), "minute") if seconds > 90 else (max(1, math.ceil(seconds)), "second")
    return f"{amount} {unit}{'' if amount == 1 else 's'}"


def _counts() -> Limiter:
    """Where wrong passwords are counted: for all processes, if there may be several."""
    return limiter if settings.REDIS_URL or connection.vendor == "sqlite" else DATABASE


class TooManyGuesses(TooManyRequests):
    """The password was not looked at; ``retry_after_seconds`` says when the next one will be."""


class PasswordAttempt:
    """One password for one account, from ``begin`` until it turned out right or wrong."""

    def __init__(self, username: str, address: str, device_cookie: str | None) -> None:
        self.account = _account(username)
        self._device = Device.read(device_cookie)
        self._address = f"passwords:address:{_place(address)}"
        self._everywhere = f"passwords:account:{self.account}"
        self.is_known = self.account in self._device.accounts
        where = f"device:{self._device.number}" if self.is_known else f"address:{_place(address)}"
        self._here = f"passwords:{where}:account:{self.account}"

    def begin(self) -> None:
        """Count the attempt as wrong until it proves right. Raises ``TooManyGuesses``, before anything is hashed."""
        if not self.is_known:
            if not _counts().test(ONE_ADDRESS, self._address):
                raise self._refusal(ONE_ADDRESS, self._address)
            if not _counts().test(ONE_ACCOUNT, self._everywhere) and not _counts().hit(STILL_HEARD, self._here):
                raise self._refusal(STILL_HEARD, self._here)
        if not _counts().hit(FROM_ONE_PLACE, self._here):
            raise self._refusal(FROM_ONE_PLACE, self._here)

    def was_wrong(self) -> None:
        if not self.is_known:
            _counts().hit(ONE_ADDRESS, self._address)
            _counts().hit(ONE_ACCOUNT, self._everywhere)

    def was_right(self) -> str:
        """Forget the wrong ones from here; returns the browser's new cookie, by which it is known from now on."""
        _counts().clear(FROM_ONE_PLACE, self._here)
        _counts().clear(STILL_HEARD, self._here)
        return self._device.known_for(self.account)

    @staticmethod
    def _refusal(limit: RateLimitItem, key: str) -> TooManyGuesses:
        wait = max(1, math.ceil(_counts().wait(limit, key)))
        return TooManyGuesses("Too many wrong passwords.", f"Try again in {in_words(wait)}.", retry_after_seconds=wait)


class Device:
    """What a browser's cookie says: its random number, and the accounts that have signed in with it."""

    def __init__(self, number: str, accounts: list[str]) -> None:
        self.number, self.accounts = number, accounts

    @classmethod
    def read(cls, cookie: str | None) -> "Device":
        """The browser with this cookie; an unknown one if there is none, or it is too old or not signed by us."""
        try:
            number, accounts = signing.loads(cookie or "", salt=DEVICE_COOKIE, max_age=DEVICE_SECONDS)
        except (signing.BadSignature, ValueError, TypeError):
            return cls(secrets.token_urlsafe(12), [])
        return cls(number, accounts)

    def known_for(self, account: str) -> str:
        accounts = [account, *(each for each in self.accounts if each != account)][:MOST_ACCOUNTS]
        return signing.dumps([self.number, accounts], salt=DEVICE_COOKIE)


def count_wrong_token(address: str) -> None:
    """Count a token that was looked up and refused. Raises ``TooManyRequests`` beyond the limit of its address."""
    key = f"tokens:address:{_place(address)}"
    if not limiter.hit(WRONG_TOKENS, key):
        wait = max(1, math.ceil(limiter.wait(WRONG_TOKENS, key)))
        raise TooManyRequests(
            "Too many wrong tokens from your address.",
            f"Wait {in_words(wait)}, or send a valid token.",
            retry_after_seconds=wait,
        )


def count_taken_name(address: str) -> None:
    """Count a name that was refused as taken: each tells that an account exists. Raises ``TooManyRequests``."""
    key = f"names:address:{_place(address)}"
    if not _counts().hit(TAKEN_NAMES, key):
        wait = max(1, math.ceil(_counts().wait(TAKEN_NAMES, key)))
        raise TooManyRequests("Too many names were taken.", f"Try again in {in_words(wait)}.", retry_after_seconds=wait)
