"""What follows a try to send."""

from datetime import datetime, timedelta

import pytest

from services.trigger.domain.invitations import RETRIES, Outcome, Status, Try, next_step
from tests.support.trigger import NOW, later


def tried(*channels: str, attempts: int = 0, days: float = 1) -> Try:
    return Try(channels, attempts, later(days=days))


def at_once(moment: datetime) -> datetime:
    return moment


def in_the_morning(moment: datetime) -> datetime:
    return max(moment, later(hours=8))


def test_what_was_sent_stays_sent() -> None:
    assert next_step(tried("email"), Outcome.SENT, NOW, at_once).status is Status.SENT


def test_doubt_is_kept_as_unknown_and_never_tried_elsewhere() -> None:
    assert (
        next_step(tried("email", "webhook"), Outcome.DOUBT, NOW, at_once).status is Status.UNKNOWN
    )


def test_a_fault_for_now_waits_longer_each_time() -> None:
    waits = []
    for attempts in range(len(RETRIES)):
        step = next_step(tried("email", attempts=attempts), Outcome.LATER, NOW, at_once)
        assert (step.status, step.attempts) == (Status.SCHEDULED, attempts + 1)
        waits.append(step.send_at - NOW)

    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("attempts", "days"), [(len(RETRIES), 1), (5, 0.01)], ids=["too often", "would expire"]
)
def test_a_fault_for_now_that_lasts_moves_on_to_the_next_channel(
    attempts: int, days: float
) -> None:
    step = next_step(
        tried("email", "webhook", attempts=attempts, days=days), Outcome.LATER, NOW, at_once
    )

    assert (step.status, step.channels, step.attempts) == (Status.SCHEDULED, ("webhook",), 0)
    assert step.send_at == NOW


def test_a_fault_for_good_takes_the_next_channel_and_the_last_one_ends_it() -> None:
    first = next_step(tried("email", "webhook"), Outcome.FAILED, NOW, at_once)
    last = next_step(tried("webhook"), Outcome.FAILED, NOW, at_once)

    assert (first.status, first.channels) == (Status.SCHEDULED, ("webhook",))
    assert (last.status, last.channels) == (Status.UNDELIVERABLE, ("webhook",))


def test_in_quiet_hours_the_same_channel_waits_and_no_attempt_counts() -> None:
    step = next_step(tried("email", "webhook", attempts=3), Outcome.QUIET, NOW, in_the_morning)

    assert (step.status, step.channels, step.attempts) == (
        Status.SCHEDULED,
        ("email", "webhook"),
        3,
    )
    assert step.send_at == later(hours=8)


@pytest.mark.parametrize("outcome", [Outcome.LATER, Outcome.FAILED])
def test_a_retry_and_the_next_channel_wait_until_quiet_hours_are_over(outcome: Outcome) -> None:
    step = next_step(tried("email", "webhook"), outcome, NOW, in_the_morning)

    assert (step.status, step.send_at) == (Status.SCHEDULED, later(hours=8))


@pytest.mark.parametrize("outcome", [Outcome.QUIET, Outcome.LATER, Outcome.FAILED])
def test_what_expires_before_quiet_hours_are_over_has_expired(outcome: Outcome) -> None:
    step = next_step(tried("email", "webhook", days=8 / 24), outcome, NOW, in_the_morning)

    assert step.status is Status.EXPIRED


def test_a_fault_for_now_of_the_last_channel_that_cannot_wait_for_the_morning_ends_it() -> None:
    step = next_step(tried("webhook", days=8 / 24), Outcome.LATER, NOW, in_the_morning)

    assert step.status is Status.UNDELIVERABLE
