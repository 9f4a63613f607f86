"""One contract, two ledgers: of decisions too the fake keeps what the real one promises."""

import random
from collections.abc import Sequence
from typing import Any

from services.scoring.consumer import build_decoders
from services.scoring.domain.decisions import Decision, Turn, fold_decisions
from services.scoring.store import Book, SqlLedger, adopt
from shared.db import open_engine
from tests.support.scoring import LAYOUT, MemoryLedger, record
from tests.support.scoring_funnel import lives

DECODE = build_decoders(["touchpoint"])


def batches() -> list[list[Decision]]:
    records = [record(value) for value in lives(21)]
    found = [DECODE[one.topic](one) for one in records if one.topic == "survey-decisions"]
    repeated = found + found[::3]
    random.Random(21).shuffle(repeated)
    return [repeated[first : first + 15] for first in range(0, len(repeated), 15)]


def told(turns: Sequence[Turn]) -> Any:
    return sorted((turn.after.key, turn.before, turn.after) for turn in turns)


async def test_both_ledgers_tell_the_same_turns(fresh_database_url: str) -> None:
    memory = MemoryLedger()
    turned = 0
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        async with engine.connect() as connection:
            for batch in [*batches(), *batches()]:
                real = await SqlLedger.begin(connection, Book())
                folded = fold_decisions(batch)

                turns = await real.decide(folded)

                assert told(turns) == told(await memory.decide(folded))
                turned += sum(turn.before is not None for turn in turns)
                await connection.commit()
    assert turned
