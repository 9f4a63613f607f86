"""`replay`: letters go back to their topics, each once unless it is asked for again.

A batch is sent, acknowledged, and then marked: a kill between the two sends the batch once more at
the next replay, and the consumers, which know each record by its id, count it once.
"""

import json
import sys
from collections import Counter
from contextlib import AsyncExitStack
from typing import Final

from services.commands.deadletters.arguments import Asked
from services.commands.deadletters.letters import Found, Letters, open_letters
from services.commands.deadletters.texts import as_table, legible, one_line
from shared.stream import Broker, KafkaUnavailable, Producer
from shared.stream.kafka import open_producer, open_room
from shared.stream.letters import Letter, LetterId, marks, replay, why_not_replayed

_BATCH: Final = 500
_BATCH_BYTES: Final = 4 * 1024 * 1024
_BOUND_S: Final = 30.0
_ROOM_S: Final = 60.0
_GROUP: Final = ("SERVICE", "TOPIC", "REASON")


class Tally:
    """What became of the letters, by service, topic and reason."""

    def __init__(self) -> None:
        self.sent: Counter[tuple[str, str, str]] = Counter()
        self.before: Counter[tuple[str, str, str]] = Counter()
        self.cannot: Counter[tuple[str, str, str]] = Counter()
        self.why: dict[str, tuple[int, LetterId]] = {}  # how many, and the last of them

    def refuse(self, letter: Letter, why: str) -> None:
        self.cannot[_group(letter)] += 1
        self.why[why] = self.why.get(why, (0, letter.id))[0] + 1, letter.id


class Replay:
    """Collects a batch, sends it, marks it; in a dry run it says what it would send."""

    def __init__(self, asked: Asked, producer: Producer | None) -> None:
        self._asked = asked
        self._producer = producer
        self._batch: list[Letter] = []
        self._size = 0
        self.seen = 0
        self.missing = set(asked.wanted.ids)
        self.tally = Tally()

    @property
    def full(self) -> bool:
        """Whether as many are sent, or about to be, as were asked for."""
        taken = self.tally.sent.total() + len(self._batch)
        return self._asked.limit is not None and taken >= self._asked.limit

    async def take(self, found: Found) -> None:
        letter = found.letter
        self.seen += 1
        self.missing.discard(letter.id)
        why = why_not_replayed(letter)
        if found.replayed and not self._asked.again:
            self.tally.before[_group(letter)] += 1
        elif why is not None:
            self.tally.refuse(letter, why)
        else:
            self._batch.append(letter)
            self._size += len(letter.value or b"")
            if len(self._batch) >= _BATCH or self._size >= _BATCH_BYTES:
                await self.flush()

    async def flush(self) -> None:
        """Send what was collected; all acknowledged, and marked, when this returns."""
        batch, self._batch, self._size = self._batch, [], 0
        if self._producer is None:
            for letter in batch:
                print(_would_send(letter, as_json=self._asked.json))
        elif batch:
            await self._producer.send([replay(letter) for letter in batch])
            await self._producer.send(marks(letter.id for letter in batch))
        self.tally.sent.update(map(_group, batch))


async def replay_letters(asked: Asked, broker: Broker) -> int:
    """Send back what the filter takes, and say what became of it. Raises KafkaUnavailable."""
    async with AsyncExitStack() as stack:
        letters = await stack.enter_async_context(open_letters(broker, asked.wanted))
        producer = None
        if not asked.dry_run:
            room = await stack.enter_async_context(open_room(broker, wait_s=_ROOM_S))
            producer = await stack.enter_async_context(
                open_producer(broker, bound_s=_BOUND_S, room=room)
            )
        work = Replay(asked, producer)
        fault = await _until_done(letters, work)
    _report(work, asked)
    if fault is not None:
        sys.stderr.write(
            f"stopped: {fault}. Run it again: what was sent back is not sent twice, but for the "
            "last batch, which is counted once all the same.\n"
        )
    for letter in sorted(work.missing if fault is None else ()):
        sys.stderr.write(f"{letter} is no dead letter, or its time to be kept is over\n")
    return 1 if fault or work.missing or work.tally.cannot else 0


async def _until_done(letters: Letters, work: Replay) -> KafkaUnavailable | None:
    """Everything sent and marked, or why not."""
    try:
        async for page in letters.pages():
            for found in page:
                if work.full:
                    break
                await work.take(found)
            if work.full:
                break
        await work.flush()
    except KafkaUnavailable as error:
        return error
    return None


def _group(letter: Letter) -> tuple[str, str, str]:
    return letter.service, letter.topic, letter.reason


def _would_send(letter: Letter, *, as_json: bool) -> str:
    record = replay(letter)
    sizes: dict[str, object] = {
        "key_bytes": None if record.key is None else len(record.key),
        "value_bytes": None if record.value is None else len(record.value),
    }
    if as_json:
        names = [name for name, _ in record.headers]
        said = {"letter": str(letter.id), "topic": record.topic, "reason": letter.reason}
        return json.dumps({"would_send": said | sizes | {"headers": names}})
    ours = ", ".join(
        f"{name}={legible(content)}" if name.startswith("earshot-") else one_line(name)
        for name, content in record.headers
    )
    key, value = ("none" if size is None else f"{size} B" for size in sizes.values())
    return f"{letter.id} -> {record.topic}: key {key}, value {value}, headers {ours}"


def _report(work: Replay, asked: Asked) -> None:
    tally = work.tally
    groups = sorted({*tally.sent, *tally.before, *tally.cannot})
    sent = "would_be_sent" if asked.dry_run else "sent"
    counts = [(tally.sent[group], tally.before[group], tally.cannot[group]) for group in groups]
    if asked.json:
        for (service, topic, reason), (now, before, cannot) in zip(groups, counts, strict=True):
            named = {"service": service, "topic": topic, "reason": reason}
            numbers = {sent: now, "replayed_before": before, "cannot_be_replayed": cannot}
            print(json.dumps(named | numbers))
        return
    rows = [
        [*(one_line(name) or "?" for name in group), *map(str, numbers)]
        for group, numbers in zip(groups, counts, strict=True)
    ]
    if rows:
        sent_head = "TO BE SENT" if asked.dry_run else "SENT"
        print(as_table((*_GROUP, sent_head, "SENT BEFORE", "CANNOT BE SENT"), rows))
    for why, (number, sample) in tally.why.items():
        print(f"{number} cannot be sent back: {why} (such as {sample})")
    said = "would be sent back; nothing was sent" if asked.dry_run else "sent back"
    print(f"{tally.sent.total()} of {work.seen} {'letter' if work.seen == 1 else 'letters'} {said}")
