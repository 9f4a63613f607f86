"""Replay real answers through the detector, beside the acceptance checks of its design.

    EARSHOT_DATA=... python -m benchmarks.detector_real_data [--pairs] [--list] [SET ...]

One open alert per stream, streams = all, every value of every dimension and, with --pairs, every
pair of values of the first two dimensions; default settings. An incident is a maximal run of alerts
of one set whose open times overlap.
"""

import argparse
import csv
import gzip
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from services.alerts.domain.detector import Detector
from services.alerts.domain.lifecycle import Closed
from services.alerts.domain.state import NO_PARENT, FleetState
from services.alerts.domain.terms import FleetTerms, Policy

TICK_H = 1 / 60
CUTS = {("nps", 10): 6, ("csat", 5): 2, ("csat", 10): 4, ("ces", 7): 3}

Segment = tuple[str, ...]  # metric, then dimension=value


@dataclass(frozen=True)
class Answer:
    minute: int
    detractor: bool
    metric: str
    values: dict[str, str]


@dataclass(frozen=True)
class Setup:
    name: str
    folder: str
    dimensions: tuple[str, ...]
    sample: str = ""


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


SETS = (
    Setup("airline_tweets", "airline_tweets", ("airline", "timezone")),
    Setup("olist", "olist", ("state", "category", "status", "seller_state")),
    Setup("olist random", "olist", ("state", "category", "status", "seller_state"), "random"),
    Setup("pwc_calls", "pwc_calls", ("agent", "topic")),
    Setup("callcentre_rwfd", "callcentre_rwfd", ("channel", "reason", "state", "call_center")),
    Setup("nsmc_ko", "nsmc_ko", ("product",)),
    Setup("carpentries_nps", "carpentries_nps", ("touchpoint", "site", "when_taken", "pace")),
    Setup("germeval_de", "germeval_de", ("touchpoint",)),
)


def hour(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp() / 3600


def stamp(hours: float) -> str:
    if not np.isfinite(hours):
        return "open"
    return datetime.fromtimestamp(round(hours * 60) * 60, UTC).strftime("%Y-%m-%d %H:%M")


def read_answers(folder: Path, setup: Setup) -> list[Answer]:
    """Read the answers that have a time and a score, in the order of their minutes."""
    answers = []
    with gzip.open(folder / setup.folder / "responses.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row["occurred_at"] or not row["score"]:
                continue
            if setup.sample not in row.get("sample", ""):
                continue
            cut = CUTS[row["metric"], int(float(row["scale_max"]))]
            minute = int(datetime.fromisoformat(row["occurred_at"]).timestamp()) // 60
            values = {d: " ".join(row[d].split())[:100] for d in setup.dimensions}
            values = {d: v for d, v in values.items() if v}
            answers.append(Answer(minute, float(row["score"]) <= cut, row["metric"], values))
    return sorted(answers, key=lambda a: a.minute)


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


@dataclass(frozen=True)
class Check:
    """One acceptance check: what was asked, what came, and whether that is enough."""

    number: str
    asked: str
    came: str
    passed: bool


BLIZZARD = {
    "Southwest": ("2015-02-21T05:00:00Z", "2015-02-22T05:00:00Z", 205),
    "Delta": ("2015-02-22T05:00:00Z", "2015-02-23T05:00:00Z", 350),
    "US Airways": ("2015-02-22T05:00:00Z", "2015-02-23T05:00:00Z", 200),
}
LATE_ORDERS = (
    ("2017-12-11T00:00:00Z", "2017-12-25T00:00:00Z"),
    ("2018-03-18T00:00:00Z", "2018-04-09T00:00:00Z"),
)
ALL: Segment = ("csat",)


def check_within(
    number: str, played: Replay, stream: Segment, window: tuple[str, str], limit: int
) -> Check:
    """Ask for an alert of that stream in the window, within so many answers from its start."""
    asked = f"{stream[-1]}: alert within {limit} answers from {window[0][:10]}"
    found = played.opened(stream, *window)
    if not found:
        return Check(number, asked, "no alert in the window", passed=False)
    used = played.answers_until(stream, hour(window[0]), found[0].opened_h)
    return Check(number, asked, f"{used} answers, {stamp(found[0].opened_h)}", passed=used <= limit)


def check_airlines(played: Replay) -> Iterator[Check]:
    """Checks 1 to 6."""
    for number, (airline, (start, end, limit)) in enumerate(BLIZZARD.items(), 1):
        stream = (*ALL, f"airline={airline}")
        yield check_within(str(number), played, stream, (start, end), limit)
    start, end = "2015-02-23T14:00:00Z", "2015-02-24T02:00:00Z"
    delta = (*ALL, "airline=Delta")
    new = len(played.opened(delta, start, end))
    ends = [a.closed_h for a in played.alarms if a.stream == delta and a.opened_h < hour(start)]
    gone = bool(ends) and max(ends) <= hour(end)
    came = f"{new} new; earlier ones ended {', '.join(map(stamp, ends)) or '(none)'}"
    yield Check(
        "4", "Delta in the burst of praise: none new, open one resolves", came, gone and not new
    )
    american = sum(a.stream == (*ALL, "airline=American") for a in played.alarms)
    yield Check("5", "American: no alert", f"{american}", american == 0)
    first, last = hour("2015-02-17T00:00:00Z"), hour("2015-02-21T05:00:00Z")
    early = sum(first <= a.opened_h <= last for a in played.alarms)
    yield Check("6", "all streams silent 17 Feb to 21 Feb 05:00", f"{early}", early == 0)


def check_olist(played: Replay) -> Iterator[Check]:
    """Checks 7 (random sample) and 8."""
    if played.setup.sample:
        yield check_within("7", played, ALL, LATE_ORDERS[1], 125)
    windows = [(hour(start), hour(end)) for start, end in LATE_ORDERS]
    outside = [
        run
        for run in played.incidents()
        if not any(low <= a.opened_h <= high for a in run for low, high in windows)
    ]
    came = f"{len(outside)} incidents in {played.weeks:.0f} weeks"
    asked = f"{played.setup.name}: <= 2 incidents outside both windows"
    yield Check("8", asked, came, len(outside) <= 2)


def check_quiet(number: str, played: Replay, most: int, *, all_silent: bool) -> Iterator[Check]:
    """Ask for few incidents, and none of the stream of all answers."""
    found = len(played.incidents())
    yield Check(number, f"{played.setup.name}: <= {most} incidents", f"{found}", found <= most)
    if all_silent:
        rung = sum(len(a.stream) == 1 for a in played.alarms)
        yield Check(number, f"{played.setup.name}: all silent", f"{rung}", rung == 0)


def check_evidence(played: Replay) -> Check:
    """Check 13, and the house's gate: 20 answers, 8 detractors, 50 answers before the onset."""
    least = min((a.seen_before_onset for a in played.alarms), default=None)
    fewest = min((a.answers for a in played.alarms), default=None)
    hurt = min((a.detractors for a in played.alarms), default=None)
    passed = least is None or (least >= 50 and (fewest or 0) >= 20 and (hurt or 0) >= 8)
    came = f"least before onset {least}, answers {fewest}, detractors {hurt}"
    return Check("13", f"{played.setup.name}: no alert on little", came, passed)


def check(played: Replay) -> Iterator[Check]:
    """Hold a replay against the acceptance checks that name its set."""
    name = played.setup.name
    if name == "airline_tweets":
        yield from check_airlines(played)
    elif name.startswith("olist"):
        yield from check_olist(played)
    quiet = {
        "pwc_calls": ("9", 2, True),
        "callcentre_rwfd": ("10", 1, True),
        "nsmc_ko": ("11", 2, True),
        "carpentries_nps": ("12", 5, False),
    }
    if name in quiet:
        number, most, silent = quiet[name]
        yield from check_quiet(number, played, most, all_silent=silent)
    yield check_evidence(played)


def print_alarms(played: Replay) -> None:
    for a in played.alarms:
        print(
            f"    {' '.join(a.stream):55.55} {stamp(a.onset_h)} -> {stamp(a.opened_h)}"
            f"  {a.detractors}/{a.answers} against {a.baseline:.3f}"
            f"  {a.how or 'open'} {stamp(a.closed_h)}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="*", help="names of sets; all without")
    parser.add_argument("--pairs", action="store_true", help="watch a pair of dimensions too")
    parser.add_argument("--list", action="store_true", help="list the alarms")
    options = parser.parse_args()
    folder = os.environ.get("EARSHOT_DATA")
    if not folder:
        print("EARSHOT_DATA is not set: no real data, nothing to replay")
        return 0
    failed = 0
    for setup in SETS:
        if options.sets and setup.name not in options.sets:
            continue
        played = replay(Path(folder), setup, pairs=options.pairs)
        print(
            f"\n{setup.name}: {played.weeks:.1f} weeks, {len(played.minutes)} streams, "
            f"{played.judged} minutes in {played.seconds:.1f} s "
            f"({1e6 * played.seconds / max(played.judged, 1):.0f} us each); "
            f"{len(played.alarms)} alarms in {len(played.incidents())} incidents"
        )
        if options.list:
            print_alarms(played)
        for line in check(played):
            failed += not line.passed
            mark = "ok  " if line.passed else "MISS"
            print(f"  {mark} ({line.number}) {line.asked:62} {line.came}")
    print(f"\n{failed} checks missed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
