"""What follows a try to send."""

from datetime import timedelta

import pytest

from services.trigger.domain.invitations import RETRIES, Outcome, Status, Try, next_step
from tests.support.trigger import NOW, later


def tried(*channels: str, attempts: int = 0, days: float = 1) -> Try:
    return Try(channels, attempts, later(days=days))


def test_what_was_sent_stays_sent() -> None:
    assert next_step(tried("email"), Outcome.SENT, NOW).status is Status.SENT


def test_doubt_is_kept_as_unknown_and_never_tried_elsewhere() -> None:
    assert next_step(tried("email", "webhook"), Outcome.DOUBT, NOW).status is Status.UNKNOWN


def test_a_fault_for_now_waits_longer_each_time() -> None:
    waits = []
    for attempts in range(len(RETRIES)):
        step = next_step(tried("email", attempts=attempts), Outcome.LATER, NOW)
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
    step = next_step(tried("email", "webhook", attempts=attempts, days=days), Outcome.LATER, NOW)

    assert (step.status, step.channels, step.attempts) == (Status.SCHEDULED, ("webhook",), 0)
    assert step.send_at == NOW


def test_a_fault_for_good_takes_the_next_channel_and_the_last_one_ends_it() -> None:
    first = next_step(tried("email", "webhook"), Outcome.FAILED, NOW)
    last = next_step(tried("webhook"), Outcome.FAILED, NOW)

    assert (first.status, first.channels) == (Status.SCHEDULED, ("webhook",))
    assert (last.status, last.channels) == (Status.UNDELIVERABLE, ("webhook",))
