"""How much better a rise explains the answers than the stream's own past does."""

import numpy as np
from scipy.special import betaln

from services.alerts.domain.columns import Flags, Floats
from services.alerts.domain.frame import DAY_H, Frame, Minute, with_odds
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import Policy

LARGEST_LOG_RATIO = 230.0  # of an evidence that is cut at 1e200: their product is a number


def turn(rows: FleetState, frame: Frame, minute: Minute) -> None:
    """Redraw the wobble of the clock hour, and of the day, where a new one begins.

    What has passed counts on for what it tells: n answers of one hour weigh n / (1 + n p q sf²) in
    the day, those of one day n / (1 + n p q sw²) in the excursion (binomial variance plus the
    hour's or the day's own). Within an hour the order and the batching of answers tell nothing.
    """
    hour = float(np.floor(minute.middle_h))
    fresh = rows.clock_hour != hour
    if not fresh.any():
        return
    _fold(rows, ("hour", "today"), fresh, frame.spread * frame.flicker)
    rows.clock_answers = np.where(fresh, 0.0, rows.clock_answers)
    rows.clock_detractors = np.where(fresh, 0.0, rows.clock_detractors)
    rows.clock_hour = hour
    today = hour // DAY_H
    fresh = rows.day != today
    if fresh.any():
        _fold(rows, ("today", "earlier"), fresh, frame.spread * frame.wobble)
        rows.day = today


def _fold(rows: FleetState, names: tuple[str, str], fresh: Flags, variance: Floats) -> None:
    """Let the first of `names` end where `fresh`, and join the second."""
    ended, joined = names
    kept = 1 / (1 + getattr(rows, f"{ended}_answers") * variance)
    for what in ("answers", "detractors"):
        count = getattr(rows, f"{ended}_{what}")
        more = np.where(fresh, kept * count, 0.0)
        setattr(rows, f"{joined}_{what}", getattr(rows, f"{joined}_{what}") + more)
        setattr(rows, f"{ended}_{what}", np.where(fresh, 0.0, count))


def beta_binomial(detractors: Floats, answers: Floats, rate: Floats, mass: Floats) -> Floats:
    """Log probability of the answers in one order, under a beta of that mean and mass (Pólya)."""
    a, b = rate * mass, (1 - rate) * mass
    log_ratio: Floats = betaln(a + detractors, b + answers - detractors) - betaln(a, b)
    return log_ratio


def predict_null(rows: FleetState, frame: Frame) -> tuple[Floats, Floats]:
    """Give mean and mass of the beta-binomial predictive null.

    Baseline and quarantine together (never below the baseline), as sure as day wobble, today's
    answers, flicker and this hour's answers leave it; precisions add (delta method).
    """
    mass = frame.mass + rows.earlier_answers
    mean = (frame.mass * frame.rate + rows.earlier_detractors) / mass
    mean = np.maximum(mean, frame.rate)
    mass = mass / (1 + mass * frame.spread * frame.wobble)
    today = mass + rows.today_answers
    mean = np.maximum((mass * mean + rows.today_detractors) / today, frame.rate)
    mass = today / (1 + today * frame.spread * frame.flicker)
    hour = mass + rows.hour_answers
    mean = np.maximum((mass * mean + rows.hour_detractors) / hour, frame.rate)
    return with_odds(mean, frame.season), hour


def predict_rises(rows: FleetState, frame: Frame, null_mean: Floats) -> tuple[Floats, Floats]:
    """Give mean and mass of each alternative, shaped (component, stream); never below the null."""
    mass = 1 / (frame.spread * frame.wobble)
    mean = with_odds(frame.rate, frame.rises)
    mean = (mean * mass + rows.today_detractors) / (mass + rows.today_answers)
    mass = mass + rows.today_answers
    mass = mass / (1 + mass * (frame.spread * frame.flicker))
    mean = (mean * mass + rows.hour_detractors) / (mass + rows.hour_answers)
    mean = np.minimum(np.maximum(with_odds(mean, frame.season), null_mean), 0.999)
    return mean, mass + rows.hour_answers


def weigh(rows: FleetState, frame: Frame, policy: Policy) -> Floats:
    """Bring the e-detector forward: R_j <- (R_j + w) * LR_j; give the hours w that were charged.

    Mixture Shiryaev-Roberts e-detector (Shin, Ramdas, Rinaldo 2023) on a clock: under the null
    R minus the hours charged is a supermartingale, so that mean R >= A comes up at most once in A
    hours charged. w = min(hours since the last answer, `clock` per answer).
    """
    mean, mass = predict_null(rows, frame)
    null = beta_binomial(frame.detractors, frame.answers, mean, mass)
    means, masses = predict_rises(rows, frame, mean)
    rises = beta_binomial(frame.detractors, frame.answers, means, masses)
    charged = np.minimum(frame.elapsed, policy.clock * frame.raw_answers)
    ratio = np.exp(np.minimum(rises - null, LARGEST_LOG_RATIO))
    evidence = np.clip((rows.evidence + charged) * ratio, 1e-300, 1e200)
    rows.evidence = np.where(frame.warm, evidence, 0.0)
    return charged
