"""What the detector guarantees whatever comes."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.domain.columns import Ints
from services.alerts.domain.detector import Detector, Judgement
from services.alerts.domain.lifecycle import Closed
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy

START_H = 490_000.0
TICK_H = 1 / 60

# Gap in minutes since the minute before, and (row, answers, detractors) of each stream in it.
Counts = list[tuple[int, int, int]]
Steps = list[tuple[int, Counts]]


@dataclass
class Alarm:
    row: int
    onset_h: float
    answers: float
    detractors: float
    seen_before: int  # answers that the stream had before the onset


@dataclass
class Service:
    """Opens alerts as the service does and keeps every answer's time."""

    streams: int = 3
    opens: bool = True  # alerts; thresholds depend on how many streams there are
    detector: Detector = field(default_factory=lambda: Detector(Policy()))
    now: int = round(START_H * 60)
    alarms: list[Alarm] = field(default_factory=list)
    closed: list[tuple[int, Closed]] = field(default_factory=list)
    times: list[tuple[int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rest = self.streams - 1
        self.fleet = FleetState.empty()
        self.fleet.extend(self.streams, level=[0] + [1] * rest, parent=[-1] + [0] * rest)

    def minute(self, gap: int, counts: Counts) -> Judgement:
        self.now += gap
        index: Ints = np.array([row for row, _, _ in counts])
        answers, detractors = np.array([c[1:] for c in counts], float).T
        self.times += [(row, self.now, n) for row, n, _ in counts]
        now_h = (self.now + 1) / 60
        judgement = self.detector.step(self.fleet, index, answers, detractors, now_h, TICK_H)
        for i, row in enumerate(index.tolist()):
            ended = judgement.closed[i]
            if ended:
                self.closed.append((row, ended))
            if judgement.fired[i] and self.opens:
                self.note(row, judgement, i)
                self.detector.open(self.fleet, row, now_h)
        return judgement

    def note(self, row: int, judgement: Judgement, i: int) -> None:
        onset_h = float(judgement.onset_h[i])
        onset = round(onset_h * 60)
        seen = sum(n for r, at, n in self.times if r == row and at < onset)
        answers, detractors = float(judgement.answers[i]), float(judgement.detractors[i])
        self.alarms.append(Alarm(row, onset_h, answers, detractors, seen))


def steady(service: Service, minutes: int, every: int = 5) -> None:
    """Feed `minutes` answers, one a minute, every n-th of them a detractor."""
    for i in range(minutes):
        service.minute(1, [(0, 1, int(i % every == 0))])


cells = st.tuples(st.integers(0, 2), st.integers(1, 12), st.integers(0, 12))
gaps = st.sampled_from([1, 1, 2, 7, 60, 600, 3_000, 50_000])
steps = st.lists(
    st.tuples(gaps, st.lists(cells, min_size=1, max_size=3, unique_by=lambda c: c[0])),
    min_size=20,
    max_size=120,
)


def capped(counts: Counts) -> Counts:
    return [(row, n, min(k, n)) for row, n, k in counts]


@pytest.mark.thorough
@settings(max_examples=15)
@given(quiet=st.integers(20, 150), loud=st.integers(1, 40), history=steps)
def test_no_alarm_on_little(quiet: int, loud: int, history: Steps) -> None:
    service = Service()
    for _ in range(quiet):
        service.minute(60, [(0, 1, 0), (1, 1, 0)])
    for _ in range(loud):
        service.minute(30, [(0, 1, 1), (1, 2, 2)])
    for gap, counts in history:
        service.minute(gap, capped(counts))
    for alarm in service.alarms:
        assert alarm.answers >= 20
        assert alarm.detractors >= 8
        assert alarm.seen_before >= 50


def test_evidence_begins_after_answer_50_and_hour_24() -> None:
    slow, fast = Service(streams=1), Service(streams=1)
    weighed = [np.isfinite(slow.minute(60, [(0, 1, 0)]).log_evidence[0]) for _ in range(60)]
    assert weighed.index(True) == 50
    gaps = [1] + [60] * 23 + [1] * 70
    weighed = [np.isfinite(fast.minute(gap, [(0, 9, 0)]).log_evidence[0]) for gap in gaps]
    assert sum(gaps[: weighed.index(True) + 1]) == 24 * 60


@pytest.mark.thorough
@settings(max_examples=15)
@given(
    history=st.lists(st.booleans(), min_size=50, max_size=120),
    gap=st.integers(1, 5_000_000),
    detractor=st.booleans(),
)
def test_one_answer_after_a_gap_never_fires(
    history: list[bool], gap: int, *, detractor: bool
) -> None:
    service = Service(streams=1)
    for hurt in history:
        service.minute(30, [(0, 1, int(hurt and len(service.times) % 3 == 0))])
    before = len(service.alarms)
    service.minute(gap, [(0, 1, int(detractor))])
    assert len(service.alarms) == before


@settings(max_examples=3)
@given(steps, st.integers(1, 40))
def test_what_is_remembered_depends_on_the_minutes_only(history: Steps, pause: int) -> None:
    """A restart from what was stored, and previews in between, change nothing."""
    through, resumed = Service(), Service()
    for i, (gap, counts) in enumerate(history):
        through.minute(gap, capped(counts))
        if i % pause == 0:
            rows = resumed.fleet.to_rows(np.arange(3))
            level, parent = resumed.fleet.level, resumed.fleet.parent
            resumed.fleet = FleetState.from_rows(rows, level=level, parent=parent)
            record = json.loads(json.dumps(resumed.detector.to_record()))
            resumed.detector = Detector.from_record(record, Policy())
            at_h = (resumed.now + gap + 1) / 60
            one = np.ones(1)
            resumed.detector.preview(resumed.fleet, np.array([0]), one, one, at_h, TICK_H)
        resumed.minute(gap, capped(counts))
    everything = np.arange(3)
    np.testing.assert_array_equal(
        through.fleet.to_rows(everything), resumed.fleet.to_rows(everything)
    )
    assert through.alarms == resumed.alarms


@settings(max_examples=10)
@given(steps)
def test_streams_do_not_touch_one_another(history: Steps) -> None:
    """But for what the fleet teaches, a stream is left as when it is judged alone."""
    terms = FleetTerms(learning=False)
    together = Service(opens=False, detector=Detector(Policy(), terms))
    alone = Service(streams=1, opens=False, detector=Detector(Policy(), terms))
    for gap, counts in history:
        mine = [c for c in capped(counts) if c[0] == 0]
        together.minute(gap, capped(counts))
        alone.now += gap
        if mine:
            alone.minute(0, mine)
    first = np.array([0])
    np.testing.assert_array_equal(together.fleet.to_rows(first), alone.fleet.to_rows(first))


def test_a_rise_is_found_and_its_end_too() -> None:
    service = Service(streams=1)
    steady(service, 1_500)
    steady(service, 200, every=2)
    (alarm,) = service.alarms
    assert alarm.answers < 200
    assert abs(alarm.onset_h - (START_H + 1_500 / 60)) < 1
    steady(service, 1_000)
    assert service.closed == [(0, Closed.RECOVERED)]
    assert len(service.alarms) == 1


@pytest.mark.thorough
def test_what_lasts_becomes_normal() -> None:
    service = Service(streams=1)
    steady(service, 3_000)
    for i in range(600):
        service.minute(60, [(0, 2, int(i % 2 == 0) * 2)])
    assert service.closed == [(0, Closed.ACCEPTED)]
    fleet = service.fleet
    share = fleet.baseline_detractors / (fleet.baseline_detractors + fleet.baseline_others)
    assert share[0] > 0.45
    assert len(service.alarms) == 1


def test_a_person_ends_an_alert() -> None:
    service = Service(streams=1)
    steady(service, 1_500)
    steady(service, 200, every=2)
    service.detector.close(service.fleet, 0, accepted=False)
    assert np.isnan(service.fleet.opened_at[0])
    assert service.fleet.quarantine_answers[0] == 0
    assert (service.fleet.evidence[:, 0] == 0).all()


def test_the_preview_says_what_the_step_will_say_and_remembers_nothing() -> None:
    service = Service(streams=1)
    steady(service, 1_500)
    index, answers, detractors = np.array([0]), np.array([60.0]), np.array([50.0])
    before = service.fleet.to_rows(index)
    at = (service.fleet, index, answers, detractors, (service.now + 2) / 60, TICK_H)
    seen = service.detector.preview(*at)
    np.testing.assert_array_equal(service.fleet.to_rows(index), before)
    done = service.detector.step(*at)
    assert seen.fired.tolist() == done.fired.tolist() == [True]
    assert seen.log_evidence == pytest.approx(done.log_evidence)


def test_a_new_stream_starts_at_its_parents_rate() -> None:
    service = Service(streams=2)
    steady(service, 1_000, every=2)
    service.minute(1, [(0, 1, 0), (1, 1, 0)])
    fleet = service.fleet
    mass = fleet.baseline_detractors[1] + fleet.baseline_others[1]
    assert fleet.baseline_detractors[1] / mass == pytest.approx(0.5 * 10 / (10 + 1 / 1.5), abs=0.02)


def test_an_untouched_stream_is_not_written() -> None:
    service = Service(streams=2)
    service.minute(1, [(1, 3, 1)])
    before = service.fleet.to_rows(np.array([1]))
    service.minute(900, [(0, 5, 1)])
    np.testing.assert_array_equal(service.fleet.to_rows(np.array([1])), before)
