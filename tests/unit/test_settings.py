"""Settings come from the environment, each also from a file, and faults name the variable."""

from pathlib import Path

import pytest

from services.trigger.settings import TriggerSettings
from shared.launch import database_of, say_settings
from shared.settings import Settings, SettingsFault, read_settings
from tests.support.heard import hear

URL = "postgresql://earshot:secret@db/earshot"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL", "SCORING_DATABASE_URL", "KEYS_FILE", "HOST"):
        monkeypatch.delenv(f"EARSHOT_{name}", raising=False)
        monkeypatch.delenv(f"EARSHOT_{name}_FILE", raising=False)
    monkeypatch.setenv("EARSHOT_KAFKA_BOOTSTRAP", "kafka:9092")


def test_a_setting_comes_from_the_environment_or_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text(f"{URL}\n")
    monkeypatch.setenv("EARSHOT_DATABASE_URL_FILE", str(tmp_path / "url"))

    settings = read_settings(Settings)

    assert settings.kafka_bootstrap == "kafka:9092"
    assert settings.database_for("scoring") == URL
    assert "secret" not in repr(settings)


def test_a_service_may_have_a_database_of_its_own_also_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EARSHOT_DATABASE_URL", URL)
    (tmp_path / "url").write_text(f"{URL}2")
    monkeypatch.setenv("EARSHOT_SCORING_DATABASE_URL_FILE", str(tmp_path / "url"))
    settings = read_settings(Settings)

    assert settings.database_for("scoring") == f"{URL}2"
    assert settings.database_for("trigger") == URL


@pytest.mark.parametrize(
    ("url", "said"), [("", "missing"), ("nonsense", "no PostgreSQL"), ("mysql://x/y", "accepted")]
)
def test_a_database_that_is_none_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("EARSHOT_DATABASE_URL", url)

    with pytest.raises(SettingsFault, match=f"EARSHOT_DATABASE_URL.*{said}") as fault:
        read_settings(Settings).database_for("scoring")

    assert "mysql" not in str(fault.value)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EARSHOT_KAFKA_BOOTSTRAP")

    with pytest.raises(SettingsFault, match="EARSHOT_KAFKA_BOOTSTRAP"):
        read_settings(Settings)


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "url"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("EARSHOT_DATABASE_URL_FILE", str(path))

    with pytest.raises(SettingsFault, match="EARSHOT_DATABASE_URL_FILE"):
        read_settings(Settings)


def test_a_door_to_the_outside_needs_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_HOST", "0.0.0.0")

    with pytest.raises(SettingsFault, match="EARSHOT_KEYS_FILE"):
        read_settings(Settings)


def test_a_verb_is_told_which_variable_is_at_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EARSHOT_VAR", str(tmp_path))
    with pytest.raises(SettingsFault, match="EARSHOT_DATABASE_URL: it is missing"):
        database_of("scoring")

    monkeypatch.setenv("EARSHOT_DATABASE_URL", URL)
    monkeypatch.setenv("EARSHOT_SCORING_DATABASE_URL", "mysql://earshot:secret@db/earshot")
    with pytest.raises(SettingsFault, match=r"EARSHOT_SCORING_DATABASE_URL: .*accepted") as fault:
        database_of("scoring")

    assert "secret" not in str(fault.value)
    assert database_of("trigger") == URL


@pytest.mark.parametrize("user", ["earshot:hush", "earshot:hu@sh", "hush"])
def test_of_an_address_that_is_shown_at_the_start_no_password_is(
    monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    heard = hear(monkeypatch, "shared.launch")
    settings = Settings(kafka_bootstrap="x", traces_url=f"https://{user}@collector/otlp")

    say_settings(settings)

    (line,) = heard.lines
    assert line["traces_url"] == "https://***@collector/otlp"


def test_where_webhooks_go_is_not_shown_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of some services the address is all that it takes to post there."""
    url, secret = "https://hooks.example/catch/hush", "whsec_aHVzaC1odXNoLWh1c2gtaHVzaA=="
    settings = TriggerSettings.model_validate(
        {
            "kafka_bootstrap": "x",
            "token_keys": "k" * 16,
            "webhook_url": url,
            "webhook_secret": secret,
        }
    )

    heard = hear(monkeypatch, "shared.launch")

    say_settings(settings)

    (line,) = heard.lines
    assert line["webhook_url"]
    assert settings.destination is not None
    assert settings.destination.url == url
    assert not [text for text in (str(line), str(settings.destination)) if "hush" in text]
