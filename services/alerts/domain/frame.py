"""Where each touched stream stands in this minute, before its answers are weighed."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from services.alerts.domain.columns import Flags, Floats
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import SHIFTS, FleetTerms, Policy

DAY_H = 24.0
WEEK_H = 168.0
MEMORY_H = 4 * WEEK_H
HIGHEST_RATE = 0.95
LEAST_SHIFT = 0.02
DAYS_A_DAY = 3.0


@dataclass(frozen=True, kw_only=True)
class Minute:
    """What came: counts of each touched stream, and the hour at which the minute ends.

    `answers` and `detractors` weigh what they tell beside others of their cluster, `raw` as came.
    """

    answers: Floats
    detractors: Floats
    raw_answers: Floats
    raw_detractors: Floats
    now_h: float
    tick_h: float

    @classmethod
    def of(cls, answers: Floats, detractors: Floats, now_h: float, tick_h: float) -> Self:
        """A minute of answers that are nobody's cluster."""
        return cls(
            answers=answers,
            detractors=detractors,
            raw_answers=answers,
            raw_detractors=detractors,
            now_h=now_h,
            tick_h=tick_h,
        )

    def weighed(self, answers: Floats, detractors: Floats) -> Self:
        """The same minute, with what its answers weigh."""
        return replace(self, answers=answers, detractors=detractors)

    @property
    def began_h(self) -> float:
        return self.now_h - self.tick_h

    @property
    def middle_h(self) -> float:
        return self.now_h - self.tick_h / 2


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Everything the update of a minute shares. Rates are shares, shifts are logits."""

    answers: Floats  # effective
    detractors: Floats  # effective
    excess: Floats  # detractors without what the season explains, from 0 to answers
    dispersion: Floats
    raw_answers: Floats
    raw_detractors: Floats
    counted_answers: Floats  # raw, weighed by cluster
    counted_detractors: Floats
    now_h: float
    began_h: float
    elapsed: Floats  # hours since the stream's last answer
    warm: Flags
    open: Flags
    rate: Floats  # the baseline
    log_odds: Floats
    mass: Floats  # pseudo-answers behind the baseline
    spread: Floats  # rate * (1 - rate)
    season: Floats  # of this hour, as a factor of odds
    present: Floats  # the baseline with the season of this hour
    shift: Floats  # of the first alternative
    rises: Floats  # of each alternative, as a factor of odds, shaped (component, stream)
    wobble: Floats  # variance between days
    flicker: Floats  # variance between clock hours
    belief: Floats  # share of an answer that the baseline may learn from


def with_odds(rate: Floats, factor: Floats) -> Floats:
    """The rate whose odds are so many times those of `rate`."""
    raised = factor * rate
    return raised / (raised + (1 - rate))


def welcome(rows: FleetState, minute: Minute, parents: tuple[Floats, Floats]) -> None:
    """Start streams that never had an answer at their parent's rate.

    `parents`: rate and strength in pseudo-answers of each row's parent, as before this minute.
    """
    new = np.isnan(rows.last_at)
    rate, strength = parents
    rows.baseline_detractors[new] = (rate * strength)[new]
    rows.baseline_others[new] = ((1 - rate) * strength)[new]
    rows.first_at[new] = rows.last_at[new] = minute.began_h


def forget(rows: FleetState, elapsed: Floats, drift: float) -> None:
    """Let the baseline's mass fall as its rate may have moved since, unless an alert is open.

    A random walk of `drift` logit² per hour caps what old answers tell: N / (1 + N p q D dt), the
    variance of a beta with N pseudo-answers plus that of the walk (delta method).
    """
    mass = rows.baseline_detractors + rows.baseline_others
    rate = rows.baseline_detractors / mass
    kept = 1 / (1 + mass * (rate * (1 - rate)) * drift * elapsed)
    kept = np.where(np.isnan(rows.opened_at), kept, 1.0)
    rows.baseline_detractors *= kept
    rows.baseline_others *= kept


def count_usual(rows: FleetState, minute: Minute, elapsed: Floats) -> Floats:
    """Note the answers, and give how many come in a day: a mean that fades over four weeks.

    On the first day it speaks of the hours so far, or the first would pass for nearly all of a day.
    """
    kept = np.exp(-elapsed / MEMORY_H)
    rows.usual_answers = kept * rows.usual_answers + minute.answers
    rows.usual_hours = kept * rows.usual_hours + (1 - kept) * MEMORY_H
    return DAY_H * rows.usual_answers / np.maximum(rows.usual_hours, 1.0)


def build_frame(
    rows: FleetState, minute: Minute, dispersion: Floats, policy: Policy, terms: FleetTerms
) -> Frame:
    """Note the time of the answers in `rows` and measure the stream as of before them.

    `belief`: the level of one day tells of the days' mean what 1 / (p q sw²) answers would, by its
    own variance, so a large stream's baseline must not take it for thousands, or it would follow
    the hours and forget the week. A day counts for three such days at most, shared by as many
    answers as the stream usually has, so that no hour counts more than another.
    """
    elapsed = minute.now_h - rows.last_at
    warm = (rows.seen >= policy.warm_answers) & (minute.now_h - rows.first_at >= policy.warm_hours)
    rows.last_at = minute.now_h
    rows.seen += minute.raw_answers
    forget(rows, elapsed, terms.drift)
    a_day = count_usual(rows, minute, elapsed) / dispersion
    answers, detractors = minute.answers / dispersion, minute.detractors / dispersion
    mass = rows.baseline_detractors + rows.baseline_others
    rate = rows.baseline_detractors / mass
    log_odds = np.log(rate / (1 - rate))
    season = np.exp(terms.offset_at(minute.middle_h) + rows.own_offset)
    present = with_odds(rate, season)
    risen = rate + np.minimum(policy.smallest_rise, HIGHEST_RATE - rate)
    smallest = np.maximum(np.log(risen / (1 - risen)) - log_odds, LEAST_SHIFT)
    shift = np.maximum(smallest, 3 * np.sqrt(terms.drift * WEEK_H))
    cap = (policy.wobble_cap * smallest) ** 2
    spread = rate * (1 - rate)
    wobble = np.minimum(terms.day_wobble**2, cap) + 1e-9
    return Frame(
        answers=answers,
        detractors=detractors,
        excess=np.clip(detractors - answers * (present - rate), 0, answers),
        dispersion=dispersion,
        raw_answers=minute.raw_answers,
        raw_detractors=minute.raw_detractors,
        counted_answers=minute.answers,
        counted_detractors=minute.detractors,
        now_h=minute.now_h,
        began_h=minute.began_h,
        elapsed=elapsed,
        warm=warm,
        open=~np.isnan(rows.opened_at),
        rate=rate,
        log_odds=log_odds,
        mass=mass,
        spread=spread,
        season=season,
        present=present,
        shift=shift,
        rises=np.exp(shift * SHIFTS),
        wobble=wobble,
        flicker=np.minimum(terms.flicker**2 + rows.own_unsure, cap) + 1e-9,
        belief=1 / np.maximum(a_day * spread * wobble / DAYS_A_DAY, 1.0),
    )
