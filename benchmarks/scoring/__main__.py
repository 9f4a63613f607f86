"""Answers per second exactly once, beside the peers, on one Kafka and one PostgreSQL in one run.

    python -m benchmarks.scoring [--only NAME ...] [--share 1] [--rounds 2] [--no-kill]
                                 [--json FILE]

Everybody counts answers that are drawn alike, as many as it can do in some 8 s (a column says how
many), in 19 cells each: all, eight dimensions, ten pairs of them.

bare      our consumer and decoder alone, counting nothing
scoring   Earshot's loop: answers and counts into PostgreSQL, what was scored back to Kafka
plain     FastStream and SQLAlchemy into PostgreSQL, one answer a transaction
quix      Quix Streams, exactly-once, into its RocksDB store and a changelog on Kafka
faust     Faust-streaming into its tables and their changelogs on Kafka
streams   Kafka Streams, exactly_once_v2, into its RocksDB stores and their changelogs: the cells
          of an answer meet their likes through a topic; `streams-local` sums by partition first

Each is one process of its own, under the contract of `benchmarks.scoring.contenders`; its rate is
from its first record to its last commit. Processor time is of the same span: its own process's,
PostgreSQL's and Kafka's. In rounds, one after the other; medians (of two rounds: the mean). Then
each is killed with SIGKILL once, at 40 % (Kafka Streams does not know: of its time), and started
again: what it lost and what it counted twice is told, and where the kill hit. An aim is 0 where a
result of scoring's is wrong; the program ends with 1 there, and where scoring fails.

`--share` takes that share of each one's answers (0.05 `--no-kill` for a look: a kill comes too late
for a few). The whole takes 6 minutes.
"""

import asyncio
import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Final

from benchmarks.figures import Figures, Table, parser
from benchmarks.scoring.contenders import Missing
from benchmarks.scoring.lineup import LINEUP, note
from benchmarks.scoring.ring import COLUMNS, Ring, Told
from benchmarks.scoring.running import Failed
from benchmarks.servers import servers

AIMS: Final = (("bare", 0.25), ("plain", 5.0), ("quix", 1.0), ("faust", 1.0))


def all_rounds(ring: Ring, field_of: Sequence[Told], rounds: int, *, kill: bool) -> None:
    """Everybody in turn, as often as asked; then the kills. A fault is told, not raised."""
    for turn in range(rounds + kill):
        for told in field_of:
            if told.fault or (turn == rounds and not told.contender.counts):
                continue
            try:
                ring.run(told, kill=turn == rounds)
            except (Missing, Failed) as fault:
                told.fault = f"{told.contender.name}: {fault}"
            print(
                f"  {told.contender.name}: {told.fault or f'{told.rates[-1]:,.0f}/s'}", flush=True
            )


def shown(figures: Figures, field_of: Sequence[Told]) -> None:
    """The table, the aims, and why some are not in it."""
    ran = {told.contender.name: told for told in field_of if told.rates}
    bare = ran["bare"].rate if "bare" in ran else 0.0
    rows = [told.row(bare) for told in ran.values()]
    figures.add(Table("peers", "Answers exactly once, beside the peers", COLUMNS, rows))
    for name, least in AIMS:
        if name in ran and "scoring" in ran:
            ratio = ran["scoring"].rate / ran[name].rate if ran["scoring"].right else 0.0
            figures.aim(f"scoring to {name}", ratio, least)
    for told in field_of:
        if told.fault:
            figures.note(told.fault)
    figures.note(note())


def arguments() -> Namespace:
    made = parser(__doc__)
    made.add_argument("--only", nargs="+", choices=[one.name for one in LINEUP])
    made.add_argument("--share", type=float, default=1.0, help="of each one's answers")
    made.add_argument("--rounds", type=int, default=2)
    made.add_argument("--no-kill", action="store_true")
    return made.parse_args()


def main() -> int:
    asked, figures = arguments(), Figures("scoring")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics have no leader at first
    field_of = [
        Told(one, max(200, int(one.answers * asked.share)))
        for one in LINEUP
        if not asked.only or one.name in asked.only
    ]
    with servers() as at:
        ring = Ring(at)
        for told in field_of:
            asyncio.run(ring.fill(told.answers))
        all_rounds(ring, field_of, asked.rounds, kill=not asked.no_kill)
    shown(figures, field_of)
    figures.write(asked.json)
    ours = [told for told in field_of if told.contender.name == "scoring"]
    return int(any(told.fault or not told.right for told in ours))


if __name__ == "__main__":
    sys.exit(main())
