"""How long it takes to notice that detractors doubled, stream by stream.

The delay of a Shiryaev-Roberts detector is (ln A - 3.9) / KL(p1 || p0) answers, where A is its
threshold counted in answers: first-order optimal (Pollak 1985), the constant measured over rates
and shifts, +-0.5. KL is what an answer tells where the normal rate is known. Here it is known from
a baseline of N answers that drifts, and each day has its own wobble, so that the evidence is summed
day by day, as the log ratio of two beta-binomials (Pólya), as the detector itself weighs it; with a
long baseline and without wobble that is KL per answer. Counts are effective: divided by the
over-dispersion.

A stream whose baseline is short learns a rise before it can tell it from normal: all evidence that
a baseline of N answers can ever give is about N KL(p0 || p1).
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import expit

from services.alerts.domain.columns import Flags, Floats
from services.alerts.domain.evidence import beta_binomial
from services.alerts.domain.frame import Frame, Minute, build_frame, count_usual
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import SHIFTS, FleetTerms, Policy

FREE_NATS: Final = 3.9
HIGHEST: Final = 0.95
LONGEST_DAYS: Final = 365
_HALVINGS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Streams at some hour: thresholds in log hours of budget, dispersions, raw answers a day.

    `daily`: see `usual_daily`.
    """

    rows: FleetState  # copies
    log_thresholds: Floats
    dispersion: Floats
    daily: Floats
    now_h: float


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """By stream: days and raw answers to notice the doubled rate, NaN: not within a year.

    `nats`: evidence that an alarm needs. `ceiling`: about the most that the baseline can give.
    `least_rise`: the smallest rise looked for, as a share; what is smaller is taken for drift.
    `floor`: the part of it that drift sets.
    """

    baseline: Floats
    doubled: Floats
    mass: Floats
    nats: Floats
    ceiling: Floats
    answers: Floats
    days: Floats
    least_rise: Floats
    floor: Floats
    warm: Flags
    open: Flags

    @property
    def never(self) -> Flags:
        return np.isnan(self.days)


def usual_daily(rows: FleetState, now_h: float) -> Floats:
    """Raw answers a day, the mean of about the last four weeks; `rows` are copies."""
    elapsed = np.maximum(now_h - rows.last_at, 0.0)
    nothing = np.zeros(len(rows))
    minute = Minute.of(nothing, nothing, now_h, 1 / 60)
    return count_usual(rows, minute, elapsed)


def measure_sensitivity(at: Standing, policy: Policy, terms: FleetTerms) -> Sensitivity:
    """Measure streams that have had answers; `at.rows` is used up."""
    nothing = np.zeros(len(at.rows))
    minute = Minute.of(nothing, nothing, at.now_h, 1 / 60)
    frame = build_frame(at.rows, minute, at.dispersion, policy, terms)
    doubled = np.clip(2 * frame.rate, frame.rate, HIGHEST)
    hours = np.minimum(24 / np.maximum(at.daily, 1e-9), policy.clock)  # of budget by one answer
    nats = at.log_thresholds - np.log(hours * at.dispersion) - FREE_NATS
    nats = np.maximum(nats, 0.0)
    # what is in quarantine now is normal too, as long as nothing is wrong
    mass = frame.mass + at.rows.quarantine_answers
    known = replace(frame, mass=mass)
    effective = _answers_needed(known, doubled, nats, at.daily / at.dispersion, terms.drift)
    answers = effective * at.dispersion
    least = np.maximum(policy.evidence_answers, policy.evidence_detractors / doubled)
    answers = np.where(np.isnan(answers), np.nan, np.maximum(answers, least))
    floor = 3 * np.sqrt(terms.drift * 168.0)
    return Sensitivity(
        baseline=frame.rate,
        doubled=doubled,
        mass=mass,
        nats=nats,
        ceiling=mass * _divergence(frame.rate, doubled),
        answers=answers,
        days=answers / np.maximum(at.daily, 1e-9),
        least_rise=expit(frame.log_odds + frame.shift) - frame.rate,
        floor=expit(frame.log_odds + floor) - frame.rate,
        warm=frame.warm,
        open=frame.open,
    )


def _answers_needed(
    frame: Frame, risen: Floats, nats: Floats, daily: Floats, drift: float
) -> Floats:
    """Effective answers until their evidence is enough; NaN where it never is."""
    needed = np.full(len(nats), np.nan)
    sum_, before = np.zeros(len(nats)), np.zeros(len(nats))
    earlier = np.zeros(len(nats))  # answers of days before, for what they tell of the days' mean
    for day in range(LONGEST_DAYS):
        amount = daily if day else daily / 2  # it begins at noon: no hour is likelier
        kept = 1 / (1 + frame.mass * frame.spread * drift * 24 * day)
        null = _Null.of(frame, frame.mass * kept, earlier, risen)
        gained = sum_ + _evidence(frame, null, risen, amount, daily)
        crossed = np.isnan(needed) & (gained >= nats)
        if crossed.any():
            inside = _within_day(frame, null, risen, daily, nats - sum_)
            needed = np.where(crossed, before + inside, needed)
        if not np.isnan(needed).any():
            break
        sum_, before = gained, before + amount
        earlier = earlier + amount / (1 + amount * frame.spread * frame.wobble)
    return needed


@dataclass(frozen=True)
class _Null:
    """What the detector takes for normal as a day begins, when a rise has lasted some days."""

    mean: Floats
    mass: Floats

    @classmethod
    def of(cls, frame: Frame, mass: Floats, earlier: Floats, risen: Floats) -> "_Null":
        together = mass + earlier
        mean = (mass * frame.rate + earlier * risen) / together
        return cls(mean, together / (1 + together * frame.spread * frame.wobble))


def _evidence(frame: Frame, null: _Null, risen: Floats, answers: Floats, daily: Floats) -> Floats:
    """Nats of so many effective answers of one day at the risen rate.

    The detector looks for no larger rise than its last alternative, also where there is one. n
    answers of one clock hour tell what n / (1 + n p q sf²) would without the hour's own flicker.
    """
    answers = answers / (1 + np.minimum(answers, daily / 24) * frame.spread * frame.flicker)
    detractors = answers * risen
    sought = np.minimum(risen, expit(frame.log_odds + frame.shift * SHIFTS[-1]))
    rises = beta_binomial(detractors, answers, sought, 1 / (frame.spread * frame.wobble))
    return rises - beta_binomial(detractors, answers, null.mean, null.mass)


def _within_day(frame: Frame, null: _Null, risen: Floats, daily: Floats, nats: Floats) -> Floats:
    low, high = np.zeros(len(nats)), daily
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = _evidence(frame, null, risen, middle, daily) >= nats
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _divergence(normal: Floats, risen: Floats) -> Floats:
    """KL(normal || risen) in nats."""
    with_it = normal * np.log(normal / risen)
    nats: Floats = with_it + (1 - normal) * np.log((1 - normal) / (1 - risen))
    return nats
