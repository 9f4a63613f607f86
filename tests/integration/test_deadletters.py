"""Dead letters on a broker: listed, shown, sent back once, whatever ends the command."""

import json
from datetime import timedelta
from typing import Any

import pytest

from services.commands import deadletters as command
from shared import logs
from shared.errors import Reason
from shared.stream import Broker, Outgoing
from tests.support.kafka import on_both
from tests.support.letters import deadletters, failed, held, put

SECRET = "ana@example.org"
Said = pytest.CaptureFixture[str]


def lines(said: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.readouterr().out.splitlines()]


@on_both
async def test_list_counts_by_service_topic_and_reason_and_shows_nobody(
    broker: Broker, capsys: Said
) -> None:
    person: dict[str, Any] = {"key": SECRET.encode(), "headers": (("from", SECRET.encode()),)}
    hour = timedelta(hours=1)
    await put(
        broker,
        *[failed(f'{{"who": "{SECRET}"'.encode(), ago=hour * n, **person) for n in range(3)],
        failed(reason=Reason.BUG, detail="KeyError in the decoder\x1b[2J", service="trigger"),
        failed(topic="transactions", service="trigger"),
    )

    assert await deadletters(broker) == 0
    text = capsys.readouterr().out
    assert await deadletters(broker, "--json") == 0
    groups = lines(capsys)

    rows = [line.split() for line in text.splitlines()]
    assert rows[1][:7] == [
        "scoring", "survey-responses", "bad-json", "3", "once",
        "2026-11-21T01:00:00Z", "2026-11-21T03:00:00Z",
    ]  # fmt: skip
    assert "KeyError in the decoder\\x1b[2J" in text
    assert text.splitlines()[-1] == "5 dead letters"
    assert SECRET not in text + json.dumps(groups)
    assert [(g["service"], g["topic"], g["reason"], g["letters"]) for g in groups] == [
        ("scoring", "survey-responses", "bad-json", 3),
        ("trigger", "survey-responses", "bug", 1),
        ("trigger", "transactions", "bad-json", 1),
    ]
    assert groups[0]["first_failed_at"] == "2026-11-21T01:00:00.000000Z"


@on_both
async def test_list_is_narrowed_by_reason_service_topic_and_time(
    broker: Broker, capsys: Said
) -> None:
    await put(
        broker,
        failed(ago=timedelta(hours=3)),
        failed(reason=Reason.BUG),
        failed(service="alerts"),
        failed(topic="transactions"),
    )

    async def counted(*arguments: str) -> int:
        assert await deadletters(broker, "list", "--json", *arguments) == 0
        return sum(group["letters"] for group in lines(capsys))

    assert await counted("--reason", "bug") == 1
    assert await counted("--service", "alerts") == 1
    assert await counted("--topic", "transactions", "--topic", "survey-responses") == 4
    assert await counted("--since", "1h") == 3
    assert await counted("--until", "1h") == 1
    assert await counted("--limit", "1") == 1


@on_both
async def test_show_has_everything_of_one_letter(broker: Broker, capsys: Said) -> None:
    why: dict[str, Any] = {"reason": Reason.MISSING_FIELD, "detail": "id is missing"}
    await put(broker, failed(b'{"a":1}', headers=(("ce_id", b"7"), ("none", None)), **why))
    (record,) = await held(broker, "dead-letters")
    name = f"{record.partition}@{record.offset}"

    assert await deadletters(broker, "show", name) == 0
    text = capsys.readouterr().out
    assert await deadletters(broker, "show", "--reason", "missing-field", "--json") == 0
    (found,) = lines(capsys)
    assert await deadletters(broker, "show", name, "3@999") == 1
    error = capsys.readouterr().err

    assert text.splitlines()[0] == f"{name}  missing-field, scoring"
    for words in (
        "field     id", "2026-11-21T03:00:00.000000Z, once", "survey-responses/3@7",
        'key       "k-1"', 'ce_id: "7"', "none: none", '      "a": 1', "state     open",
    ):  # fmt: skip
        assert words in text, words
    assert (found["key"], found["value"], found["replayed"]) == ("k-1", '{"a":1}', False)
    assert found["headers"] == [["ce_id", "7"], ["none", None]]
    assert error == "3@999 is no dead letter, or its time to be kept is over\n"


@on_both
async def test_what_others_wrote_there_is_counted_and_harmless(
    broker: Broker, capsys: Said
) -> None:
    mark = ("earshot-replayed", b"0-999999999999999999")
    await put(broker, Outgoing("dead-letters", b"k", b"?"))
    await put(broker, Outgoing("dead-letters", b"k", b"", (mark,)), failed(key=b"k"))

    assert await deadletters(broker, "list") == 0

    assert capsys.readouterr().out.splitlines()[-1].endswith("sent back to their topics")


def test_what_cannot_start_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: Said, tmp_path: Any
) -> None:
    monkeypatch.setattr(logs, "configure", lambda _: None)
    monkeypatch.delenv("EARSHOT_KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setenv("EARSHOT_VAR", str(tmp_path))
    assert command.main([]) == 2
    assert "set EARSHOT_KAFKA_BOOTSTRAP" in capsys.readouterr().err

    monkeypatch.setenv("EARSHOT_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    for arguments in (["list"], ["show"], ["replay", "--reason", "bug"]):
        assert command.main(arguments) == 2
        assert "KafkaConnectionError" in capsys.readouterr().err
