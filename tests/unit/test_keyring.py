"""Keys as an operator draws, lists and revokes them."""

import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.commands.keys import main
from shared.errors import Unauthorised
from shared.keyring import Keyring
from shared.keys import KeyFile
from shared.metrics import Registry
from tests.support.heard import hear


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def run(path: Path, *words: str) -> int:
    return main([*words, "--file", str(path)])


def drawn(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(path, "create", *words) == 0
    return capsys.readouterr().out.split()[-1]


def test_a_key_is_shown_once_and_opens_what_it_was_drawn_for(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = drawn(path, capsys, "--scope", "scores:read", "--id", "shop-eu", "--expires", "90d")

    assert KeyFile(path).check(f"Bearer {key}", "scores:read") == "shop-eu"
    assert key not in path.read_text()
    (entry,) = json.loads(path.read_text())
    left = datetime.fromisoformat(entry["expires"]) - datetime.now(UTC)
    assert timedelta(days=89, hours=23) < left <= timedelta(days=90)
    assert run(path, "list") == 0
    listed = capsys.readouterr().out
    assert "shop-eu" in listed
    assert "scores:read" in listed
    assert key not in listed


def test_the_file_is_its_owners_alone_and_keeps_the_mode_it_was_given(path: Path) -> None:
    ring = Keyring(path)
    ring.draw("a", ["*"], None)
    closed = stat.S_IMODE(path.stat().st_mode)
    path.chmod(0o640)
    ring.draw("b", ["*"], None)

    assert (closed, stat.S_IMODE(path.stat().st_mode)) == (0o600, 0o640)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_two_keys_of_one_holder_live_side_by_side(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = drawn(path, capsys, "--scope", "*", "--id", "shop")
    keys = KeyFile(path)
    assert run(path, "create", "--scope", "*", "--id", "shop") == 2
    assert "--id shop-2" in capsys.readouterr().err
    new = drawn(path, capsys, "--scope", "*", "--id", "shop-2")

    assert keys.check(f"Bearer {old}", "preview") == "shop"
    assert keys.check(f"Bearer {new}", "preview") == "shop-2"
    assert run(path, "revoke", "shop") == 0
    with pytest.raises(Unauthorised):
        keys.check(f"Bearer {old}", "preview")
    assert keys.check(f"Bearer {new}", "preview") == "shop-2"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "--scope", "*", "--expires", "2020-01-01T00:00:00Z"], "is over"),
        (["create", "--scope", "*", "--expires", "0d"], "is over"),
        (["create", "--scope", "*", "--expires", "2099-01-01T00:00:00"], "such as 90d"),
        (["create", "--scope", "*", "--expires", "soon"], "such as 90d"),
        (["create", "--scope", "*", "--id", "shop\nX: y"], "letters, digits"),
        (["revoke", "nobody"], "there are: none"),
    ],
)
def test_what_cannot_be_done_says_what_can_and_changes_nothing(
    path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run(path, *words) == 2
    assert said in capsys.readouterr().err
    assert not path.exists()


def test_a_file_that_cannot_be_read_is_not_written_over(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text('[{"id": "a"}]')

    assert run(path, "create", "--scope", "*") == 2
    assert "sha256" in capsys.readouterr().err
    assert path.read_text() == '[{"id": "a"}]'


def test_without_a_file_its_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("EARSHOT_KEYS_FILE", raising=False)

    assert main(["list"]) == 2
    assert "EARSHOT_KEYS_FILE" in capsys.readouterr().err


def test_who_draws_at_the_same_time_waits_and_who_reads_finds_a_whole_file(path: Path) -> None:
    ring, faults = Keyring(path), []
    ring.draw("first", ["*"], None)
    drawing = [threading.Thread(target=ring.draw, args=(f"k{n}", ["*"], None)) for n in range(10)]

    def read() -> None:
        while any(one.is_alive() for one in drawing):
            try:
                KeyFile(path)
            except Exception as fault:  # noqa: BLE001 - any would be one too many
                faults.append(fault)

    for one in drawing:
        one.start()
    read()

    assert not faults
    assert len(ring.keys()) == 11


def test_keys_that_were_copied_with_the_time_of_the_old_ones_are_read(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `cp -p` and a restored backup do: of the same length and time, it is another file."""
    old = drawn(path, capsys, "--scope", "*", "--id", "shop")
    keys, entries, then = KeyFile(path), path.read_bytes(), path.stat().st_mtime_ns
    assert run(path, "revoke", "shop") == 0
    new = drawn(path, capsys, "--scope", "*", "--id", "shop")
    assert len(path.read_bytes()) == len(entries)
    os.utime(path, ns=(then, then))

    assert keys.check(f"Bearer {new}", "preview") == "shop"
    with pytest.raises(Unauthorised):
        keys.check(f"Bearer {old}", "preview")


def test_a_file_that_is_gone_is_said_once_and_its_keys_stay_until_it_is_back(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = drawn(path, capsys, "--scope", "*", "--id", "shop")
    keys, entries = KeyFile(path), path.read_bytes()
    heard = hear(monkeypatch, "shared.keys")
    path.unlink()

    assert [keys.check(f"Bearer {key}", "preview") for _ in range(3)] == ["shop"] * 3
    path.write_bytes(entries.replace(b"shop", b"till"))

    assert len(heard.lines) == 1
    assert keys.check(f"Bearer {key}", "preview") == "till"


def test_series_say_who_uses_a_key_until_when_and_what_failed(path: Path) -> None:
    ring, registry = Keyring(path), Registry()
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    key, _ = ring.draw("shop", ["preview"], until)
    keys = KeyFile(path, registry.keys)
    began = datetime.now(UTC).timestamp()

    keys.check(f"Bearer {key}", "preview")
    for wrong, scope in ((key, "alerts:read"), ("esk_shop_guessed", "preview")):
        with pytest.raises(Exception):  # noqa: B017, PT011 - which, is tested elsewhere
            keys.check(f"Bearer {wrong}", scope)

    def value(name: str, **labels: str) -> float:
        return registry.get_sample_value(name, labels) or 0.0

    assert value("earshot_api_key_last_used_timestamp_seconds", key="shop") >= began
    assert value("earshot_api_key_expires_timestamp_seconds", key="shop") == until.timestamp()
    requests = "earshot_api_key_requests_total"
    assert value(requests, key="shop", outcome="ok") == 1
    assert value(requests, key="shop", outcome="scope") == 1
    assert value(requests, key="none", outcome="unknown") == 1
    ring.revoke("shop")
    keys.holder(None)
    assert value("earshot_api_key_expires_timestamp_seconds", key="shop") == 0
