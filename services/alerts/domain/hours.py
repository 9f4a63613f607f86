"""What happens when a stream's clock hour turns: the hour that ended teaches, once.

A stream turns with its first answer in a later hour. An hour with an open alert tells nothing of
how levels wobble. Of the season it does, cut at 3 sd: what rings at some hour of a day would ring
every day.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit, logit

from services.alerts.domain.columns import Flags, Floats, Ints
from services.alerts.domain.frame import DAY_H, Minute
from services.alerts.domain.seasons import (
    LEAST_NOISE,
    MOST_ANSWERS,
    Seasons,
    is_old_enough,
    note_own,
    own_offsets,
    weekdays_of,
)
from services.alerts.domain.state import DAYS, HOURS, FleetState
from services.alerts.domain.terms import FleetTerms
from services.alerts.domain.wobble import DAY_LAGS, Block, Wobble, compare, expected

QUARTER_H: Final = 6.0


@dataclass
class Lessons:
    """What hours that ended teach the fleet."""

    wobble: Wobble
    seasons: Seasons


class _Ended(NamedTuple):
    """An hour of each stream, with the stream's usual rate and over-dispersion."""

    hour: Floats
    rate: Floats
    dispersion: Floats
    terms: FleetTerms


def turn_hours(
    rows: FleetState, minute: Minute, dispersion: Floats, terms: FleetTerms, lessons: Lessons
) -> None:
    """Take each stream's last hour into `lessons` and into its own memory; `rows` are whole.

    Then give each its own offset for the hour of the minute.
    """
    which = ~np.isnan(rows.clock_hour)
    if which.any():
        closing = rows.rows(np.flatnonzero(which))
        rate = closing.baseline_detractors
        rate = rate / (rate + closing.baseline_others)
        ended = _Ended(closing.clock_hour, rate, dispersion[which], terms)
        block = _learn_season(closing, ended, lessons.seasons)
        pairs = {"hour": _turn_hour(closing, ended, block)}
        pairs["quarter"] = _turn_quarter(closing, ended, block)
        pairs |= _turn_day(closing, ended, block)
        lessons.wobble.note(pairs)
        rows.store(np.flatnonzero(which), closing)
    offset, unsure = own_offsets(rows, int(minute.middle_h) % HOURS, terms.own_season)
    old = is_old_enough(rows, minute.now_h)
    rows.own_offset = np.where(old, offset, 0.0)
    rows.own_unsure = np.where(old, unsure, terms.own_season**2)


def _learn_season(rows: FleetState, ended: _Ended, seasons: Seasons) -> Block:
    """Note the hour in the fleet's seasons and the streams' own; return it without any season."""
    terms, usual = ended.terms, logit(ended.rate)
    answers, detractors = rows.clock_answers, rows.clock_detractors
    hour = (ended.hour % HOURS).astype(np.intp)
    day = weekdays_of(ended.hour // DAY_H)
    of_hour = np.array(terms.hour_offsets)[hour]
    of_fleet = of_hour + np.array(terms.weekday_offsets)[day]
    there = expit(usual + of_fleet)
    information = answers * there * (1 - there)
    noise = max(terms.flicker**2, LEAST_NOISE)
    precision = information / (ended.dispersion + information * noise)
    over = (detractors - answers * there) / np.maximum(information, 1e-9)
    note_own(rows, hour, over, precision, terms.day_wobble**2 + terms.own_season**2)
    _learn_fleets(rows, ended, (hour, day), of_hour, seasons)
    present = expit(usual + of_fleet + rows.own_offset)
    fine = np.isnan(rows.opened_at)
    return Block(answers * fine, (detractors - answers * (present - ended.rate)) * fine)


def _learn_fleets(
    rows: FleetState, ended: _Ended, when: tuple[Ints, Ints], of_hour: Floats, seasons: Seasons
) -> None:
    """Note the hour of streams that share no answer, cut at 3 sd and at so many answers each."""
    top = np.flatnonzero(rows.level == 0)
    if not len(top):
        return
    rate, answers = ended.rate[top], rows.clock_answers[top]
    information = answers * rate * (1 - rate)
    limit = 3 * np.sqrt(information * ended.dispersion[top])
    limit = limit + 3 * information * ended.terms.day_wobble
    counted = np.minimum(1.0, MOST_ANSWERS / np.maximum(answers, 1.0))
    excess = [
        counted * np.clip(rows.clock_detractors[top] - answers * usual, -limit, limit)
        for usual in (rate, expit(logit(rate) + of_hour[top]))
    ]
    seasons.note(when[0][top], when[1][top], (excess[0], excess[1]), counted * information)


def _turn_hour(rows: FleetState, ended: _Ended, block: Block) -> tuple[float, float]:
    past = Block(rows.past_hour_answers, rows.past_hour_detractors)
    follows = rows.past_hour == ended.hour - 1
    pairs = _compare(past, block, ended, "hour", follows)
    rows.past_hour_answers, rows.past_hour_detractors = block
    rows.past_hour = ended.hour
    return pairs


def _turn_quarter(rows: FleetState, ended: _Ended, block: Block) -> tuple[float, float]:
    quarter = ended.hour // QUARTER_H
    full = rows.quarter != quarter
    follows = full & (rows.past_quarter == rows.quarter - 1)
    now = Block(rows.quarter_answers, rows.quarter_detractors)
    past = Block(rows.past_quarter_answers, rows.past_quarter_detractors)
    pairs = _compare(past, now, ended, "quarter", follows)
    rows.past_quarter = np.where(full, rows.quarter, rows.past_quarter)
    rows.past_quarter_answers = np.where(full, now.answers, past.answers)
    rows.past_quarter_detractors = np.where(full, now.detractors, past.detractors)
    rows.quarter_answers = np.where(full, 0.0, now.answers) + block.answers
    rows.quarter_detractors = np.where(full, 0.0, now.detractors) + block.detractors
    rows.quarter = quarter
    return pairs


def _turn_day(rows: FleetState, ended: _Ended, block: Block) -> dict[str, tuple[float, float]]:
    today = ended.hour // DAY_H
    full = np.flatnonzero((rows.filling_day != today) & ~np.isnan(rows.filling_day))
    pairs: dict[str, tuple[float, float]] = {}
    if len(full):
        closing = rows.rows(full)
        of = _Ended(ended.hour[full], ended.rate[full], ended.dispersion[full], ended.terms)
        pairs = _close_day(closing, of)
        rows.store(full, closing)
    fresh = rows.filling_day != today
    rows.filling_answers = np.where(fresh, 0.0, rows.filling_answers) + block.answers
    rows.filling_detractors = np.where(fresh, 0.0, rows.filling_detractors) + block.detractors
    rows.filling_day = today
    return pairs


def _close_day(rows: FleetState, ended: _Ended) -> dict[str, tuple[float, float]]:
    """Hold a full day against each of the seven before it, and put it into the ring."""
    day, n = rows.filling_day, np.arange(len(rows))
    block = Block(rows.filling_answers, rows.filling_detractors)
    everywhere = np.ones(len(rows), bool)
    pairs = {}
    for back, lag in enumerate(DAY_LAGS, 1):
        slot = ((day - back) % DAYS).astype(np.intp)
        skipped = ~(rows.days_upto >= day - back)
        rows.days_answers[slot[skipped], n[skipped]] = 0.0
        past = Block(rows.days_answers[slot, n], rows.days_detractors[slot, n])
        pairs[lag] = _compare(past, block, ended, lag, everywhere)
    here = (day % DAYS).astype(np.intp)
    rows.days_answers[here, n], rows.days_detractors[here, n] = block
    rows.days_upto = day
    return pairs


def _compare(
    past: Block, block: Block, ended: _Ended, lag: str, which: Flags
) -> tuple[float, float]:
    variance = expected(ended.terms)[lag]
    return compare(past, block, ended.rate, ended.dispersion, variance, which)
