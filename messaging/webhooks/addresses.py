"""Which addresses a webhook may have: a strict reading of URLs, and of every address that a name stands for.

Whoever manages a project chooses the URL, and this server sends the request from its own network: without this they
could reach what stands beside it. A name is resolved once for each request, every address that it stands for is judged,
and the connection goes to one of exactly those (``connecting``), so that a name server that answers differently the
next time changes nothing.
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from django.conf import settings

from messaging.models.webhooks import LONGEST_URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS: Final = {"https": 443, "http": 80}
#: Below this, on the internet only the port of HTTPS: the others belong to other protocols.
FIRST_FREE_PORT = 1024
LONGEST_NAME, LONGEST_LABEL = 253, 63
#: Lookups that may run at a time; more wait for one to end.
LOOKUPS = 32
#: Addresses of a name that are tried.
MOST_ADDRESSES = 8
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?", re.ASCII)
#: What some libraries read as a number: 127.1, 0x7f000001, 0177.0.0.1, 2130706433.
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.ASCII)
_URL = re.compile(r"[!-~]+")

NO_HOST: Final = "The host must be a name such as hooks.example.org, or an address; IPv6 in brackets."

#: Not on the internet, or not only there: IANA's special-purpose registries (RFC 6890 and its updates) as of 2025.
NOT_GLOBAL: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent: a public number that only machines there reach
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # What carries an IPv4 address, private or not (Teredo, 6to4), and what is reserved within 2000::/3.
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
#: All of IPv6 that is given out for the internet. Mapped, compatible and NAT64 addresses lie outside.
GLOBAL_IPV6: Final = IPv6Network("2000::/3")


class Refused(ValueError):
    """The URL or what it leads to is not allowed; the message is one sentence."""


class Unresolved(ValueError):
    """The name stands for no address now; the message is one sentence."""


@dataclass(frozen=True)
class Target:
    """Where a URL leads. ``host`` is the name or address without brackets; ``path`` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def literal(self) -> Address | None:
        """The address, if the URL has one in place of a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def read_url(url: str) -> Target:
    """Where ``url`` leads, read as strictly as RFC 3986 allows, so that no other program reads it differently.

    Raises ``Refused``.
    """
    if len(url) > LONGEST_URL:
        raise Refused(f"At most {LONGEST_URL:,} characters.")
    if not _URL.fullmatch(url) or "\\" in url:
        raise Refused("Write the URL in ASCII without spaces; a name with other letters begins with xn--.")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in PORTS:
        raise Refused("Must start with https://.")
    if "#" in url:
        raise Refused("Must not have a fragment (#).")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise Refused("Must not contain a user name or password.")
    name, colon, number = authority, "", ""
    if not authority.endswith("]"):
        name, colon, number = authority.rpartition(":") if ":" in authority else (authority, "", "")
    if colon and not (number.isdecimal() and len(number) <= 5 and 1 <= int(number) <= 65535):
        raise Refused("The port must be a number from 1 to 65535.")
    path = rest[len(authority) :]
    target = path if path.startswith("/") else f"/{path}"
    return Target(scheme, _read_host(name), int(number) if colon else PORTS[scheme], target)


def _read_host(text: str) -> str:
    host = text.lower()
    if host.startswith("["):
        return _read_ipv6(host)
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise Refused("Write an IPv4 address as four decimal numbers without leading zeros.") from None
    if host.endswith("."):
        raise Refused("The name must not end with a dot.")
    if len(host) > LONGEST_NAME or not all(_LABEL.fullmatch(each) and len(each) <= LONGEST_LABEL for each in labels):
        raise Refused(NO_HOST)
    return host


def _read_ipv6(host: str) -> str:
    try:
        address = IPv6Address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise Refused(NO_HOST) from None
    if address.scope_id is not None:
        raise Refused("The address must not name an interface (%).")
    return str(address)


def private_networks() -> Sequence[Network]:
    """The networks inside that the operator has opened to webhooks."""
    networks: Sequence[Network] = settings.WEBHOOK_PRIVATE_NETWORKS
    return networks


def is_inside(address: Address) -> bool:
    """Whether the operator has opened the network of ``address``."""
    return any(address in network for network in private_networks())


def is_global(address: Address) -> bool:
    """Whether ``address`` is one host on the internet, and the same one from everywhere."""
    if isinstance(address, IPv6Address) and address not in GLOBAL_IPV6:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in NOT_GLOBAL)


def judge(target: Target, addresses: Sequence[Address]) -> None:
    """Raise ``Refused`` unless a webhook may lead to each of these addresses."""
    for address in addresses:
        if is_inside(address):
            continue
        if not is_global(address):
            said = "That address" if target.literal else f"The name {target.host}"
            raise Refused(f"{said} does not lead to the public internet, so nothing is sent there.")
        if target.scheme != "https":
            raise Refused("Must start with https://, since it leads through the internet.")
        if target.port != PORTS["https"] and target.port < FIRST_FREE_PORT:
            raise Refused(f"The port must be {PORTS['https']}, or {FIRST_FREE_PORT} or higher.")


Resolver = Callable[[str, int], list[Address]]
_lookups = threading.BoundedSemaphore(LOOKUPS)


def look_up(host: str, port: int) -> list[Address]:
    """The addresses of a name, as the system's resolver orders them. Raises ``OSError``."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries]
    return list(dict.fromkeys(addresses))


#: Replaced by tests.
resolver: Resolver = look_up


def resolve(target: Target, *, seconds: float) -> list[Address]:
    """Every address that ``target`` leads to, each of which a webhook may have; looks up its name once.

    Raises ``Refused``; ``Unresolved`` if there is none, or it takes longer than ``seconds``.
    """
    if (literal := target.literal) is not None:
        addresses = [literal]
    else:
        addresses = _look_up_within(target, seconds)
    judge(target, addresses)
    return addresses[:MOST_ADDRESSES]


def _look_up_within(target: Target, seconds: float) -> list[Address]:
    """The system's resolver cannot be interrupted; a thread of its own may be left behind."""
    unresolved = Unresolved(f"The name {target.host} cannot be resolved.")
    if not _lookups.acquire(timeout=seconds):
        raise unresolved
    answer: Future[list[Address]] = Future()

    def run() -> None:
        try:
            answer.set_result(resolver(target.host, target.port))
        except BaseException as error:  # whatever it is belongs to whoever waits
            answer.set_exception(error)
        finally:
            _lookups.release()

    threading.Thread(target=run, name="webhook name lookup", daemon=True).start()
    try:
        addresses = answer.result(timeout=seconds)
    except (OSError, UnicodeError, TimeoutError):
        raise unresolved from None
    if not addresses:
        raise unresolved
    return addresses
