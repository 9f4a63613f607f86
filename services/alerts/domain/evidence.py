"""How much better a rise explains the answers than the stream's own past does."""

import numpy as np
from scipy.special import betaln, expit, logit

from services.alerts.domain.columns import Floats
from services.alerts.domain.frame import Frame, Minute
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import SHIFTS, Policy

LARGEST_LOG_RATIO = 600.0


def turn_day(rows: FleetState, frame: Frame, minute: Minute) -> None:
    """Redraw the day's wobble: yesterday counts on for what it tells about the days' mean.

    n answers of one day weigh n / (1 + n p q sw²): binomial variance plus the day's own.
    """
    today = float(minute.middle_h // 24)
    fresh = rows.day != today
    if not fresh.any():
        return
    kept = 1 / (1 + rows.today_answers * frame.spread * frame.wobble)
    rows.earlier_detractors += np.where(fresh, kept * rows.today_detractors, 0.0)
    rows.earlier_answers += np.where(fresh, kept * rows.today_answers, 0.0)
    rows.today_detractors = np.where(fresh, 0.0, rows.today_detractors)
    rows.today_answers = np.where(fresh, 0.0, rows.today_answers)
    rows.day = today


def beta_binomial(detractors: Floats, answers: Floats, rate: Floats, mass: Floats) -> Floats:
    """Log probability of the answers in one order, under a beta of that mean and mass (Pólya)."""
    a, b = rate * mass, (1 - rate) * mass
    log_ratio: Floats = betaln(a + detractors, b + answers - detractors) - betaln(a, b)
    return log_ratio


def predict_null(rows: FleetState, frame: Frame) -> tuple[Floats, Floats]:
    """Give mean and mass of the beta-binomial predictive null.

    Baseline and quarantine together (never below the baseline), as sure as day wobble, today's
    answers and flicker leave it; precisions add (delta method).
    """
    mass = frame.mass + rows.earlier_answers
    mean = (frame.mass * frame.rate + rows.earlier_detractors) / mass
    mean = np.maximum(mean, frame.rate)
    mass = mass / (1 + mass * frame.spread * frame.wobble)
    today = mass + rows.today_answers
    mean = np.maximum((mass * mean + rows.today_detractors) / today, frame.rate)
    mass = today / (1 + today * frame.spread * frame.flicker)
    return expit(logit(mean) + frame.offset), mass


def predict_rises(rows: FleetState, frame: Frame, null_mean: Floats) -> tuple[Floats, Floats]:
    """Give mean and mass of each alternative, shaped (component, stream); never below the null."""
    mass = 1 / (frame.spread * frame.wobble)
    mean = expit(frame.log_odds + frame.shift * SHIFTS)
    mean = (mean * mass + rows.today_detractors) / (mass + rows.today_answers)
    mean = np.minimum(np.maximum(expit(logit(mean) + frame.offset), null_mean), 0.999)
    mass = mass + rows.today_answers
    return mean, mass / (1 + mass * (frame.spread * frame.flicker))


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
