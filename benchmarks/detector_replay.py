"""Feed real answers to the detector as the service does.

One open alert per stream; streams are all answers, every value of every dimension and, if asked
for, every pair of values of the first two. An incident is a maximal run of alerts of one set whose
open times overlap.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.detector_sets import Answer, Setup, read_answers
from services.alerts.domain.detector import Detector
from services.alerts.domain.lifecycle import Closed
from services.alerts.domain.state import NO_PARENT, FleetState
from services.alerts.domain.terms import FleetTerms, Policy

TICK_H = 1 / 60

Segment = tuple[str, ...]  # metric, then dimension=value


@dataclass
class Alarm:
    """One alert of one stream; hours of event time, counts since its onset."""

    stream: Segment
    opened_h: float
    onset_h: float
    answers: int
    detractors: int
    rise: float
    baseline: float
    seen_before_onset: int
    closed_h: float = float("inf")
    how: Closed | None = None


@dataclass
class Replay:
    """What a set did: its alarms, the minutes of answers by stream, the time it took."""

    setup: Setup
    alarms: list[Alarm] = field(default_factory=list)
    minutes: dict[Segment, list[int]] = field(default_factory=lambda: defaultdict(list))
    weeks: float = 0.0
    seconds: float = 0.0
    judged: int = 0

    def answers_until(self, stream: Segment, start_h: float, opened_h: float) -> int:
        return sum(start_h <= m / 60 < opened_h for m in self.minutes[stream])

    def opened(self, stream: Segment, start: str, end: str) -> list[Alarm]:
        low, high = hour(start), hour(end)
        return [a for a in self.alarms if a.stream == stream and low <= a.opened_h <= high]

    def incidents(self, alarms: Iterable[Alarm] | None = None) -> list[list[Alarm]]:
        """Merge alarms whose open times overlap."""
        merged: list[list[Alarm]] = []
        until = -float("inf")
        chosen = self.alarms if alarms is None else alarms
        for alarm in sorted(chosen, key=lambda a: a.opened_h):
            if alarm.opened_h > until:
                merged.append([])
            merged[-1].append(alarm)
            until = max(until, alarm.closed_h)
        return merged


def hour(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp() / 3600


def stamp(hours: float) -> str:
    if not np.isfinite(hours):
        return "open"
    return datetime.fromtimestamp(round(hours * 60) * 60, UTC).strftime("%Y-%m-%d %H:%M")


def streams_of(answer: Answer, pair: tuple[str, ...]) -> Iterator[tuple[Segment, Segment | None]]:
    """Name the streams that the answer is in, each with its parent."""
    everything: Segment = (answer.metric,)
    yield everything, None
    for dimension, value in answer.values.items():
        yield (*everything, f"{dimension}={value}"), everything
    if pair and all(d in answer.values for d in pair):
        both = tuple(f"{d}={answer.values[d]}" for d in pair)
        yield (*everything, *both), (*everything, both[0])


class Player:
    """Feed one set to a detector as the service does."""

    def __init__(self, setup: Setup, policy: Policy, terms: FleetTerms, *, pairs: bool) -> None:
        self.replay = Replay(setup)
        self.detector = Detector(policy, terms)
        self.fleet = FleetState.empty()
        self.rows: dict[Segment, int] = {}
        self.names: list[Segment] = []
        self.pair = setup.dimensions[:2] if pairs and len(setup.dimensions) > 1 else ()
        self.open: dict[int, Alarm] = {}

    def row(self, stream: Segment, parent: Segment | None) -> int:
        if stream not in self.rows:
            above = NO_PARENT if parent is None else self.rows[parent]
            (row,) = self.fleet.extend(1, level=[len(stream) - 1], parent=[above]).tolist()
            self.rows[stream] = row
            self.names.append(stream)
        return self.rows[stream]

    def play(self, answers: list[Answer]) -> Replay:
        began = time.perf_counter()
        minute: list[Answer] = []
        for answer in answers:
            if minute and minute[0].minute != answer.minute:
                self.judge(minute)
                minute = []
            minute.append(answer)
        if minute:
            self.judge(minute)
            self.replay.weeks = (answers[-1].minute - answers[0].minute) / 60 / 168
        self.replay.seconds = time.perf_counter() - began
        return self.replay

    def judge(self, minute: list[Answer]) -> None:
        counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for answer in minute:
            for stream, parent in streams_of(answer, self.pair):
                row = self.row(stream, parent)
                counts[row][0] += 1
                counts[row][1] += answer.detractor
                self.replay.minutes[stream].append(answer.minute)
        index = np.array(sorted(counts))
        pairs = np.array([counts[row] for row in index.tolist()], float).T
        now_h = (minute[0].minute + 1) / 60
        judgement = self.detector.step(self.fleet, index, pairs[0], pairs[1], now_h, TICK_H)
        self.replay.judged += 1
        for i, row in enumerate(index.tolist()):
            ended = judgement.closed[i]
            if ended is not None:
                alarm = self.open.pop(row)
                alarm.closed_h, alarm.how = now_h, ended
            if judgement.fired[i]:
                stream, onset_h = self.names[row], float(judgement.onset_h[i])
                self.open[row] = Alarm(
                    stream=stream,
                    opened_h=now_h,
                    onset_h=onset_h,
                    answers=int(judgement.answers[i]),
                    detractors=int(judgement.detractors[i]),
                    rise=float(judgement.rise[i]),
                    baseline=float(judgement.baseline_rate[i]),
                    seen_before_onset=self.replay.answers_until(stream, 0.0, onset_h - TICK_H / 2),
                )
                self.replay.alarms.append(self.open[row])
                self.detector.open(self.fleet, row, now_h)


def replay(
    folder: Path,
    setup: Setup,
    *,
    pairs: bool = False,
    policy: Policy | None = None,
    terms: FleetTerms | None = None,
) -> Replay:
    """Play a set at default settings."""
    answers = read_answers(folder, setup)
    return Player(setup, policy or Policy(), terms or FleetTerms(), pairs=pairs).play(answers)
