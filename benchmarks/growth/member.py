"""One process of a group; the benchmark starts several.

    python -m benchmarks.growth.member scoring|trigger BOOTSTRAP PREFIX DATABASE_URL GROUP

It says `{"homes": 6}` whenever it has another number of partitions, takes nothing before a line
comes on stdin, then takes what lies there until it is ended.
"""

import asyncio
import json
import logging
import sys

import structlog
import uvloop

from benchmarks.growth.loops import LOOPS, member, running, step
from shared.garbage import look_seldom
from shared.stream import Broker


async def run(name: str, bootstrap: str, prefix: str, url: str, group: str) -> None:
    asked = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    async with member(LOOPS[name], Broker(bootstrap, group, prefix=prefix), url, group) as one:
        told = 0
        while not asked.done():
            await step(one.source)
            if told != len(one.source.next_of):
                told = len(one.source.next_of)
                print(json.dumps({"homes": told}), flush=True)
        look_seldom()  # as a service does
        async with running(one):
            await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    uvloop.run(run(*sys.argv[1:]))
