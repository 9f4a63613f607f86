"""Each program of `make bench`, as small as it can be asked for: it ends, and told its tables."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from benchmarks.__main__ import PROGRAMS
from benchmarks.figures import Table
from tests.support.benched import CHECKS
from tests.support.system import ROOT
from tests.support.tools import system_tool

pytestmark = [pytest.mark.real_kafka, pytest.mark.thorough, pytest.mark.timeout(400)]

SMALL: Final = {
    "ingest": "--tables single --seconds 0.5 --rounds 1",
    "scoring": "--only bare scoring --share 0.01 --rounds 1 --no-kill",
    "queries": "--answers 2000 --segments 100 --seconds 0.05",
    "deciding": "--events 400 200 100 --rounds 1",
    "dispatching": "--rate 100 --seconds 4",
    "precision": "--segments 4 --days 4",
    "judging": "--stores 5 --rate 50 --minutes 2 --answers 1000 --rounds 1",
    "growth": "--only segments --share 0.01 --rounds 1",
    "libraries": "--only bodies --seconds 0.1",
    "latency": "--loads 50 --seconds 1 --hold 0 --guess 50 --faults 2",
}

TOOLS: Final = {"ingest": ["wrk"]}


@asynccontextmanager
async def running(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program in a session of its own, of which nothing is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, cwd=ROOT, start_new_session=True,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
            await process.wait()


def test_every_program_is_run_here() -> None:
    assert SMALL.keys() == PROGRAMS.keys()


@pytest.mark.parametrize("name", SMALL)
async def test_a_program_ends_and_keeps_its_tables(name: str, tmp_path: Path) -> None:
    for tool in TOOLS.get(name, ()):
        system_tool(tool)
    path = tmp_path / f"{name}.json"
    async with running(f"benchmarks.{name}", *SMALL[name].split(), "--json", str(path)) as program:
        said, _ = await program.communicate()

    assert program.returncode == 0, said.decode()[-3000:]
    told = json.loads(path.read_text())
    assert told["program"] == name
    tables = [Table(**one) for one in told["tables"]]
    assert tables
    for table in tables:
        assert table.rows, table.name
        assert len(table.markdown().splitlines()) == len(table.rows) + 2
        assert table.text() in said.decode()
    if name in CHECKS:
        CHECKS[name](told)
