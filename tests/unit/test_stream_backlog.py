"""Since when the oldest unsettled record waits: never later than the truth."""

import pytest
from prometheus_client import CollectorRegistry

from shared.stream import Partition, Record, StreamMetrics
from shared.stream.backlog import Backlog

ONE, TWO = Partition("t", 0), Partition("t", 1)


def record(home: Partition, at_s: float) -> Record:
    return Record(home.topic, home.number, 0, None, b"", (), int(at_s * 1000))


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.registry = CollectorRegistry()
        self.metrics = StreamMetrics(self.registry)
        self.backlog = Backlog(self.metrics, ("t", "quiet"))
        self.now = 1_000.0
        monkeypatch.setattr(self.metrics.lag_age, "_now", lambda: self.now)

    def seconds(self, topic: str = "t") -> float | None:
        return self.registry.get_sample_value("earshot_consumer_lag_seconds", {"topic": topic})

    def records(self, topic: str = "t") -> float | None:
        return self.registry.get_sample_value("earshot_consumer_lag_records", {"topic": topic})


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_what_was_fetched_is_as_old_as_its_first_record(rig: Rig) -> None:
    rig.backlog.taken([record(ONE, 400), record(ONE, 990), record(TWO, 700)])
    rig.backlog.show({ONE: 5, TWO: 1}, rig.now)

    assert (rig.seconds(), rig.records(), rig.records("quiet")) == (600, 6, 0)


def test_what_follows_is_no_older_than_what_was_settled(rig: Rig) -> None:
    rig.backlog.taken([record(ONE, 400), record(TWO, 390)])
    rig.backlog.settled([record(ONE, 900), record(TWO, 950)])
    rig.backlog.show({ONE: 2, TWO: 0}, rig.now)

    assert rig.seconds() == 100


def test_it_grows_by_itself_and_ends_when_nothing_waits(rig: Rig) -> None:
    rig.backlog.show({ONE: 0}, rig.now)
    rig.backlog.show({ONE: 1}, rig.now)
    rig.now += 30
    grown = rig.seconds()

    rig.backlog.show({ONE: 0}, rig.now)

    assert (grown, rig.seconds()) == (30, 0)


def test_while_nobody_can_say_that_nothing_waits_something_may(rig: Rig) -> None:
    rig.backlog.show({ONE: 0}, rig.now)
    rig.now += 40
    rig.backlog.show({ONE: 0}, None)

    assert rig.seconds() == 40


def test_what_was_never_seen_has_no_age(rig: Rig) -> None:
    rig.backlog.show({ONE: 7, TWO: 0}, rig.now)

    assert (rig.seconds(), rig.records()) == (0, 7)


def test_a_partition_that_went_and_came_back_is_not_as_old_as_before(rig: Rig) -> None:
    rig.backlog.taken([record(ONE, 10)])
    rig.backlog.show({TWO: 0}, rig.now)
    rig.backlog.show({ONE: 3, TWO: 0}, rig.now)
    before = rig.seconds()

    rig.backlog.taken([record(ONE, 800), record(ONE, 900)])
    rig.backlog.show({ONE: 3, TWO: 0}, rig.now)

    assert (before, rig.seconds()) == (0, 200)
