"""Settings that are made at the first start, and those of mails."""

import stat
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured

from taskproject import settings


def test_processes_that_start_at_once_in_a_new_folder_share_one_secret_key(tmp_path, monkeypatch):
    monkeypatch.delenv("SECRET_KEY", raising=False)
    for n in range(40):
        folder = tmp_path / str(n)
        folder.mkdir()
        monkeypatch.setattr(settings, "DATA_DIR", folder)
        gate = threading.Barrier(6)
        keys: list[str] = []

        def start(gate=gate, keys=keys):
            gate.wait()
            keys.append(settings._secret_key())

        threads = [threading.Thread(target=start) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(keys) == 6
        assert len(set(keys)) == 1
        assert [path.name for path in folder.iterdir()] == ["secret_key"]
        assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("PUBLIC_URL", "tasks.example.org", settings._public_url),
        ("PUBLIC_URL", "https://tasks.example.org/app", settings._public_url),
        ("PUBLIC_URL", "javascript://x", settings._public_url),
        ("EMAIL_URL", "mail.example.org", settings._email),
        ("EMAIL_URL", "http://mail.example.org", settings._email),
        ("EMAIL_URL", "smtp://mail.example.org:port", settings._email),
        ("DEFAULT_FROM_EMAIL", "nobody", settings._mail_sender),
        ("DEFAULT_FROM_EMAIL", "a@example.org\r\nBcc: b@example.org", settings._mail_sender),
    ],
)
def test_wrong_setting_of_mails_is_named_in_a_sentence(monkeypatch, name, value, read):
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=f"^{name} (must|cannot)"):
        read()


def test_settings_of_mails(monkeypatch):
    monkeypatch.setenv("EMAIL_URL", "smtp+tls://user:p%40ss@mail.example.org:587")
    mails = settings._email()
    assert mails["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert (mails["EMAIL_HOST"], mails["EMAIL_PORT"], mails["EMAIL_HOST_PASSWORD"]) == ("mail.example.org", 587, "p@ss")
    assert mails["EMAIL_USE_TLS"] is True
    monkeypatch.setenv("PUBLIC_URL", "https://tasks.example.org/")
    assert settings._public_url() == "https://tasks.example.org"
