"""Where a webhook may lead: every way to write an address inside, names that change, and what the operator opened."""

import ipaddress

import pytest

from messaging.tests.receiver import receiving
from messaging.webhooks import addresses, connecting
from messaging.webhooks.addresses import Refused, Unresolved, read_url, resolve

#: Written so, no URL is accepted, whatever a resolver would make of it.
MISREAD = [
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/",
    "https://127.1/", "https://127.0.1/", "https://127.0.0.01/", "https://0/", "https://127.0.0.0x1/",
    "https://127.0.0.1./", "https://localhost./", "https://hooks.example.org./", "https://10.0.0.256/",
    "https://1.2.3.4.5/", "https://good.example@127.0.0.1/", "https://user:word@hooks.example.org/",
    "https://127.0.0.1\\@hooks.example.org/", "https://hooks.example.org#@127.0.0.1/", "https://hooks.example.org/#x",
    "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[::1", "https://::1/", "https://[127.0.0.1]/",
    "https://[::ffff:127.0.0.1]x/", "https://hooks.example.org:0/", "https://hooks.example.org:65536/",
    "https://hooks.example.org:+443/", "https://hooks.example.org:/", "https://hooks.example.org:４43/",
    "https://hooks.example.org:443:80/", "https://１２７.0.0.1/", "https://127。0。0。1/", "https://ⓔxample.org/",
    "https://%31%32%37.0.0.1/", "https://exa mple.org/", "https://hooks.example.org\t/", "https://hooks\n.example.org/",
    "https:///path", "https://", "https:hooks.example.org", "//hooks.example.org/", "hooks.example.org", "",
    "ftp://hooks.example.org/", "file:///etc/passwd", "gopher://127.0.0.1/", "javascript:alert(1)",
    "https://-bad.example.org/", "https://a..example.org/", "https://.example.org/", f"https://{'a' * 64}.org/",
    f"https://hooks.example.org/{'a' * 2000}", "https://hooks.example.org\0.evil.org/",
]  # fmt: skip

#: Well written, and inside: refused because of where they lead.
INSIDE = [
    "https://127.0.0.1/", "https://127.255.255.254/", "https://0.0.0.0/", "https://0.1.2.3/", "https://10.0.0.1/",
    "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/", "https://100.100.100.200/", "https://192.0.0.192/", "https://192.0.2.1/",
    "https://198.51.100.7/", "https://203.0.113.9/", "https://198.18.0.1/", "https://192.88.99.1/", "https://224.0.0.1/",
    "https://239.255.255.250/", "https://240.0.0.1/", "https://255.255.255.255/", "https://168.63.129.16/",
    "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
    "https://[::ffff:8.8.8.8]/", "https://[::127.0.0.1]/", "https://[::8.8.8.8]/", "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::8.8.8.8]/", "https://[64:ff9b:1::a00:1]/", "https://[2002:7f00:1::]/", "https://[2002:808:808::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "https://[2001:db8::1]/", "https://[2001:2::1]/",
    "https://[3fff::1]/", "https://[5f00::1]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://[fe80::1]/",
    "https://[fec0::1]/", "https://[ff02::1]/", "https://[100::1]/", "https://[0:0:0:0:0:0:0:1]/",
]  # fmt: skip

OUTSIDE = [
    ("https://8.8.8.8/", "8.8.8.8", 443, "/"),
    ("HTTPS://Hooks.Example.ORG", "hooks.example.org", 443, "/"),
    ("https://[2606:4700::1111]:8443/a?b=c", "2606:4700::1111", 8443, "/a?b=c"),
    ("https://hooks.example.org?x=@", "hooks.example.org", 443, "/?x=@"),
    ("https://hooks.example.org/@a:b/%2e%2e?c[]=1", "hooks.example.org", 443, "/@a:b/%2e%2e?c[]=1"),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
    ("https://a_b.example.org:00443/", "a_b.example.org", 443, "/"),
]


@pytest.fixture
def names(monkeypatch):
    """``names["hooks.example.org"] = ["1.2.3.4"]``: what names stand for; ``names.asked``: what was looked up."""

    class Names(dict):
        asked: list[str] = []

    known = Names()
    known.asked = []

    def look_up(host, port):
        known.asked.append(host)
        if host not in known:
            raise OSError("unknown")
        return [ipaddress.ip_address(text) for text in known[host]]

    monkeypatch.setattr(addresses, "resolver", look_up)
    return known


def refusal(url):
    """Why ``url`` is refused; None if it is not."""
    try:
        resolve(read_url(url), seconds=1)
    except Refused as error:
        return str(error)
    return None


def test_read_url_refuses_every_form_that_programs_read_differently():
    for url in MISREAD:
        said = refusal(url)
        assert said is not None, url
        assert said.endswith("."), said
        assert "\n" not in said


def test_resolve_refuses_every_address_that_is_not_global(names):
    assert len(MISREAD) + len(INSIDE) >= 40
    for url in INSIDE:
        read_url(url)
        assert "public internet" in (refusal(url) or "accepted"), url
    assert names.asked == [], "an address is not looked up"


def test_read_url_takes_apart_what_is_allowed():
    for url, host, port, path in OUTSIDE:
        target = read_url(url)
        assert (target.scheme, target.host, target.port, target.path) == ("https", host, port, path), url


def test_name_that_stands_for_anything_inside_is_refused(names):
    names["hooks.example.org"] = ["8.8.8.8", "2606:4700::1111"]
    assert list(map(str, resolve(read_url("https://hooks.example.org/"), seconds=1))) == names["hooks.example.org"]
    for inside in ("127.0.0.1", "::1", "10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "0.0.0.0"):
        names["mixed.example.org"] = ["8.8.8.8", inside]
        with pytest.raises(Refused, match=r"mixed\.example\.org does not lead to the public internet"):
            resolve(read_url("https://mixed.example.org/"), seconds=1)


def test_name_without_address_or_a_slow_one_is_unresolved(names, monkeypatch):
    with pytest.raises(Unresolved, match=r"nowhere\.example\.org cannot be resolved"):
        resolve(read_url("https://nowhere.example.org/"), seconds=1)
    names["empty.example.org"] = []
    with pytest.raises(Unresolved):
        resolve(read_url("https://empty.example.org/"), seconds=1)
    import threading

    release = threading.Event()
    monkeypatch.setattr(addresses, "resolver", lambda host, port: release.wait(10) and [])
    with pytest.raises(Unresolved):
        resolve(read_url("https://slow.example.org/"), seconds=0.05)
    release.set()


def test_http_and_low_ports_are_for_opened_networks_alone(names, settings):
    names["hooks.example.org"] = ["8.8.8.8"]
    with pytest.raises(Refused, match="Must start with https://"):
        resolve(read_url("http://hooks.example.org/"), seconds=1)
    with pytest.raises(Refused, match="The port must be 443"):
        resolve(read_url("https://hooks.example.org:25/"), seconds=1)
    settings.WEBHOOK_PRIVATE_NETWORKS = [ipaddress.ip_network("10.1.0.0/16")]
    assert resolve(read_url("http://10.1.2.3:25/"), seconds=1)
    with pytest.raises(Refused):
        resolve(read_url("http://10.2.0.1/"), seconds=1)
    with pytest.raises(Refused):
        resolve(read_url("https://[::ffff:10.1.2.3]/"), seconds=1)


def test_post_resolves_once_and_connects_to_the_address_that_was_judged(names, this_machine, monkeypatch):
    """A name server that names the allowed receiver first and something else afterwards: only the first is used."""
    with receiving() as receiver, receiving() as other:
        answers = [["127.0.0.1"], ["127.0.0.2"]]
        asked = []

        def rebinding(host, port):
            asked.append(host)
            return [ipaddress.ip_address(text) for text in answers[min(len(asked), 2) - 1]]

        monkeypatch.setattr(addresses, "resolver", rebinding)
        connected = []
        real = connecting.socket.create_connection
        monkeypatch.setattr(
            connecting.socket, "create_connection", lambda place, *args: connected.append(place) or real(place, *args)
        )
        answer = connecting.post(f"http://hooks.example.org:{receiver.port}/x", {"webhook-id": "a"}, b"{}")
    assert answer.accepted, answer
    assert asked == ["hooks.example.org"]
    assert connected == [("127.0.0.1", receiver.port)]
    assert receiver.received[0].headers["host"] == f"hooks.example.org:{receiver.port}"
    assert other.received == []


def test_post_to_a_name_that_now_leads_inside_connects_to_nothing(names, monkeypatch):
    names["hooks.example.org"] = ["127.0.0.1"]
    monkeypatch.setattr(connecting.socket, "create_connection", lambda *args: pytest.fail("connected"))
    answer = connecting.post("https://hooks.example.org/", {}, b"{}")
    assert (answer.status, answer.accepted) == (None, False)
    assert "public internet" in answer.error


def test_post_ignores_proxies_of_the_environment(this_machine, monkeypatch):
    with receiving() as receiver, receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert connecting.post(receiver.url, {"webhook-id": "a"}, b"{}").accepted
    assert proxy.received == []


def test_post_tries_the_next_address_if_one_does_not_answer(names, this_machine):
    with receiving() as receiver:
        names["hooks.example.org"] = ["127.0.0.9", "127.0.0.1"]
        assert connecting.post(f"http://hooks.example.org:{receiver.port}/", {"webhook-id": "a"}, b"{}").accepted
