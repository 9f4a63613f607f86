"""Customers under all rules at once, and who of them is asked, counted from the events alone.

Customer `n`, by `n % 8`: 0 to 4 bought `o-n` (told by two types of event), called, and if odd got
a refund; 5 called six times besides; 6 cancelled `o-n`, bought `o-n-b` and had the call reopened;
7 got two refunds and called an agent whom ten such customers called.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.support.askings import Asking
from tests.support.load import write_programme

Event = dict[str, Any]

_TRIGGERS = """
after-delivery: {on: transaction.delivered, survey: post-delivery, channels: [webhook], delay: 2s, cancel_on: [transaction.cancelled]}
after-completion: {on: transaction.completed, survey: post-delivery, channels: [webhook], delay: 0s, cancel_on: [transaction.cancelled]}
after-call: {on: support_call.ended, survey: post-call, channels: [email], settle: 2s, cancel_on: [support_call.reopened]}
after-refund:
  {on: transaction.refunded, survey: effort, channels: [webhook], sample: 0.5, cancel_on: [transaction.cancelled],
   experiment: {name: when, variants: {at-once: {delay: 0s}, later: {delay: 3s}}}}
"""  # noqa: E501 - as an operator writes it
_CAPS = """
caps:
  - {most: 3, per: 7d}
  - {most: 1, per: 30d, each: [customer, survey], surveys: [effort]}
  - {most: 5, per: 1d, each: [agent]}
"""
_SURVEYS: Final = {
    "transaction.delivered": "post-delivery",
    "transaction.completed": "post-delivery",
    "transaction.refunded": "effort",
    "support_call.ended": "post-call",
}
_CANCELLING: Final = ("transaction.cancelled", "support_call.reopened")
_SAMPLED: Final = {"effort": ("after-refund", 0.5)}


@dataclass(frozen=True)
class Choice:
    """Of these a cap leaves so many, whichever come first."""

    candidates: frozenset[Asking]
    most: int


@dataclass(frozen=True)
class Expected:
    """Who is asked: all of `sure`, so many of each choice, and nobody else."""

    sure: frozenset[Asking]
    choices: Sequence[Choice]

    @property
    def number(self) -> int:
        return len(self.sure) + sum(choice.most for choice in self.choices)

    def missing(self, asked: set[Asking]) -> int:
        fewer = (c.most - len(asked & c.candidates) for c in self.choices)
        return len(self.sure - asked) + sum(max(0, number) for number in fewer)

    def too_many(self, asked: set[Asking]) -> int:
        more = (len(asked & c.candidates) - c.most for c in self.choices)
        candidates = {asking for choice in self.choices for asking in choice.candidates}
        return len(asked - self.sure - candidates) + sum(max(0, number) for number in more)


Key = Callable[[Asking, str | None], str | None]
CAPS: Final[Sequence[tuple[int, Key]]] = (
    (3, lambda asking, _: asking.customer),
    (1, lambda asking, _: asking.customer if asking.survey == "effort" else None),
    (5, lambda _, agent: agent),
)


def expected_of(events: Iterable[Mapping[str, Any]]) -> Expected:
    """Who must be asked, whatever the order in which they were told and however often."""
    told = [(event, _asking(event)) for event in events]
    pointless = {(a.customer, a.subject) for e, a in told if e["type"] in _CANCELLING}
    agents = {
        asking: event["data"]["segments"].get("agent")
        for event, asking in told
        if event["type"] in _SURVEYS
        and (asking.customer, asking.subject) not in pointless
        and _in_sample(asking)
    }
    choices: list[Choice] = []
    for most, key in CAPS:
        groups: defaultdict[str, set[Asking]] = defaultdict(set)
        for asking, agent in agents.items():
            if (name := key(asking, agent)) is not None:
                groups[name].add(asking)
        choices += [Choice(frozenset(g), most) for g in groups.values() if len(g) > most]
    limited = [asking for choice in choices for asking in choice.candidates]
    assert len(limited) == len(set(limited)), "two caps at once: no simple count"
    return Expected(frozenset(agents.keys() - set(limited)), choices)


def _asking(event: Mapping[str, Any]) -> Asking:
    data = event["data"]
    subject = (data.get("transaction") or data.get("call"))["id"]
    return Asking(_SURVEYS.get(event["type"], ""), data["customer"]["id"], subject)


def _in_sample(asking: Asking) -> bool:
    trigger, share = _SAMPLED.get(asking.survey, ("", 1.0))
    drawn = sha256(f"{trigger}\0{asking.customer}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") / 2**64 < share


@dataclass
class RuledCrowd:
    """The customers, as emitters tell of them."""

    luck: Random
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def cancels(self, numbers: Iterable[int]) -> list[Event]:
        """What makes questions pointless; told before the rest, so that nobody asks first."""
        after = {"time": (self.began + timedelta(seconds=1)).isoformat()}
        return [
            self._event(n, kind, subject) | after
            for n in numbers
            if n % 8 == 6
            for kind, subject in (("transaction.cancelled", ""), ("support_call.reopened", ""))
        ]

    def events(self, number: int) -> list[Event]:
        match number % 8:
            case 5:
                calls = [self._event(number, "support_call.ended", f"-{n}") for n in range(6)]
                return [*calls, *self._bought(number)]
            case 6:
                gone = [*self._bought(number), self._event(number, "support_call.ended")]
                before = {"time": self.began.isoformat()}
                second = self._event(number, "transaction.delivered", "-b")
                return [*(event | before for event in gone), second]
            case 7:
                refunds = [self._event(number, "transaction.refunded", s) for s in ("-a", "-b")]
                agent = {"agent": f"a-{number // 80}"}
                return [*refunds, self._event(number, "support_call.ended", **agent)]
        refunds = [self._event(number, "transaction.refunded")] if number % 2 else []
        return [*self._bought(number), self._event(number, "support_call.ended"), *refunds]

    def repeated(self, numbers: Iterable[int], times: int) -> list[Event]:
        """Every event so often, and once more under another event's id, in any order."""
        told: list[Event] = []
        for event in (event for number in numbers for event in self.events(number)):
            told += [event] * times
            told.append({**event, "id": f"{event['id']}-again"})
        self.luck.shuffle(told)
        return told

    def _bought(self, number: int) -> list[Event]:
        kinds = ("transaction.delivered", "transaction.completed")
        return [self._event(number, kind) for kind in kinds]

    def _event(self, number: int, kind: str, which: str = "", **segments: str) -> Event:
        customer = {"id": f"c-{number}", "email": f"c-{number}@example.org", "locale": "en"}
        about: Event = {"transaction": {"id": f"o-{number}{which}", "amount": 59.9}}
        if kind.startswith("support_call."):
            about = {"call": {"id": f"k-{number}{which}", "talk_s": 120}}
        return {
            "specversion": "1.0", "id": f"{kind}-{number}{which}", "source": "/test", "type": kind,
            "data": {"customer": customer, "segments": segments, **about},
        }  # fmt: skip


def stamp(events: Iterable[Event]) -> None:
    """They happen now, unless they did before; a repeat says the same."""
    now = datetime.now(UTC).isoformat()
    for event in events:
        event.setdefault("time", now)


def write_ruled_programme(folder: Path) -> Path:
    """Quiet hours are far from now."""
    write_programme(folder, ("region", "agent"))
    (folder / "triggers.yaml").write_text(_TRIGGERS)
    clock = datetime.now(ZoneInfo("Europe/Berlin"))
    begin, end = (clock + timedelta(hours=hours) for hours in (8, 10))
    with (folder / "programme.yaml").open("a") as programme:
        programme.write(f"{_CAPS}quiet_hours: {begin:%H}:00-{end:%H}:00\n")
    return folder
