"""What a changed programme changes, key by key, and what becomes of what is under way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.trigger.domain.plans.meanings import PROGRAMME, SURVEY, TRIGGER, Meaning
from services.trigger.domain.plans.words import ABSENT, parts_of, say_cap
from shared.programme.asking import Cap
from shared.programme.models import Programme, Trigger
from shared.programme.written import Written

__all__ = ["Change", "Difference", "How", "plan"]

_IS_TEXT: Final = {"question", "follow_up", "reasons", "thanks", "mail"}
_GATES: Final = {"when", "sample", "target_margin", "target_by", "channels", "cancel_on"}
_TIMES: Final = {"delay", "settle", "expires"}


class How(StrEnum):
    """What was done to a part of the programme."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One key, what it said and what it says."""

    key: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Change:
    """One part of the programme: what is different, what it means, what becomes of what waits."""

    part: str  # "trigger", "survey" or "programme"
    name: str
    how: How
    differences: Sequence[Difference] = ()
    means: Sequence[str] = ()
    becomes: Sequence[str] = ()


def plan(today: Programme, then: Programme) -> Sequence[Change]:
    """Every change: of the programme as a whole, then of surveys, then of triggers."""
    return [
        *_whole(today, then),
        *_each("survey", today, then, SURVEY),
        *_each("trigger", today, then, TRIGGER),
    ]


def _whole(today: Programme, then: Programme) -> Iterator[Change]:
    left = {"surveys", "triggers", "digest"}
    old, new = ({k: v for k, v in p if k not in left} for p in (today, then))
    differences = [
        difference
        for difference in _differences(parts_of(today), parts_of(then))
        if difference.key.partition(".")[0] in old and difference.key != "caps"
    ]
    differences += _caps(today, then)
    if differences:
        means, names = _means(differences, PROGRAMME, old, new), _tops(differences)
        yield Change("programme", "", How.CHANGED, differences, means, _of_whole(names))


def _caps(today: Programme, then: Programme) -> Iterator[Difference]:
    """Caps have no names: one that counts the same in the same way is the same, changed."""
    counted = [
        {(cap.each, cap.surveys, cap.channels, place): cap for place, cap in _numbered(programme)}
        for programme in (today, then)
    ]
    for key in dict.fromkeys([*counted[0], *counted[1]]):
        old, new = (say_cap(caps[key]) if key in caps else ABSENT for caps in counted)
        if old != new:
            yield Difference("caps", old, new)


def _numbered(programme: Programme) -> Iterator[tuple[int, Cap]]:
    seen: dict[object, int] = {}
    for cap in programme.caps:
        alike = (cap.each, cap.surveys, cap.channels)
        seen[alike] = seen.get(alike, -1) + 1
        yield seen[alike], cap


def _each(
    part: str, today: Programme, then: Programme, meanings: Mapping[str, Meaning]
) -> Iterator[Change]:
    before, after = _named(part, today), _named(part, then)
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old is None:
            yield Change(part, name, How.ADDED, means=[_ADDED[part]], becomes=())
        elif new is None:
            yield Change(part, name, How.REMOVED, means=[_REMOVED[part]], becomes=_GONE[part])
        elif differences := list(_differences(parts_of(old), parts_of(new))):
            means = _means(differences, meanings, _values(old, today), _values(new, then))
            becomes = _of_part(part, _tops(differences))
            yield Change(part, name, How.CHANGED, differences, means, becomes)


def _named(part: str, programme: Programme) -> Mapping[str, Written]:
    return programme.surveys if part == "survey" else programme.triggers


def _values(thing: Written, programme: Programme) -> Mapping[str, object]:
    """What its keys come to: a trigger's delay may be its survey's."""
    own = {"delay": programme.delay_of(thing)} if isinstance(thing, Trigger) else {}
    return {**dict(thing), **own}


_ADDED: Final = {
    "survey": "can be asked from now on",
    "trigger": "asks about events that come from now on",
}
_REMOVED: Final = {
    "survey": "is asked no more",
    "trigger": "asks nobody any more",
}
_GONE: Final[Mapping[str, Sequence[str]]] = {
    "survey": (
        "what is scheduled for it becomes undeliverable",
        "links that were sent say that the survey is no longer asked",
    ),
    "trigger": (
        "what waits for its delay or to settle is dropped when it is due (no-trigger)",
        "what is scheduled is still sent",
    ),
}


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key, ABSENT), new.get(key, ABSENT)
        if before != after:
            yield Difference(key, before, after)


def _tops(differences: Sequence[Difference]) -> Sequence[str]:
    """The keys that changed, of a nested one the outermost."""
    return list(dict.fromkeys(d.key.partition(".")[0] for d in differences))


def _means(
    differences: Sequence[Difference],
    meanings: Mapping[str, Meaning],
    old: Mapping[str, object],
    new: Mapping[str, object],
) -> Sequence[str]:
    tops = _tops(differences)
    said = [meanings[top](old[top], new[top]) for top in tops if top in meanings]
    return list(dict.fromkeys(said))


def _of_part(part: str, tops: Sequence[str]) -> Sequence[str]:
    said = []
    if _IS_TEXT & set(tops):
        said.append("what is scheduled is sent, and what was sent is shown, with the new texts")
    if part == "trigger" and (_GATES | _TIMES) & set(tops):
        said.append("what waits is decided by the new programme, when it was due by the old one")
        said.append("what is scheduled is sent as it was decided")
    elif _TIMES & set(tops):
        said.append(
            "what is scheduled keeps its times; what waits gets the new ones when it is due"
        )
    return said


def _of_whole(tops: Sequence[str]) -> Sequence[str]:
    said = []
    if {"caps", "consent_required"} & set(tops):
        said.append("what is scheduled is sent as it was decided; what waits goes by the new")
    if "quiet_hours" in tops:
        said.append("what is scheduled waits for the new hours too")
    return said
