"""The topic `dead-letters`, read as it streams by: no letter is kept."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.commands.deadletters.arguments import Filter
from shared.events import Topic
from shared.stream import Broker
from shared.stream.kafka import Reader, open_reader
from shared.stream.letters import Letter, LetterId, read_letter, read_mark


@dataclass(frozen=True, slots=True)
class Found:
    """A letter, and whether it was replayed since it was written."""

    letter: Letter
    replayed: bool


class Letters:
    """The letters that a filter takes: marks are read first, for they stand behind the letters."""

    def __init__(self, reader: Reader, wanted: Filter) -> None:
        self._reader = reader
        self._wanted = wanted
        self._replayed = _Replayed(reader.spans)

    async def pages(self) -> AsyncIterator[list[Found]]:
        """Letters by the page, each partition's oldest first. Raises KafkaUnavailable."""
        async for page in self._reader.pages(self._spans(to_the_end=True)):
            for record in page:
                self._replayed.note(record.partition, read_mark(record) or ())
        async for page in self._reader.pages(self._spans(to_the_end=False)):
            letters = [read_letter(record) for record in page if read_mark(record) is None]
            found = [
                Found(letter, letter.id in self._replayed)
                for letter in letters
                if self._wanted.takes(letter)
            ]
            if found:
                yield found

    def _spans(self, *, to_the_end: bool) -> dict[int, range]:
        """Where to look: everywhere, or from the first to the last letter that is named."""
        if not self._wanted.ids:
            return dict(self._reader.spans)
        spans = {}
        for number, span in self._reader.spans.items():
            offsets = [one.offset for one in self._wanted.ids if one.partition == number]
            if offsets:
                stop = span.stop if to_the_end else min(max(offsets) + 1, span.stop)
                spans[number] = range(max(min(offsets), span.start), stop)
        return spans


class _Replayed:
    """A byte for each offset: a million letters in a megabyte."""

    def __init__(self, spans: Mapping[int, range]) -> None:
        self._spans = spans
        self._flags = {number: bytearray(len(span)) for number, span in spans.items()}

    def note(self, partition: int, marked: Iterable[range]) -> None:
        first, flags = self._spans[partition].start, self._flags[partition]
        for span in marked:
            low, high = max(span.start - first, 0), min(span.stop - first, len(flags))
            if low < high:
                flags[low:high] = b"\x01" * (high - low)

    def __contains__(self, letter: LetterId) -> bool:
        first = self._spans[letter.partition].start
        return bool(self._flags[letter.partition][letter.offset - first])


@asynccontextmanager
async def open_letters(broker: Broker, wanted: Filter) -> AsyncIterator[Letters]:
    """Yield the letters that are there now. Raises KafkaUnavailable."""
    topic = f"{broker.prefix}{Topic.DEAD_LETTERS}"
    async with open_reader(broker.bootstrap, topic, broker.security) as reader:
        yield Letters(reader, wanted)
