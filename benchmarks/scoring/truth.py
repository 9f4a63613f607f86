"""What every contender must have counted, and how far from it one is."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.rivals.cells import names_of, sums_of
from shared.stream import Outgoing

Cells = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Found:
    """Against the truth: answers missing from the totals, answers too many, cells that differ."""

    lost: int
    doubled: int
    wrong: int

    @property
    def right(self) -> bool:
        return not self.wrong


def true_cells(records: Iterable[Outgoing]) -> Cells:
    """The cells of these answers, by `dimensions|values|hour`."""
    cells: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 5)
    for record in records:
        answer = msgspec.json.decode(record.value or b"")
        added = sums_of(answer["answers"]["score"])
        for name in names_of(answer):
            cell = cells[name.split("|", 2)[2]]
            for place, number in enumerate(added):
                cell[place] += number
    return dict(cells)


def compared(truth: Cells, file: Path) -> Found:
    """What a contender wrote, beside the truth."""
    found: Cells = json.loads(file.read_text(encoding="utf-8"))
    names = truth.keys() | found.keys()
    pairs = {name: (truth.get(name, [0] * 5), found.get(name, [0] * 5)) for name in names}
    short = [true[0] - counted[0] for name, (true, counted) in pairs.items() if name[:2] == "||"]
    return Found(
        lost=sum(max(0, number) for number in short),
        doubled=sum(max(0, -number) for number in short),
        wrong=sum(list(true) != list(counted) for true, counted in pairs.values()),
    )
