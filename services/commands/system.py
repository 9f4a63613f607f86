"""A system to work on: the one that runs, or one started for this verb."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from services.commands.client import Client, Unreachable, open_client
from shared.embedded.files import Locked, hold_lock
from shared.launch import var_folder
from shared.settings import PREFIX, read_variable

_START_S: Final = 60.0
_DRAIN_S: Final = 20.0


@asynccontextmanager
async def open_system(
    *, programme: Path | None, dimensions: Sequence[str], keep: bool
) -> AsyncIterator[Client]:
    """Yield a client of a system that is ready. Raises Unreachable.

    A system started here is stopped at the end unless `keep`.
    """
    async with open_client() as client:
        if await _runs_already(client):
            await _until_ready(client)
            yield client
            return
        process = await _start(programme or _fitted_programme(dimensions))
        try:
            await _until_ready(client, process)
            yield client
        finally:
            if keep:
                print(f"it runs on as process {process.pid}; `make stop` ends it")
            elif process.returncode is None:
                process.terminate()
                await asyncio.wait_for(process.wait(), _DRAIN_S)


async def _start(programme: Path) -> asyncio.subprocess.Process:
    environment = os.environ | {f"{PREFIX}PROGRAMME": str(programme)}
    log = var_folder() / "services.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services", "run", env=environment,
            stdout=errors, stderr=errors, start_new_session=True,
        )  # fmt: skip


async def _runs_already(client: Client) -> bool:
    """Whether a system is there, ready or on its way to be."""
    lock = var_folder() / "services.lock"
    try:
        if lock.exists():
            with hold_lock(lock):
                pass
    except Locked:
        return True
    return not await client.ready()


async def _until_ready(client: Client, process: asyncio.subprocess.Process | None = None) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_S
    while faults := await client.ready():
        ended = process is not None and process.returncode is not None
        if ended or loop.time() > deadline:
            raise Unreachable("\n".join([f"the system is not ready: {faults}", *_log_tail()]))
        await asyncio.sleep(0.1)


def _log_tail() -> list[str]:
    log = var_folder() / "services.log"
    return log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []


def _fitted_programme(dimensions: Sequence[str]) -> Path:
    """The default programme with these dimensions; the default itself where none are named."""
    default = Path(read_variable(f"{PREFIX}PROGRAMME", "programme"))
    if not dimensions:
        return default
    folder = var_folder() / "replay-programme"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(default, folder)
    lines = ["dimensions:", *(f"  {name}: {{}}" for name in dimensions), "pairs: []", ""]
    (folder / "segments.yaml").write_text("\n".join(lines), encoding="utf-8")
    return folder
