"""Keys of links that rotate while the processes run."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.ingest.settings import IngestSettings
from services.trigger.settings import TriggerSettings
from shared.errors import NotFound
from shared.settings import SettingsFault, read_settings
from shared.tokens import Tokens

OLD, NEW = "o" * 32, "n" * 32
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def link(tokens: Tokens) -> str:
    return tokens.survey("i-1", "post-call", "de", LATER)


def replace(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "token-keys"
    path.write_text(f"{OLD}\n")
    monkeypatch.delenv("EARSHOT_TOKEN_KEYS", raising=False)
    monkeypatch.setenv("EARSHOT_KAFKA_BOOTSTRAP", "kafka:9092")
    monkeypatch.setenv("EARSHOT_TOKEN_KEYS_FILE", str(path))
    return path


def test_keys_rotate_in_two_steps_and_no_link_that_is_out_dies(file: Path) -> None:
    """A new key is known to all before the first signs with it: processes look one by one."""
    writes = read_settings(TriggerSettings).tokens
    reads = read_settings(IngestSettings).tokens
    old = link(writes)

    replace(file, f"{NEW} {OLD}")
    assert link(writes) == old
    assert link(Tokens([OLD])) == link(writes)
    assert reads.read_survey(link(Tokens([NEW]))).invitation_id == "i-1"

    replace(file, f"{OLD} {NEW}")
    new = link(writes)
    assert new == link(Tokens([NEW]))
    assert [reads.read_survey(one).invitation_id for one in (old, new)] == ["i-1", "i-1"]
    unsubscribe = writes.unsubscribe("i-1", "post-call", "de")
    assert reads.read_unsubscribe(unsubscribe).invitation_id == "i-1"

    replace(file, NEW)
    with pytest.raises(NotFound):
        reads.read_survey(old)
    assert reads.read_survey(new).invitation_id == "i-1"


@pytest.mark.parametrize("unusable", ["", "short", None])
def test_where_the_file_cannot_be_used_the_keys_before_stay(
    file: Path, unusable: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = read_settings(IngestSettings).tokens
    before = link(tokens)

    if unusable is None:
        file.unlink()
    else:
        replace(file, unusable)

    assert [link(tokens), link(tokens)] == [before, before]
    assert caplog.text.count("token keys unusable") == 1
    assert OLD not in caplog.text

    replace(file, NEW)
    assert link(tokens) == link(Tokens([NEW]))


def test_a_file_is_followed_where_a_link_to_it_is_turned(tmp_path: Path) -> None:
    """So Kubernetes renews what it mounts."""
    for name, key in (("a", OLD), ("b", NEW)):
        (tmp_path / name).write_text(key)
        os.utime(tmp_path / name, ns=(1, 1))
    at = tmp_path / "keys"
    at.symlink_to("a")
    tokens = Tokens(at)

    at.unlink()
    at.symlink_to("b")

    assert link(tokens) == link(Tokens([NEW]))


def test_keys_in_the_environment_and_in_a_file_are_one_too_many(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARSHOT_TOKEN_KEYS", OLD)

    with pytest.raises(SettingsFault, match="one of them is enough"):
        read_settings(IngestSettings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("short", "EARSHOT_TOKEN_KEYS_FILE: at least one key, each of 16 characters or more"),
        (None, "EARSHOT_TOKEN_KEYS_FILE: .* cannot be read: No such file"),
    ],
)
def test_keys_that_cannot_be_used_are_said_at_the_start(
    file: Path, text: str | None, said: str
) -> None:
    if text is None:
        file.unlink()
    else:
        file.write_text(text)

    with pytest.raises(SettingsFault, match=said):
        read_settings(IngestSettings)


def test_no_keys_at_all_are_said_at_the_start(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EARSHOT_TOKEN_KEYS_FILE")

    with pytest.raises(SettingsFault, match="EARSHOT_TOKEN_KEYS: at least one key"):
        read_settings(IngestSettings)
