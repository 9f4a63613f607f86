"""The SQL of a search for answers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from unicodedata import normalize

import asyncpg
import msgspec

from services.scoring.domain.tallies import OTHER
from services.scoring.domain.windows import Window
from services.scoring.store.slices import Arguments, value_column
from services.scoring.store.values import full_among
from shared.programme.metrics import METRICS, Klass


@dataclass(frozen=True, slots=True)
class Search:
    """Which answers are listed."""

    window: Window
    metric: str | None = None
    survey: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    klass: str | None = None
    reason: str | None = None
    text: str | None = None
    on_event: bool = False
    after: tuple[datetime, str] | None = None  # the last one of the page before
    limit: int = 50

    @property
    def at(self) -> str:
        """The column of `scored` that places an answer."""
        return "event_at" if self.on_event else "answered_at"


async def full_for(connection: asyncpg.Connection, search: Search, values_at_most: int) -> set[str]:
    """The dimensions of which `other` is asked for, and that have no room for a further value."""
    names = [name for name, value in search.where if value == OTHER]
    return await full_among(connection, names, values_at_most)


def ordered(
    search: Search, told: Arguments, full: Collection[str], columns: str, limit: str = "ALL"
) -> str:
    """Select the columns and `placed_at`, newest first.

    By the event's time the invited and the others come each by their own index.
    """
    kinds = {"answered_at": "true"}
    if search.on_event:
        kinds = {"asked_event_at": "true", "answered_at": "asked_event_at IS NULL"}
    narrow = _narrowed(search, told, full)
    order = f"ORDER BY placed_at DESC, id DESC LIMIT {limit}"
    parts = [
        f"(SELECT {columns}, {at} AS placed_at FROM scored"  # noqa: S608
        f" WHERE {kind} AND {' AND '.join([_placed(search, told, at), *narrow])} {order})"
        for at, kind in kinds.items()
    ]
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS o {order}"  # noqa: S608


def sought(search: Search, told: Arguments, full: Collection[str]) -> str:
    """Select the same by the index of segments, sorted last: for what is rare.

    The time stands outside, or the planner, which cannot know, would go by it.
    """
    wanted = " AND ".join(_narrowed(search, told, full))
    inner = f"SELECT *, {search.at} AS placed_at FROM scored WHERE {wanted} OFFSET 0"  # noqa: S608
    return (
        f"SELECT * FROM ({inner}) AS a WHERE {_placed(search, told, 'placed_at')}"  # noqa: S608
        f" ORDER BY placed_at DESC, id DESC LIMIT {told.add(search.limit, 'int')}"
    )


def _placed(search: Search, told: Arguments, at: str) -> str:
    window = search.window
    start, end = told.add(window.start, "timestamptz"), told.add(window.end, "timestamptz")
    within = f"{at} >= {start} AND {at} < {end}"
    if search.after is None:
        return within
    moment, key = told.add(search.after[0], "timestamptz"), told.add(search.after[1])
    return f"{within} AND {at} <= {moment} AND ({at}, id) < ({moment}, {key})"


def _within(name: str, value: str, told: Arguments, full: Collection[str]) -> str:
    if name in full:
        return f"{value_column(name, told, 'segments', full)} = {told.add(value)}"
    one = msgspec.json.encode({name: value}).decode()
    return f"segments @> {told.add(one)}::jsonb"


def _narrowed(search: Search, told: Arguments, full: Collection[str]) -> list[str]:
    wanted = [_within(name, value, told, full) for name, value in search.where]
    if search.metric is not None:
        wanted.append(f"metric = {told.add(search.metric)}")
    if search.survey is not None:
        wanted.append(f"survey = {told.add(search.survey)}")
    if search.reason is not None:
        wanted.append(f"reasons ? {told.add(search.reason)}")
    if search.text is not None:
        wanted.append(f"({_says(search.text, told)})")
    if search.klass is not None:
        wanted.append(f"({_of_class(search.klass, told)})")
    return wanted


def _says(text: str, told: Arguments) -> str:
    """Upper and lower case alike in every script, whatever the database's locale.

    Accents are looked for in both ways to write them: to make comments alike takes ten times as
    long.
    """
    fold = "casefold({} COLLATE pg_unicode_fast)".format
    forms = sorted({normalize("NFC", text), normalize("NFD", text)})
    return " OR ".join(f"strpos({fold('comment')}, {fold(told.add(one))}) > 0" for one in forms)


def _of_class(klass: str, told: Arguments) -> str:
    return " OR ".join(
        f"metric = {told.add(metric.name)} AND scale = {metric.scale[1]} AND score = ANY("
        f"{told.add([p for p in metric.points if metric.class_of(p) is Klass(klass)], 'int[]')})"
        for metric in METRICS
    )
