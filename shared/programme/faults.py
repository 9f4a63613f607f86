"""What is wrong with a programme: every fault with its place, and what is accepted there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class ProgrammeFault:
    """One fault. `line` counts from 1 and is 0 where the whole file is meant."""

    file: Path
    line: int
    key: str
    fault: str
    accepted: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else f"{self.file}"
        what = f"{self.key}: {self.fault}" if self.key else self.fault
        return (
            f"{place}: {what}; accepted: {self.accepted}" if self.accepted else f"{place}: {what}"
        )


class ProgrammeError(Exception):
    """The programme cannot be used; carries all its faults, in the order of files and lines."""

    def __init__(self, faults: Iterable[ProgrammeFault]) -> None:
        self.faults: Sequence[ProgrammeFault] = sorted(set(faults))
        super().__init__("\n".join(map(str, self.faults)))


class NotAccepted(ValueError):
    """A value is refused: what is wrong and what is accepted.

    `at` is the key below the value that is meant; `line` and `column` (from 1) stand in its text;
    `more` are further faults of the same value.
    """

    def __init__(
        self, fault: str, accepted: str = "", *, at: str = "", line: int = 1, column: int = 0
    ) -> None:
        super().__init__(fault)
        self.accepted = accepted
        self.at = at
        self.line = line
        self.column = column
        self.more: Sequence[NotAccepted] = ()


def refuse(faults: Sequence[NotAccepted]) -> None:
    """Raise all faults of one value as one; nothing if there are none."""
    if faults:
        faults[0].more = faults[1:]
        raise faults[0]


def one_of(names: Iterable[str]) -> str:
    """The accepted names as one text."""
    return ", ".join(names) or "nothing yet"


def nearest(name: str, names: Iterable[str]) -> str:
    """A question that offers the nearest known name, or nothing."""
    found = get_close_matches(name, list(names), n=1, cutoff=0.7)
    return f" (did you mean {found[0]!r}?)" if found else ""
