"""The broker's time, told by its acknowledgements."""

from datetime import UTC, datetime, timedelta

from shared.clock import AckClock

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_until_an_acknowledgement_and_within_seconds_it_is_the_machines_own_time() -> None:
    clock = AckClock(lambda: NOW)

    assert clock() == NOW
    clock.stamped(ms(NOW - timedelta(seconds=4)))
    assert (clock(), clock.fault) == (NOW, None)


def test_a_clock_that_is_off_shows_the_brokers_time_and_says_so() -> None:
    clock = AckClock(lambda: NOW)
    clock.stamped(ms(NOW - timedelta(hours=1)))

    assert clock() == NOW - timedelta(hours=1)
    assert clock.fault == "+3600 s off Kafka's, which is used"


def test_a_clock_that_was_set_right_is_its_own_again() -> None:
    clock = AckClock(lambda: NOW)
    clock.stamped(ms(NOW - timedelta(hours=1)))
    clock.stamped(ms(NOW))

    assert (clock(), clock.fault) == (NOW, None)
