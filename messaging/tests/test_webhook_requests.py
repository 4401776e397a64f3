"""One request to a receiver: what counts as accepted, how much of an answer is read, for how long, and with whom."""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from messaging.tests.receiver import answer, receiving
from messaging.webhooks import addresses, connecting
from messaging.webhooks.connecting import Deadline, post

pytestmark = pytest.mark.usefixtures("this_machine")


@pytest.fixture
def raw():
    """``raw(talk)`` → the port of a server that lets ``talk(connection)`` say anything."""
    listeners = []

    def serve(talk):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    talk(connection)

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    yield serve
    for listener in listeners:
        listener.close()


def test_post_sends_body_and_headers_as_they_are(receiver):
    got = post(f"{receiver.url}?key=a%20b", {"webhook-id": "msg_1", "Content-Type": "application/json"}, b'{"a": 1}')
    assert (got.status, got.accepted, got.error) == (204, True, "")
    (received,) = receiver.received
    assert (received.path, received.body) == ("/hook?key=a%20b", b'{"a": 1}')
    assert received.headers["content-type"] == "application/json"
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert received.headers["content-length"] == "8"


def test_only_2xx_is_accepted_and_no_redirect_is_followed(receiver):
    with receiving() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            receiver.reply = answer(status, Location=elsewhere.url)
            got = post(receiver.url, {"webhook-id": "a"}, b"{}")
            assert (got.status, got.accepted) == (status, False)
    assert elsewhere.received == []
    for status, accepted in ((200, True), (202, True), (299, True), (400, False), (404, False), (500, False)):
        receiver.reply = answer(status, b"said")
        got = post(receiver.url, {"webhook-id": "a"}, b"{}")
        assert (got.status, got.accepted, got.body) == (status, accepted, "said")


def test_of_a_large_answer_the_beginning_is_read(receiver):
    receiver.reply = answer(500, b"\xff\0x" * 1_000_000)
    got = post(receiver.url, {"webhook-id": "a"}, b"{}")
    assert got.status == 500
    assert len(got.body) <= connecting.READ_BYTES
    assert "\0" not in got.body


def test_server_that_drips_its_head_has_until_the_deadline(raw):
    def drip(connection):
        for character in b"HTTP/1.1 200 OK\r\n" + b"x" * 10_000:
            connection.send(bytes([character]))
            time.sleep(0.02)

    url = f"http://127.0.0.1:{raw(drip)}/"
    got = post(url, {}, b"{}", seconds=0.4)
    assert (got.status, got.error) == (None, "No answer in time.")
    assert 0.4 <= got.seconds < 5


def test_server_that_drips_its_body_is_left_at_the_deadline(raw):
    def drip(connection):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.send(b"1\r\nx\r\n")
            time.sleep(0.02)

    got = post(f"http://127.0.0.1:{raw(drip)}/", {}, b"{}", seconds=0.4)
    assert got.accepted, "the status has said it"
    assert set(got.body) == {"x"}
    assert got.seconds < 5


def test_server_that_says_nothing_or_nonsense_is_no_answer(raw):
    quiet = threading.Event()
    said = {
        "": (lambda connection: quiet.wait(5), "No answer in time."),
        "closed": (lambda connection: None, "No answer that can be read"),
        "nonsense": (lambda connection: connection.send(b"SSH-2.0-OpenSSH\r\n\r\n"), "No answer that can be read"),
        "endless": (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500_000), "No answer"),
    }
    for talk, words in said.values():
        got = post(f"http://127.0.0.1:{raw(talk)}/", {}, b"{}", seconds=0.5)
        assert got.status is None
        assert got.error.startswith(words), got
    quiet.set()


def test_nobody_there_is_no_connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}/", {}, b"{}").error == "No connection: Connection refused."


def test_time_is_fifteen_seconds_for_all_steps_together():
    assert connecting.SECONDS == 15
    deadline = Deadline(0.01)
    time.sleep(0.02)
    with pytest.raises(TimeoutError):
        deadline.left()


@pytest.fixture
def certified(tmp_path, monkeypatch):
    """A receiver with TLS whose certificate, for hooks.example.org, the sender trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.org")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "server.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    asked = []
    server.sni_callback = lambda connection, name, context: asked.append(name)
    with receiving(lambda listener: server.wrap_socket(listener, server_side=True)) as receiver:
        receiver.asked, receiver.path = asked, path
        monkeypatch.setattr(addresses, "resolver", lambda host, port: [ipaddress.ip_address("127.0.0.1")])
        yield receiver


def test_tls_names_the_host_and_checks_the_certificate_for_it(certified, monkeypatch):
    untrusted = post(f"https://hooks.example.org:{certified.port}/", {"webhook-id": "a"}, b"{}")
    assert untrusted.error.startswith("No connection: the certificate is not valid"), untrusted
    trusting = ssl.create_default_context(cafile=str(certified.path))
    monkeypatch.setattr(connecting, "tls_context", lambda: trusting)
    assert post(f"https://hooks.example.org:{certified.port}/", {"webhook-id": "a"}, b"{}").accepted
    assert certified.asked[-1] == "hooks.example.org"
    assert certified.received[0].headers["host"] == f"hooks.example.org:{certified.port}"
    other = post(f"https://other.example.org:{certified.port}/", {"webhook-id": "a"}, b"{}")
    assert "the certificate is not valid" in other.error
    assert len(certified.received) == 1


def test_certificates_are_checked():
    context = connecting.tls_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_tls_handshake_that_does_not_end_has_until_the_deadline(raw, monkeypatch):
    monkeypatch.setattr(addresses, "resolver", lambda host, port: [ipaddress.ip_address("127.0.0.1")])

    def drip(connection):
        while True:
            connection.send(b"\x16")
            time.sleep(0.02)

    got = post(f"https://hooks.example.org:{raw(drip)}/", {}, b"{}", seconds=0.4)
    assert got.status is None
    assert got.seconds < 5
