"""How each cost grows, as ratios to the first row of its table.

python -m benchmarks.growth [--only PART ...] [--share 1] [--rounds 2] [--json FILE]

Real PostgreSQL (fsync on), and a real Kafka where partitions, processes, memory or starting are the
matter; elsewhere records lie in memory, 2,000 at a poll. Everything takes a database of its own.
Rows of a table are measured in turn, round after round; figures are means of two rounds, medians of
more.

partitions  scoring and trigger, one process each, on topics of 1, 4 and 12 partitions; `end to end`
            is from before 500 records are written to Kafka until all of them are committed
processes   one process and two in one group on 12 partitions, both servers on the same cores: by
            the processor time of a record one sees what two machines would do
batches     1 to 2,000 records per poll, each poll one transaction
segments    8 dimensions with more and more values, without pairs and with ten; `bytes` are
            of a row that names the segment and one with its counts, of one hour, and of their
            indexes; `memory` is what the loop's process grew by
stored      answers that lie in the table already, while 6,000 more come
memory      resident bytes of each service's process, ready and idle, and after 100,000 answers
starting    from exec to a `/readyz` of 200; a service has imported everything when it says its
            settings, and its port is open when programme, database and Kafka are

`scoring` counts each answer in 8 dimensions and 10 pairs, but for `segments`; `trigger` decides on
events of which one in ten matches, with every rule on; what waits for its delay is not measured.
PostgreSQL's processor time is counted in hundredths of a second. `--share` takes that share of all
records (0.02 for a look). The whole takes about 5 minutes on two cores.
"""

import logging
from argparse import Namespace
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
import uvloop

from benchmarks.figures import Figures, parser
from benchmarks.growth.batches import batches
from benchmarks.growth.databases import Databases
from benchmarks.growth.growing import Place
from benchmarks.growth.memory import memory
from benchmarks.growth.partitions import partitions
from benchmarks.growth.processes import processes
from benchmarks.growth.segments import segments
from benchmarks.growth.starting import starting
from benchmarks.growth.stored import stored
from benchmarks.servers import servers
from benchmarks.spent import Meter

PARTS: Final[dict[str, Callable[[Place, Figures], Coroutine[Any, Any, None]]]] = {
    "partitions": partitions,
    "processes": processes,
    "batches": batches,
    "segments": segments,
    "stored": stored,
    "memory": memory,
    "starting": starting,
}


def arguments() -> Namespace:
    made = parser(__doc__)
    made.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    made.add_argument("--share", type=float, default=1.0, help="of what is taken by default")
    made.add_argument("--rounds", type=int, default=2)
    return made.parse_args()


def main() -> None:
    asked, figures = arguments(), Figures("growth")
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with servers("scoring", "trigger", "alerts") as at:
        databases, meter = Databases(at.database_url), Meter(at.var)
        place = Place(at, databases, meter, asked.share, asked.rounds)
        for name in asked.only:
            uvloop.run(PARTS[name](place, figures))
    figures.write(asked.json)


if __name__ == "__main__":
    main()
