"""What scoring does besides answering: it counts, and keeps what answers are made of."""

import asyncio
from dataclasses import dataclass

from services.scoring.app.core import Core
from services.scoring.consumer import build_decoders, build_handler
from services.scoring.metrics import SCORES, STREAM
from services.scoring.store import Book
from services.scoring.store.crowding import Widening
from services.scoring.worker import (
    Estimating,
    GaugeBoard,
    keep_alike,
    keep_columns,
    keep_decisions,
    keep_gauges,
    keep_layout,
)
from shared.stream import Health, Pipeline, Producer, Source, Worker, consume


@dataclass(frozen=True)
class Signs:
    """What the workers tell the API: how the consumer does, and that open streams are to end."""

    health: Health
    closing: asyncio.Event


def build_workers(
    core: Core, producer: Producer, source: Source, signs: Signs
) -> tuple[Worker, ...]:
    """The consumer, and those who keep layout, gauges, decisions, columns and likeness."""
    settings, engine, layout = core.settings, core.engine, core.layout
    surveys = core.programme.surveys
    touchpoints = [name for name, path in layout.paths.items() if path == "touchpoint"]

    def kind_of(survey: str) -> str | None:
        return str(surveys[survey].kind) if survey in surveys else None

    book = Book(values_at_most=settings.scoring_values)
    pipeline = Pipeline(
        service="scoring",
        engine=engine,
        decode=build_decoders(touchpoints),
        handle=build_handler(book, producer, kind_of, core.clock, settings.scoring_decisions_kept),
        producer=producer,
        metrics=STREAM,
        traces=core.traces,
    )

    async def score(stop: asyncio.Event) -> None:
        await consume(source, pipeline, stop, signs.health)

    async def lay_out(stop: asyncio.Event) -> None:
        await keep_layout(engine, layout, settings.scoring_values, stop)
        signs.closing.set()

    widening = Widening(core.reader, core.alike, core.programme.zone)
    gauges = core.programme.segments.gauges
    board = GaugeBoard(gauges, core.reader, core.clock, SCORES, widening)

    async def gauge(stop: asyncio.Event) -> None:
        await keep_gauges(board, stop)

    async def forget(stop: asyncio.Event) -> None:
        await keep_decisions(engine, settings.scoring_decisions_kept, core.clock, stop)

    async def remember(stop: asyncio.Event) -> None:
        await keep_columns(core.reader, stop)

    async def estimate(stop: asyncio.Event) -> None:
        await keep_alike(Estimating(widening, layout, core.clock), stop)

    return (core.clock.run, score, lay_out, gauge, forget, remember, estimate)
