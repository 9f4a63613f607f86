"""Loading a programme folder: all its faults at once, or the programme."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator

from shared.programme.asking import Cap, Channel, Hours
from shared.programme.checks import Draft, crosscheck
from shared.programme.complaints import complaints
from shared.programme.faults import NotAccepted, ProgrammeError, ProgrammeFault
from shared.programme.models import (
    AlertPolicy,
    Programme,
    Scoring,
    Segmentation,
    Survey,
    Trigger,
)
from shared.programme.sources import Source, read_source
from shared.programme.written import NAME, NAME_ACCEPTED, Written

FILES = ("programme.yaml", "surveys.yaml", "triggers.yaml", "segments.yaml", "alerts.yaml")
DEDUPE = timedelta(days=40)

_Model = TypeVar("_Model", bound=Written)


class Head(Written):
    """What stands in programme.yaml."""

    brand: str = Field(min_length=1, max_length=100, description="a text")
    languages: tuple[str, ...] = Field(min_length=1, description="a list such as [en, de]")
    timezone: str = "UTC"
    constants: Mapping[str, str] = Field(default_factory=dict)
    consent_required: tuple[Channel, ...] = ()  # channels that need a yes; silence is a no
    quiet_hours: Hours = None
    caps: tuple[Cap, ...] = Field(default=(), max_length=20)
    scores: Scoring = Scoring()

    @field_validator("languages")
    @classmethod
    def _codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for place, code in enumerate(value):
            if not (code.isascii() and code.islower() and len(code) in {2, 3}):
                raise NotAccepted(f"{code!r} is not a language", "a code such as en", at=str(place))
            if code in value[:place]:
                raise NotAccepted(f"{code!r} stands twice", "each language once", at=str(place))
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise NotAccepted(
                f"{value!r} is not a time zone", "a name such as Europe/Berlin"
            ) from None
        return value

    @field_validator("constants")
    @classmethod
    def _names(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name in value:
            if name == "brand" or not name.isidentifier():
                raise NotAccepted(f"{name!r} cannot name a constant", "another word", at=name)
        return value


def read_sources(folder: Path) -> Mapping[str, Source]:
    """The five files by name: their values, and the line of each key."""
    return {name: read_source(folder / name) for name in FILES}


def load_programme(folder: Path, *, dedupe: timedelta = DEDUPE) -> Programme:
    """Read and check the five files. Raises ProgrammeError with every fault found.

    `dedupe` is how long events are told apart (EARSHOT_DEDUPE); each `max_age` is shorter.
    """
    if not folder.is_dir():
        raise ProgrammeError([ProgrammeFault(folder, 0, "", "is not a folder", ", ".join(FILES))])
    sources = read_sources(folder)
    faults = [fault for source in sources.values() for fault in source.faults]
    reading = _Reading(faults)
    head = reading.one(Head, sources["programme.yaml"])
    reading.languages = head.languages if head else ()
    surveys = reading.many(Survey, sources["surveys.yaml"])
    triggers = reading.many(Trigger, sources["triggers.yaml"])
    segments = reading.one(Segmentation, sources["segments.yaml"])
    alerts = reading.one(AlertPolicy, sources["alerts.yaml"])
    words = {**head.constants, "brand": head.brand} if head else None
    draft = Draft(head.caps if head else (), words, surveys, triggers, segments, alerts)
    faults += crosscheck(draft, sources, dedupe)
    if faults or head is None or segments is None or alerts is None:
        raise ProgrammeError(faults)
    return Programme(
        **dict(head),
        surveys=surveys,
        triggers=triggers,
        segments=segments,
        alerts=alerts,
        digest=_digest(sources),
    )


class _Reading:
    """Validates files one after the other and gathers what is wrong."""

    def __init__(self, faults: list[ProgrammeFault]) -> None:
        self.faults = faults
        self.languages: tuple[str, ...] = ()

    def one(self, model: type[_Model], source: Source) -> _Model | None:
        """A file that holds one thing."""
        if source.values is None and source.faults:
            return None
        return self._validate(model, source, (), source.values)

    def many(self, model: type[_Model], source: Source) -> dict[str, _Model]:
        """A file that holds many things by name."""
        if source.values is None and source.faults:
            return {}
        if not isinstance(source.values, dict):
            self.faults.append(
                source.fault((), "does not hold names with their settings", "name: {key: value, …}")
            )
            return {}
        found: dict[str, _Model] = {}
        for key, value in source.values.items():
            if NAME.fullmatch(key) is None:
                self.faults.append(source.fault((key,), f"{key!r} is not a name", NAME_ACCEPTED))
            thing = self._validate(model, source, (key,), value)
            if thing is not None:
                found[key] = thing
        return found

    def _validate(
        self, model: type[_Model], source: Source, path: tuple[str, ...], value: Any
    ) -> _Model | None:
        if not isinstance(value, dict):
            names = ", ".join(_written_keys(model))
            self.faults.append(source.fault(path, "does not hold keys with values", names))
            return None
        if path and "key" in value:
            self.faults.append(
                source.fault((*path, "key"), "unknown key", ", ".join(_written_keys(model)))
            )
        written = {**value, "key": path[0]} if path else value
        try:
            return model.model_validate(written, context={"languages": self.languages})
        except ValidationError as error:
            self.faults += complaints(error, model, source, path)
            return None


def _written_keys(model: type[Written]) -> list[str]:
    names = (field.alias or name for name, field in model.model_fields.items())
    return [name for name in names if name != "key"]


def _digest(sources: Mapping[str, Source]) -> str:
    values = {name: source.values for name, source in sources.items()}
    content = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
