"""Every series of scoring, each with a sentence."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.scoring.domain.scores import Score
from shared.metrics import Counter, Gauge, Histogram, PoolMetrics, Registry
from shared.stream.metrics import ProducerMetrics, StreamMetrics

REGISTRY = Registry()
DATABASE = PoolMetrics(REGISTRY)
STREAM = StreamMetrics(REGISTRY)
PRODUCER = ProducerMetrics(REGISTRY)

ANSWERS = Counter(
    "earshot_scoring_answers",
    "Answers counted or amended, by metric and class.",
    ["metric", "class"],
    registry=REGISTRY,
)
REPEATS = Counter(
    "earshot_scoring_repeats",
    "Records that changed nothing: repeats, and truths older than the one known. Many are normal"
    " after a restart or a replay.",
    registry=REGISTRY,
)
ANSWER_AGE = Histogram(
    "earshot_scoring_answer_age_seconds",
    "From ingest's receipt of an answer to the first score that includes it. Below 2 is normal;"
    " after an outage or a replay it is as long as that.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
    registry=REGISTRY,
)
TURNED_AWAY = Counter(
    "earshot_scoring_values_as_other",
    "Times that a value beyond a dimension's 10,000 was counted as other. More than 0: something is"
    " a dimension that should be none, such as an order's number; /readyz names it.",
    ["dimension"],
    registry=REGISTRY,
)
RECOUNTS = Counter(
    "earshot_scoring_recounts",
    "Times that the running counts were made anew because dimensions or pairs had changed: once a"
    " changed programme. More: two programmes run at once and each undoes the other.",
    registry=REGISTRY,
)
TOO_LATE = Counter(
    "earshot_scoring_decisions_too_late",
    "Decisions made longer ago than they are kept: they are counted nowhere.",
    registry=REGISTRY,
)
DELETED = Counter(
    "earshot_scoring_deleted_rows",
    "Rows deleted because they had been kept long enough, by table.",
    ["table"],
    registry=REGISTRY,
)
QUESTIONS = Counter(
    "earshot_scoring_questions",
    "Questions for groups, by what answered them: columns (in memory, fast) or database. Mostly"
    " database: EARSHOT_SCORING_COLUMNS is too small, or too many ask at once.",
    ["by"],
    registry=REGISTRY,
)
COLUMN_ENTRIES = Gauge(
    "earshot_scoring_column_entries",
    "Answers and invitations that are held in columns.",
    registry=REGISTRY,
)
COLUMN_BYTES = Gauge(
    "earshot_scoring_column_bytes", "Memory that these columns take.", registry=REGISTRY
)
COLUMN_REREAD = Counter(
    "earshot_scoring_column_entries_reread",
    "Entries of the columns that were read again because a batch had changed their moment.",
    registry=REGISTRY,
)
READERS = Gauge(
    "earshot_scoring_stream_readers",
    "Readers of GET /v1/stream that are connected now.",
    registry=REGISTRY,
)


SHOWN_FOR_S: Final = 120.0


class Label(NamedTuple):
    """Whose score it is; `survey` "" is all, `segment` is the text of `segment_key`."""

    metric: str
    survey: str
    window: str
    segment: str


class ScoreGauges(Collector):
    """Scores of the last complete round, all or none of them.

    Two minutes after a round without another they are gone: no number is better than an old one.
    When they were computed stays to be seen.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._round: tuple[Mapping[Label, Score], int, float] | None = None
        self._at: datetime | None = None

    def show(self, scores: Mapping[Label, Score], left_out: int, at: datetime) -> None:
        """Show these in the place of all before."""
        self._at = at
        self._round = scores, left_out, self._monotonic()

    def forget(self) -> None:
        """Show nothing any more."""
        self._round = self._at = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The series."""
        scores, left_out = self._fresh()
        point, low, high, n = (
            GaugeMetricFamily(f"earshot_scoring_score{name}", text, labels=Label._fields)
            for name, text in (
                (
                    "",
                    "Score of a segment that `gauges` names. Never sum or average it.",
                ),
                ("_lower", "Lower bound of the score's 95 % interval."),
                ("_upper", "Upper bound of the score's 95 % interval."),
                ("_answers", "Answers of which the score is made."),
            )
        )
        for label, score in scores.items():
            n.add_metric(label, score.tally.n)
            if score.score is not None and score.interval is not None:
                point.add_metric(label, score.score)
                low.add_metric(label, score.interval[0])
                high.add_metric(label, score.interval[1])
        yield from (point, low, high, n)
        yield GaugeMetricFamily(
            "earshot_scoring_score_segments_left_out",
            "Segments with answers that the programme names and for which there was no room.",
            value=left_out,
        )
        yield GaugeMetricFamily(
            "earshot_scoring_score_computed_timestamp_seconds",
            "When the scores shown were computed, by the database's clock; 0: not yet.",
            value=self._at.timestamp() if self._at is not None else 0.0,
        )

    def _fresh(self) -> tuple[Mapping[Label, Score], int | None]:
        if self._round is None:
            return {}, None
        scores, left_out, since = self._round
        return (scores, left_out) if self._monotonic() - since <= SHOWN_FOR_S else ({}, None)


SCORES = ScoreGauges()
REGISTRY.register(SCORES)
