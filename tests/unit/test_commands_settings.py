"""Every setting can be named in a file too, for the verbs as for the services."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.__main__ import main
from services.commands import run
from shared.launch import has_databases, say_whether_open
from shared.settings import Settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "KAFKA_TOPIC_PREFIX", "DATABASE_URL"):
        monkeypatch.delenv(f"EARSHOT_{name}", raising=False)
        monkeypatch.delenv(f"EARSHOT_{name}_FILE", raising=False)


def test_the_embedded_broker_makes_the_topics_under_their_prefix_also_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "prefix").write_text("acme.\n")
    monkeypatch.setenv("EARSHOT_KAFKA_TOPIC_PREFIX_FILE", str(tmp_path / "prefix"))

    assert "acme.survey-responses" in run.topic_names()
    assert all(name.startswith("acme.") for name in run.topic_names())


def test_databases_of_their_own_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("SCORING", "TRIGGER"):
        monkeypatch.setenv(f"EARSHOT_{service}_DATABASE_URL", "postgresql://db/earshot")
    assert not has_databases()

    monkeypatch.setenv("EARSHOT_ALERTS_DATABASE_URL_FILE", "/run/secrets/url")
    assert has_databases()


def test_a_verb_reads_its_settings_from_files_and_names_one_that_is_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EARSHOT_KAFKA_BOOTSTRAP_FILE", str(tmp_path / "nowhere"))

    assert main(["topics", "--check"]) == 2
    assert "EARSHOT_KAFKA_BOOTSTRAP_FILE" in capsys.readouterr().err


def test_the_list_of_settings_names_the_databases_of_the_services_and_durations_as_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["settings"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("EARSHOT_SCORING_DATABASE_URL ") for line in lines)
    assert any(line.startswith("EARSHOT_DEDUPE ") and line.endswith("[40d]") for line in lines)


def test_a_service_without_keys_says_so(tmp_path: Path) -> None:
    with capture_logs() as said:
        say_whether_open(Settings(kafka_bootstrap="kafka:9092"))
        say_whether_open(Settings(kafka_bootstrap="kafka:9092", keys_file=tmp_path / "keys"))

    assert [line["event"] for line in said] == ["no API keys are asked for"]
