"""Offsets without a record are passed over, once all that was fetched is settled."""

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, OffsetOutOfRangeError

from tests.support.raw import ONE, TP0, TP1, ZERO, Stand, joined, messages


@pytest.fixture
async def stand() -> Stand:
    return await joined()


async def test_what_was_fetched_and_is_no_record_is_passed_over(stand: Stand) -> None:
    stand.raw.positions |= {TP0: 4, TP1: 20}

    await stand.source.poll(0)

    assert stand.source.next_of == {ZERO: 4, ONE: 20} == stand.table.rows
    assert stand.source.lag() == {ZERO: 6, ONE: 0}


async def test_nothing_is_passed_over_while_records_are_to_be_settled(stand: Stand) -> None:
    stand.raw.positions[TP0] = 4
    stand.raw.polls = [{TP1: messages(TP1, 0)}]

    await stand.source.poll(0)

    assert stand.source.next_of == {ZERO: 0, ONE: 0}


async def test_nothing_is_passed_over_ahead_of_what_is_not_settled(stand: Stand) -> None:
    stand.raw.positions[TP0] = 4

    assert await stand.source.poll(0, ahead=True) == []

    assert stand.source.next_of == {ZERO: 0, ONE: 0} == stand.table.rows


async def test_another_owner_was_there_first(stand: Stand) -> None:
    stand.raw.positions[TP0] = 4
    stand.table.rows[ZERO] = 9

    await stand.source.poll(0)
    assert ZERO not in stand.source.next_of
    await stand.source.poll(0)

    assert stand.source.next_of[ZERO] == 9


async def test_a_rebalance_meanwhile_leaves_it_to_the_next(stand: Stand) -> None:
    stand.raw.positions[TP0] = 4
    stand.table.during = stand.raw.assign

    await stand.source.poll(0)

    assert stand.source.next_of == {}
    assert stand.table.rows[ZERO] == 4


async def test_a_place_beyond_what_is_known_of_the_log_is_none(stand: Stand) -> None:
    stand.raw.positions |= {TP0: 500, TP1: 5}
    stand.raw.polls = [OffsetOutOfRangeError({TP1: 5})]

    await stand.source.poll(0)

    assert stand.source.next_of == {ZERO: 0, ONE: 0}


async def test_a_held_topic_or_a_partition_taken_away_is_left_alone(stand: Stand) -> None:
    stand.raw.positions |= {TP0: 4, TP1: 4}
    stand.raw.assigned.discard(TP1)
    await stand.source.poll(0)
    assert stand.source.next_of == {ZERO: 4, ONE: 0}

    stand.source.pause_topic("t")
    stand.raw.positions[TP0] = 6
    await stand.source.poll(0)

    assert stand.source.next_of[ZERO] == 4


async def test_where_the_group_is_in_trouble_nothing_is_passed_over(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def position(_: object) -> int:
        raise GroupAuthorizationFailedError("g")

    monkeypatch.setattr(stand.raw, "position", position)

    await stand.source.poll(0)

    assert stand.source.next_of == {ZERO: 0, ONE: 0}
