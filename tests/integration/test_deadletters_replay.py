"""Dead letters sent back: as they were, once, whatever ends the command."""

import json
from collections import Counter
from typing import Any

import pytest

from services.commands.deadletters import replaying
from shared.errors import Reason
from shared.stream import Broker, KafkaUnavailable
from shared.stream.deadletter import KEPT_BYTES
from shared.stream.kafka import KafkaProducer, open_reader
from tests.support.kafka import on_both
from tests.support.letters import RESPONSES, deadletters, failed, held, put, shapes

Said = pytest.CaptureFixture[str]


def lines(said: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.readouterr().out.splitlines()]


RECORDS = [
    (b"k", b"{", ()),
    (b"k", None, (("empty", None),)),
    (b"k", b"", ()),
    (None, b"\xff\x00", (("a", b"\xff"), ("a", b"2"))),
    (b"\x00\xff", b"{}", ()),
    (None, None, ()),
]


@on_both
async def test_dry_run_says_what_would_be_sent_and_sends_nothing(
    broker: Broker, capsys: Said
) -> None:
    await put(broker, *[failed(value, key=key, headers=h) for key, value, h in RECORDS])

    assert await deadletters(broker, "replay", "--reason", "bad-json", "--dry-run") == 0
    text = capsys.readouterr().out
    assert await deadletters(broker, "replay", "--reason", "bad-json", "--dry-run", "--json") == 0
    *would, total = lines(capsys)

    assert await held(broker, RESPONSES) == []
    assert len(await held(broker, "dead-letters")) == len(RECORDS)
    assert text.count(" -> survey-responses: ") == len(RECORDS)
    assert text.splitlines()[-1] == "6 of 6 letters would be sent back; nothing was sent"
    sizes = sorted(
        (str(w["would_send"]["key_bytes"]), w["would_send"]["value_bytes"] or 0) for w in would
    )
    assert sizes == [("1", 0), ("1", 0), ("1", 1), ("2", 2), ("None", 0), ("None", 2)]
    assert total["would_be_sent"] == 6


@on_both
async def test_replay_sends_each_record_as_it_was_and_once(broker: Broker, capsys: Said) -> None:
    await put(broker, *[failed(value, key=key, headers=h) for key, value, h in RECORDS])
    await put(broker, failed(b"other", reason=Reason.BUG))
    letters = {f"{r.partition}@{r.offset}".encode() for r in await held(broker, "dead-letters")}

    assert await deadletters(broker, "replay", "--reason", "bad-json") == 0
    first = capsys.readouterr().out
    sent = await held(broker, RESPONSES)
    assert await deadletters(broker, "replay", "--reason", "bad-json") == 0
    second = capsys.readouterr().out
    assert await deadletters(broker, "list") == 0
    listed = capsys.readouterr().out

    assert Counter(shapes(sent)) == Counter(RECORDS)
    assert {dict(record.headers)["earshot-replay-of"] for record in sent} < letters
    assert len(await held(broker, RESPONSES)) == len(RECORDS)
    assert first.splitlines()[-1] == "6 of 6 letters sent back"
    assert second.splitlines()[-1] == "0 of 6 letters sent back"
    assert listed.splitlines()[-1] == "1 dead letter, and 6 sent back to their topics"
    assert "other" not in listed

    assert await deadletters(broker, "replay", "--reason", "bad-json", "--again") == 0
    assert len(await held(broker, RESPONSES)) == 2 * len(RECORDS)


@on_both
async def test_one_letter_or_a_few_can_be_tried_first(broker: Broker, capsys: Said) -> None:
    await put(broker, *[failed(b"%d" % n) for n in range(9)])
    (fifth,) = [r for r in await held(broker, "dead-letters") if r.value == b"5"]
    name = f"{fifth.partition}@{fifth.offset}"

    assert await deadletters(broker, "replay", "--id", name) == 0
    assert [r.value for r in await held(broker, RESPONSES)] == [b"5"]
    assert await deadletters(broker, "replay", "--id", name, "--id", "0@777") == 1
    assert "0@777 is no dead letter" in capsys.readouterr().err
    assert await deadletters(broker, "replay", "--reason", "bad-json", "--limit", "3") == 0
    assert len(await held(broker, RESPONSES)) == 4
    assert await deadletters(broker, "show", name) == 0
    assert "state     replayed" in capsys.readouterr().out
    assert await deadletters(broker, "show", "--json") == 0
    assert len(lines(capsys)) == 5


@on_both
async def test_what_was_cut_is_counted_and_left_and_the_rest_goes(
    broker: Broker, capsys: Said
) -> None:
    await put(broker, failed(b"x" * (KEPT_BYTES + 1)), failed(b"whole"), failed(topic="strange"))

    assert await deadletters(broker, "replay", "--reason", "bad-json") == 1

    said = capsys.readouterr().out
    assert [r.value for r in await held(broker, RESPONSES)] == [b"whole"]
    assert "1 cannot be sent back: its value could not be kept whole, being too long (such" in said
    assert "1 cannot be sent back: it does not say which topic of ours it came from (such" in said
    assert said.splitlines()[-1] == "1 of 3 letters sent back"
    assert await deadletters(broker, "replay", "--reason", "bad-json", "--json") == 1
    assert [(g["sent"], g["replayed_before"], g["cannot_be_replayed"]) for g in lines(capsys)] == [
        (0, 0, 1), (0, 1, 1),
    ]  # fmt: skip


@on_both
@pytest.mark.parametrize("kept", [0, 1, 2, 3])
async def test_a_replay_that_ends_in_the_middle_is_taken_up_by_the_next(
    kept: int, broker: Broker, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kept` sends succeed: batch, its mark, batch, its mark …; the next finds Kafka away."""
    await put(broker, *[failed(b"%d" % n, key=b"%d" % n) for n in range(12)])
    monkeypatch.setattr(replaying, "_BATCH", 4)
    real, sends = KafkaProducer.send, iter(range(99))

    async def send(self: KafkaProducer, records: Any, *, together: bool = False) -> None:
        if next(sends) >= kept:
            raise KafkaUnavailable("away")
        await real(self, records, together=together)

    with monkeypatch.context() as patch:
        patch.setattr(KafkaProducer, "send", send)
        assert await deadletters(broker, "replay", "--reason", "bad-json") == 1
        assert "stopped: away. Run it again" in capsys.readouterr().err

    assert await deadletters(broker, "replay", "--reason", "bad-json") == 0
    sent = Counter(record.value for record in await held(broker, RESPONSES))
    doubled = sum(sent.values()) - len(sent)
    assert set(sent) == {b"%d" % n for n in range(12)}
    assert doubled == (4 if kept % 2 else 0)  # a batch that was sent and not yet marked
    assert await deadletters(broker, "replay", "--reason", "bad-json") == 0
    assert "0 of 12 letters" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.thorough
@on_both
async def test_many_letters_stream_by_in_pages(broker: Broker, capsys: Said) -> None:
    for turn in range(8):
        await put(broker, *[failed(b"{", key=b"%d" % n, offset=turn) for n in range(1_000)])

    async with open_reader(broker.bootstrap, f"{broker.prefix}dead-letters") as reader:
        for _ in range(2):
            pages = [page async for page in reader.pages()]
            assert max(map(len, pages)) <= 2_000
            assert sum(map(len, pages)) == 8_000
        few = [record async for page in reader.pages({0: range(5, 9)}) for record in page]
    assert [(record.partition, record.offset) for record in few] == [(0, n) for n in range(5, 9)]

    assert await deadletters(broker, "replay", "--reason", "bad-json") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "8000 of 8000 letters sent back"
    assert await deadletters(broker, "list", "--json") == 0
    (group,) = lines(capsys)
    assert (group["letters"], group["replayed"]) == (0, 8_000)
    marks = [r for r in await held(broker, "dead-letters") if r.headers[0][0] == "earshot-replayed"]
    assert len(marks) <= 4 * 17
