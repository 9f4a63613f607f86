"""Libraries of hot paths, each beside another that could stand in its place.

    python -m benchmarks.libraries [--only NAME ...] [--seconds 2] [--json FILE]

Each module of `MODULES` says in its docstring what it measures; `measure` adds its tables. All of
them have the same real Kafka and real PostgreSQL. Times are the processor time of the process that
uses the library, which neighbours disturb least; contenders take turns.
"""

from importlib import import_module
from typing import Final

import uvloop

from benchmarks.figures import Figures, parser
from benchmarks.servers import servers

# each has `async def measure(figures: Figures, at: Servers, seconds: float) -> None`
MODULES: Final = ("producers", "bodies", "consumers", "writes")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--only", nargs="+", choices=MODULES, default=MODULES)
    arguments.add_argument("--seconds", type=float, default=2.0, help="of each contender's turn")
    told = arguments.parse_args()
    figures = Figures("libraries")
    with servers() as at:
        for name in told.only:
            module = import_module(f"benchmarks.libraries.{name}")
            uvloop.run(module.measure(figures, at, told.seconds))
    figures.write(told.json)


if __name__ == "__main__":
    main()
