"""Settings that are made at the first start."""

import stat
import threading

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
