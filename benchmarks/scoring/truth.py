"""What every contender must have counted, and how far from it one is."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.rivals.cells import names_of, sums_of
from shared.stream import Outgoing

Cells = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Found:
    """Against the truth: answers that are missing, answers too many, cells that differ.

    Both are sums over the cells of one slice, the slice where they are largest: what is lost in
    one cell does not make up for what another has twice. In one cell it does; it may differ still.
    """

    lost: int
    doubled: int
    wrong: int

    @property
    def right(self) -> bool:
        return not self.wrong

    def text(self) -> str:
        """As a table has it."""
        wrong = "" if self.right else f", {self.wrong:,} cells wrong"
        return f"{self.lost:,} / {self.doubled:,}{wrong}"


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
    lost, doubled = Counter[str](), Counter[str]()
    for name, (true, counted) in pairs.items():
        slice_ = name.partition("|")[0]
        lost[slice_] += max(0, true[0] - counted[0])
        doubled[slice_] += max(0, counted[0] - true[0])
    return Found(
        lost=max(lost.values(), default=0),
        doubled=max(doubled.values(), default=0),
        wrong=sum(list(true) != list(counted) for true, counted in pairs.values()),
    )
