"""From the outside to the outside, on the whole system: how long each thing takes under load.

    python -m benchmarks.latency [--seconds 10] [--json FILE]  # after make kafka; some 5 minutes

Four services, each a process of its own, one replica each, on a real Kafka and a real PostgreSQL
that writes through, with the default programme but quiet hours and caps. On two cores all of it
shares the machine with the load and with this program. The load comes from a further process, in
open loop: each thing has a planned instant, drawn beforehand (a Poisson process), and its time
runs from there, also while it waits for a connection. What a stall would hide from a load that
waits for replies (coordinated omission) is counted.

capacity   the greatest rate at which, for five seconds, no backlog grows: neither of what is not
           acknowledged, nor of any consumer, nor of mails to be written. Measured first, per path
load       the share of that capacity which is offered, to that path alone

event -> mail        an event by `POST /v1/events` until its mail stands in its folder
record -> mail       the same of an event that its emitter writes to Kafka itself
answer -> score      `POST /v1/responses` until the reply to a question for the score that first
                     counts it has come; somebody asks fifty times a second
fault -> alert       a slice goes wrong (75 in 100 unhappy in place of 10) while all others answer
  at once            all answers that it takes come in one batch: from its instant until the
                     webhook's receiver begins to get the alert
  one by one         they come 40 a second: from the last that the alert counted

p99 needs 100 samples, p99.9 1,000; a load that is too slow for that leaves the cell empty.
"""

import argparse
import signal
import tempfile
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.figures import Figures, parser
from benchmarks.latency.deployed import deployed
from benchmarks.latency.run import FAULT, PATHS, Run
from shared.embedded.kraft import ToolMissing
from tests.support.ground import Ground, open_ground

LOADS: Final = (10, 50, 80)


async def measure(ground: Ground, var: Path, asked: argparse.Namespace, figures: Figures) -> None:
    async with deployed(ground, var, surveys=asked.faults * len(asked.loads)) as stage:
        await Run(stage, asked, figures).all()


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--paths", nargs="+", default=[*PATHS.values(), FAULT], metavar="PATH")
    arguments.add_argument(
        "--loads", type=int, nargs="+", default=LOADS, help="shares of capacity, in percent"
    )
    arguments.add_argument("--seconds", type=float, default=10.0, help="of each load, at least")
    arguments.add_argument(
        "--hold", type=float, default=5.0, help="seconds of a try for capacity; 0: it is the guess"
    )
    arguments.add_argument("--guess", type=float, help="the first try for capacity")
    arguments.add_argument("--faults", type=int, default=10, help="faults at each load")
    asked = arguments.parse_args()
    figures = Figures("latency")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended in any case
    with tempfile.TemporaryDirectory(prefix="earshot-bench-") as folder:
        var = Path(folder)
        var.chmod(0o711)  # the embedded PostgreSQL runs as another user
        try:
            with open_ground(var / "ground") as ground:
                uvloop.run(measure(ground, var, asked, figures))
        except ToolMissing as missing:
            raise SystemExit(f"no real Kafka: {missing}") from None
    figures.write(asked.json)


if __name__ == "__main__":
    main()
