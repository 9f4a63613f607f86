"""What a lint finds, and what it looks at."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from shared.programme.asking import Channel
from shared.programme.models import Programme, Trigger
from shared.programme.triggers import SCHEDULE

Path = tuple[str, ...]
PROGRAMME, SURVEYS, TRIGGERS = "programme.yaml", "surveys.yaml", "triggers.yaml"


class Level(StrEnum):
    """An error does harm or never asks anybody; a warning may be meant so."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing at one key of one file: what is wrong, and why it matters or what to do."""

    file: str
    path: Path
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, by which rule."""

    rule: str
    level: Level
    found: Found

    @property
    def key(self) -> str:
        """The key as faults name it."""
        return ".".join(self.found.path)


@dataclass(frozen=True, slots=True)
class Subject:
    """The programme, and how long askings are remembered (EARSHOT_TRIGGER_RETENTION)."""

    programme: Programme
    retention: timedelta

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """Every trigger, the schedules of relational surveys among them."""
        return (*self.programme.triggers.values(), *self.programme.schedules.values())


def at(trigger: Trigger, key: str, what: str, why: str) -> Found:
    """Something at a key of a trigger; of a schedule that is its survey's key."""
    file = SURVEYS if trigger.on.startswith(f"{SCHEDULE}.") else TRIGGERS
    return Found(file, (trigger.key, key) if key else (trigger.key,), what, why)


def channels_of(trigger: Trigger) -> tuple[Channel, ...]:
    """Its channels and those of its experiment's variants, each once."""
    variants = trigger.experiment.variants.values() if trigger.experiment else ()
    channels = [*trigger.channels, *(c for v in variants for c in v.channels or ())]
    return tuple(dict.fromkeys(channels))


def delays_of(trigger: Trigger, programme: Programme) -> tuple[timedelta, ...]:
    """Every delay that a customer of the trigger may get."""
    usual = programme.delay_of(trigger)
    variants = trigger.experiment.variants.values() if trigger.experiment else ()
    return tuple(usual if v.delay is None else v.delay for v in variants) or (usual,)
