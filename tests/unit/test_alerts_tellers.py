"""Where Slack's address comes from, and what is said where it is missing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.alerts.settings import AlertsSettings
from services.alerts.worker.tellers import Means, build_tellers
from shared.process import CannotStart
from shared.programme.alarms import Destination
from shared.senders import SEND_WITHIN

SECRET = "https://hooks.slack.example/services/T/B/verysecret"
NOBODY: Any = None
TEAM = {"shoes-team": Destination(kind="slack")}


def test_a_destination_may_have_a_webhook_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text(f"{SECRET}/own\n")
    monkeypatch.setenv("EARSHOT_KAFKA_BOOTSTRAP", "kafka:9092")
    monkeypatch.setenv("EARSHOT_ALERTS_SLACK_URL", SECRET)
    monkeypatch.setenv("EARSHOT_ALERTS_SLACK_URL_SHOES_TEAM_FILE", str(tmp_path / "url"))

    settings = AlertsSettings()

    assert settings.slack_url("shoes-team") == f"{SECRET}/own"
    assert settings.slack_url("ops") == SECRET
    assert "verysecret" not in repr(settings)


@pytest.mark.parametrize("url", ["", "hooks.slack.example/verysecret", "https:///verysecret"])
def test_without_it_nothing_starts_and_nothing_is_given_away(url: str) -> None:
    means = Means(NOBODY, NOBODY, "http://alerts", SEND_WITHIN, "", lambda _: url)

    with pytest.raises(CannotStart) as refused:
        build_tellers(TEAM, means, NOBODY)

    said = str(refused.value)
    assert said.startswith("alerts.yaml: destinations.shoes-team: ")
    assert said.endswith(": set EARSHOT_ALERTS_SLACK_URL")
    assert "verysecret" not in said


def test_the_address_that_is_kept_gives_nothing_away() -> None:
    means = Means(NOBODY, NOBODY, "http://alerts", SEND_WITHIN, "", lambda _: SECRET)

    (team,) = build_tellers(TEAM, means, NOBODY)

    assert team.to.kind == "slack"
    assert "verysecret" not in repr(team.to)


def test_alertmanager_may_stand_elsewhere_than_the_programme_says() -> None:
    ops = {"ops": Destination(kind="alertmanager", url="http://127.0.0.1:9093")}
    means = Means(NOBODY, NOBODY, "http://alerts", SEND_WITHIN, "", lambda _: "")
    moved = replace(means, alertmanager_url="http://alertmanager:9093")

    (named,), (placed,) = build_tellers(ops, means, NOBODY), build_tellers(ops, moved, NOBODY)

    assert named.to.url == "http://127.0.0.1:9093"
    assert placed.to.url == "http://alertmanager:9093"
