"""Offsets that hold no record: marks of an emitter's transactions, and what was aborted.

They would else look like records that wait for ever, and like records lost once retention has
taken them.
"""

import asyncio
from typing import Any, Final

from aiokafka.errors import KafkaError

from shared.stream.kafka.names import Names
from shared.stream.kafka.places import Places
from shared.stream.offsets import Move
from shared.stream.records import Partition

_BOUND_S: Final = 1.0


async def pass_marks(client: Any, places: Places, names: Names) -> None:
    """Move places on to what is fetched next. Only where all that was fetched is settled."""
    moves = []
    for home, records in places.lag(client).items():
        if records and home.topic not in places.held and home not in places.gone:
            stored, at = places.next_of[home], await _position(client, home, names)
            if at is not None and stored < at <= stored + records:
                moves.append(Move(home, stored, at))
    if not moves:
        return
    moved = await places.offsets.advance(sorted(moves, key=lambda move: move.home))
    for move in moves:
        if places.next_of.get(move.home) != move.old:  # a rebalance meanwhile: it is placed anew
            continue
        if move.home in moved:
            places.next_of[move.home] = move.new
        else:
            places.replace(client, move.home)


async def _position(client: Any, home: Partition, names: Names) -> int | None:
    try:
        async with asyncio.timeout(_BOUND_S):
            at: int = await client.position(names.tp(home))
    except (KafkaError, TimeoutError):  # taken from us meanwhile, or the group is in trouble
        return None
    return at
