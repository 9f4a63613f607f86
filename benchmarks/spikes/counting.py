"""T7's other half: answers shuffled and delivered twice, through counting as the service counts.

Every answer is an `Answer` with an id; batches of an hour come in any order within, with repeats
of this and of earlier hours; a minute is judged when the hour is over.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from benchmarks.spikes.worlds import FIRST_H
from services.alerts.domain.answers import Answer, Change, Line, Place, bring_forward, fold, tally
from services.alerts.domain.detector import Detector
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import Policy

LINE = Line("nps", "")
REPEATED = 0.1

Counts = dict[int, dict[int, list[int]]]  # minute, stream: answers and detractors


@dataclass
class Ledger:
    """What counting remembers: each id once, sums by minute and leaf."""

    counts: Counts = field(default_factory=dict)
    known: set[str] = field(default_factory=set)

    def take(self, batch: Sequence[Answer], closed_to: Mapping[Line, int]) -> None:
        timely = bring_forward(fold(batch), closed_to)
        changes = [Change(answer, None) for answer in timely if answer.id not in self.known]
        self.known.update(change.answer.id for change in changes)
        for place, tick in tally(changes).items():
            streams = self.counts.setdefault(place.minute, {})
            sums = streams.setdefault(int(place.leaf), [0, 0])
            sums[0] += tick.answers
            sums[1] += tick.detractors


def draw_answers(rng: Generator, streams: int, days: int) -> Iterator[list[Answer]]:
    """Hour by hour; 100 to 1,000 a day, and from two thirds of the time on half of them spike."""
    volumes = np.exp(rng.uniform(np.log(100), np.log(1000), streams))
    rates = rng.uniform(0.08, 0.25, streams)
    risen = np.where(np.arange(streams) % 2, rates, 1 / (1 + (1 - rates) / (2.43 * rates)))
    number = 0
    for hour in range(days * 24):
        now = risen if hour >= days * 16 else rates
        answers = []
        for stream, many in enumerate(rng.poisson(volumes / 24).tolist()):
            minutes = (FIRST_H + hour) * 60 + rng.integers(0, 60, many)
            detractors = rng.random(many) < now[stream]
            for minute, detractor in zip(minutes.tolist(), detractors.tolist(), strict=True):
                number += 1
                place = Place(*LINE, minute, str(stream))
                answers.append(Answer(f"{number:08d}", "1", place, detractor))
        yield answers


def judge(counts: Counts, streams: int) -> list[tuple[int, int, float]]:
    """Minute, stream and evidence of every alarm."""
    detector, fleet = Detector(Policy()), FleetState.empty(streams)
    alarms = []
    for minute in sorted(counts):
        touched = counts[minute]
        index = np.array(sorted(touched))
        sums = np.array([touched[row] for row in index.tolist()], float).T
        now_h = (minute + 1) / 60
        judgement = detector.step(fleet, index, sums[0], sums[1], now_h, 1 / 60)
        for i in np.flatnonzero(judgement.fired).tolist():
            alarms.append((minute, int(index[i]), float(judgement.log_evidence[i])))
            detector.open(fleet, int(index[i]), now_h)
    return alarms


@dataclass(frozen=True)
class Twice:
    """What came of a clean delivery and of a shuffled one with repeats."""

    answers: int
    repeats: int
    clean: list[tuple[int, int, float]]
    disturbed: list[tuple[int, int, float]]


def deliver_twice(seed: int, streams: int, days: int) -> Twice:
    rng = np.random.default_rng(seed)
    clean, disturbed = Ledger(), Ledger()
    sent: list[Answer] = []
    repeats = 0
    for hour, answers in enumerate(draw_answers(rng, streams, days)):
        closed_to = {LINE: (FIRST_H + hour) * 60 - 1}
        clean.take(answers, closed_to)
        again = rng.integers(0, len(sent) + len(answers), int(REPEATED * len(answers))).tolist()
        sent += answers
        repeats += len(again)
        batch = answers + [sent[place] for place in again]
        rng.shuffle(batch)
        half = len(batch) // 2
        disturbed.take(batch[:half], closed_to)
        disturbed.take(batch[half:], closed_to)
    return Twice(len(sent), repeats, judge(clean.counts, streams), judge(disturbed.counts, streams))
