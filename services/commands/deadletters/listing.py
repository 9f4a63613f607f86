"""`list`: how many, by service, topic and reason. Never a key or a value."""

import json
from dataclasses import dataclass

from services.commands.deadletters.arguments import Asked
from services.commands.deadletters.letters import Found, open_letters
from services.commands.deadletters.texts import as_table, one_line
from shared.stream import Broker
from shared.stream.letters import Letter

_HEAD = ("SERVICE", "TOPIC", "REASON", "LETTERS", "FAILED", "FIRST", "LAST", "SAMPLE", "DETAIL")


@dataclass
class Group:
    """Letters of one service, topic and reason; the sample is the last that failed."""

    open: int = 0
    replayed: int = 0
    failures: int = 0
    first: str = ""
    last: str = ""
    sample: Letter | None = None

    def add(self, found: Found) -> None:
        if found.replayed:
            self.replayed += 1
            return
        letter = found.letter
        self.open += 1
        self.failures = max(self.failures, letter.failures)
        self.first = min(self.first or letter.failed_at, letter.failed_at)
        if self.sample is None or letter.failed_at >= self.last:
            self.last, self.sample = letter.failed_at, letter


Groups = list[tuple[tuple[str, str, str], Group]]


async def list_groups(asked: Asked, broker: Broker) -> int:
    """Print a line a group, the largest first."""
    found: dict[tuple[str, str, str], Group] = {}
    async with open_letters(broker, asked.wanted) as letters:
        async for page in letters.pages():
            for one in page:
                key = one.letter.service, one.letter.topic, one.letter.reason
                found.setdefault(key, Group()).add(one)
    groups = sorted(found.items(), key=lambda item: (-item[1].open, item[0]))
    if asked.json:
        for key, group in groups[: asked.limit]:
            print(json.dumps(_as_json(key, group)))
    else:
        _print_table(groups, asked.limit)
    return 0


def _print_table(groups: Groups, limit: int | None) -> None:
    rows = [_row(key, group, group.sample) for key, group in groups if group.sample is not None]
    if rows:
        print(as_table(_HEAD, rows[:limit]))
    total = sum(group.open for _, group in groups)
    replayed = sum(group.replayed for _, group in groups)
    letters = "1 dead letter" if total == 1 else f"{total} dead letters"
    print(letters + (f", and {replayed} sent back to their topics" if replayed else ""))


def _row(key: tuple[str, str, str], group: Group, sample: Letter) -> list[str]:
    times = "once" if group.failures == 1 else f"up to {group.failures} times"
    cells = (*key, str(group.open), times, _to_second(group.first), _to_second(group.last))
    return [one_line(cell) or "?" for cell in (*cells, str(sample.id), sample.detail)]


def _to_second(moment: str) -> str:
    return f"{moment[:19]}Z" if len(moment) > 19 else moment


def _as_json(key: tuple[str, str, str], group: Group) -> dict[str, object]:
    service, topic, reason = key
    sample = group.sample
    return {
        "service": service,
        "topic": topic,
        "reason": reason,
        "letters": group.open,
        "replayed": group.replayed,
        "failures": group.failures,
        "first_failed_at": group.first or None,
        "last_failed_at": group.last or None,
        "sample": str(sample.id) if sample else None,
        "detail": sample.detail if sample else None,
    }
