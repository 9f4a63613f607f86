"""Where partitions stand: parked, placed, stepped over gaps; on a consumer made of memory."""

from typing import Any

import pytest
from aiokafka.errors import (
    OffsetOutOfRangeError,
)

from shared.stream import Partition
from shared.stream.offsets import Move
from tests.support.raw import ONE, TP0, TP1, ZERO, Stand, joined, messages


@pytest.fixture
async def stand() -> Stand:
    return await joined()


async def test_partitions_are_parked_until_their_place_is_read() -> None:
    stand = Stand({TP0: 10, TP1: 20})
    stand.table.rows[ONE] = 7
    await stand.source.poll(0)
    stand.raw.assign()
    before = stand.source.placed

    assert stand.raw.paused == {TP0, TP1}
    await stand.source.poll(0)

    assert (before, stand.source.placed) == (False, True)
    assert stand.source.next_of == {ZERO: 0, ONE: 7} == stand.table.rows
    assert stand.raw.positions == {TP0: 0, TP1: 7}
    assert stand.raw.paused == set()
    assert stand.source.lag() == {ZERO: 10, ONE: 13}
    assert await stand.source.end_offsets("t") == {ZERO: 10, ONE: 20}


async def test_a_rebalance_while_places_are_read_voids_them() -> None:
    stand = Stand({TP0: 10})
    await stand.source.poll(0)
    stand.raw.assign()
    turns = [stand.raw.assign]
    stand.raw.during = lambda: turns.pop()() if turns else None

    await stand.source.poll(0)
    assert not stand.source.placed
    await stand.source.poll(0)

    assert stand.source.next_of == {ZERO: 0}


async def test_records_of_partitions_that_are_not_placed_are_not_taken(stand: Stand) -> None:
    async def getmany(timeout_ms: int, max_records: int) -> Any:
        stand.source.replace(ONE)
        stand.source.replace(ONE)
        return {TP0: messages(TP0, 0, 1), TP1: messages(TP1, 0)}

    stand.raw.getmany = getmany  # type: ignore[method-assign]
    records = await stand.source.poll(0)

    assert [(record.home, record.offset) for record in records] == [(ZERO, 0), (ZERO, 1)]
    assert stand.raw.paused == {TP1}


async def test_records_before_the_place_are_left_out(stand: Stand) -> None:
    stand.source.next_of[ZERO] = 3
    stand.raw.polls = [{TP0: messages(TP0, 1, 2, 3)}]

    assert [record.offset for record in await stand.source.poll(0)] == [3]


async def test_a_gap_is_stepped_over_in_the_database_and_counted(stand: Stand) -> None:
    stand.raw.begins[TP0] = 4
    stand.raw.polls = [OffsetOutOfRangeError({TP0: 0})]
    assert await stand.source.poll(0) == []

    await stand.source.poll(0)

    assert stand.table.rows[ZERO] == stand.source.next_of[ZERO] == stand.raw.positions[TP0] == 4
    assert stand.lost() == 4


async def test_a_gap_that_another_owner_stepped_over_is_counted_by_them(stand: Stand) -> None:
    stand.raw.begins[TP0] = 4
    stand.table.rows[ZERO] = 6
    stand.raw.polls = [OffsetOutOfRangeError({TP0: 0})]
    await stand.source.poll(0)
    await stand.source.poll(0)
    assert ZERO not in stand.source.next_of

    await stand.source.poll(0)

    assert stand.source.next_of[ZERO] == 6
    assert stand.lost() is None


async def test_a_place_beyond_the_end_goes_back_to_the_beginning(stand: Stand) -> None:
    stand.source.next_of[ZERO] = stand.table.rows[ZERO] = 99
    stand.raw.polls = [OffsetOutOfRangeError({TP0: 99})]

    await stand.source.poll(0)
    await stand.source.poll(0)

    assert stand.source.next_of[ZERO] == 0
    assert stand.lost() is None
    assert stand.rewound() == 1


async def test_a_topic_made_anew_is_seen_by_its_id_and_read_from_its_beginning() -> None:
    stand = Stand({TP0: 10, TP1: 20})
    stand.ids = {"p-t": "new"}
    stand.table.rows |= {ZERO: 4, ONE: 7}
    stand.table.ids[ZERO] = "old"
    await stand.source.poll(0)
    stand.raw.begins[TP0] = 2

    stand.raw.assign()
    await stand.source.poll(0)

    assert stand.source.next_of == {ZERO: 2, ONE: 7} == stand.table.rows
    assert stand.table.ids == {ZERO: "new", ONE: "new"}
    assert stand.rewound() == 1
    assert stand.lost() is None


async def test_a_topic_made_anew_that_another_owner_began_is_told_by_them(stand: Stand) -> None:
    stand.ids = {"p-t": "new"}
    stand.table.ids[ZERO] = "old"
    stand.table.elsewhere = {ZERO: 3}

    stand.raw.assign()
    await stand.source.poll(0)

    assert stand.source.next_of[ZERO] == 3
    assert stand.rewound() is None


async def test_a_fetch_ahead_of_the_place_is_only_fetched_again(stand: Stand) -> None:
    stand.raw.positions[TP0] = 500
    stand.raw.polls = [OffsetOutOfRangeError({TP0: 500})]

    await stand.source.poll(0)
    await stand.source.poll(0)

    assert stand.raw.positions[TP0] == 0
    assert stand.lost() is None


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_rebalance_while_a_gap_is_looked_at_leaves_it_to_the_next(
    stand: Stand, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.raw.begins[TP0] = 4
    stand.raw.polls = [OffsetOutOfRangeError({TP0: 0})]
    await stand.source.poll(0)
    if when == "before":
        stand.raw.during = stand.places.forget
    else:

        async def jump(move: Move) -> bool:
            stand.places.forget()
            return True

        monkeypatch.setattr(stand.table, "jump", jump)

    await stand.source.poll(0)

    assert stand.source.next_of == {}
    assert stand.lost() is None


async def test_the_end_of_a_partition_that_was_lost_meanwhile_is_not_noted(stand: Stand) -> None:
    stand.places.note_end(Partition("t", 5), 7)

    assert set(stand.source.lag()) == {ZERO, ONE}


async def test_between_two_assignments_nothing_is_touched(stand: Stand) -> None:
    stand.raw.assigned = set()

    stand.source.rewind(ZERO)
    stand.source.replace(ONE)
    stand.source.rewind(ONE)

    assert set(stand.source.next_of) == {ZERO}
    assert stand.source.lag() == {ZERO: 10}
