"""PostgreSQL is lost under load and restored from a backup: all goes on, and the counts are exact.

Kafka remembers what the restored database has not seen, and the offsets are restored with the
counts: what came since the backup is read again, and nothing is counted twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Say
from tests.support.clusters import Cluster
from tests.support.deployment import Deployment, deploy, move
from tests.support.ground import Ground
from tests.support.tally import places, until_settled

CONSUMERS = ("scoring", "trigger", "alerts")
NOBODY = "http://127.0.0.1:1/"
Restore = Callable[[], Awaitable[None]]
BackUp = Callable[[Cluster, Cluster], Awaitable[Restore]]


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """The one that will be lost, and the place of the one that comes after it."""
    archive = tmp_path / "archive"
    pair = Cluster(tmp_path / "first", archive), Cluster(tmp_path / "second", archive)
    try:
        yield pair
    finally:
        for cluster in pair:
            cluster.kill()


async def dumped(first: Cluster, second: Cluster) -> Restore:
    """`pg_dump`, and `pg_restore` into a new and empty server."""
    file = first.archive / "earshot.dump"
    await asyncio.to_thread(
        first.run, "pg_dump", "--format=custom", f"--file={file}", f"--dbname={first.url}"
    )

    async def restore() -> None:
        await asyncio.to_thread(second.make, migrated=False)
        words = "--exit-on-error", "--no-owner", f"--dbname={second.url}", str(file)
        await asyncio.to_thread(second.run, "pg_restore", *words)

    return restore


async def archived(first: Cluster, second: Cluster) -> Restore:
    """`pg_basebackup` and the archived WAL, to a moment some seconds after it."""
    folder = first.archive / "base"
    where = f"--dbname={first.root_url}"
    await asyncio.to_thread(
        first.run, "pg_basebackup", f"--pgdata={folder}", "--checkpoint=fast", where
    )
    await asyncio.sleep(2)
    moment = await first.now()
    await asyncio.sleep(1)
    await first.archived()

    async def restore() -> None:
        await asyncio.to_thread(second.take_over, folder)
        await asyncio.to_thread(
            second.start,
            restore_command=f"cp {first.archive}/%f %p",
            recovery_target_time=moment.isoformat(),
            recovery_target_action="promote",
        )

    return restore


@pytest.mark.timeout(240)
@pytest.mark.parametrize("back_up", [dumped, archived], ids=lambda found: found.__name__)
async def test_a_database_that_was_lost_is_restored_and_goes_on(
    ground: Ground,
    tmp_path: Path,
    say: Say,
    clusters: tuple[Cluster, Cluster],
    back_up: BackUp,
) -> None:
    first, second = clusters
    await asyncio.to_thread(first.make)
    async with AsyncExitStack() as stack:
        it = await deploy(ground, tmp_path, Random(2), stack, replicas=1, database_url=first.url)
        await it.remember()
        load = asyncio.create_task(it.load(15 if back_up is dumped else 18))
        await asyncio.sleep(4)
        restore = await back_up(first, second)
        await asyncio.sleep(4)
        customer, invitation = last_asked(it)
        assert await opt_out(it, invitation) == 200
        assert await opted_out(it, customer)
        behind, restored_s = await lose_and_restore(it, first, second, restore)
        await load
        await it.settle()

        found, called = await it.found(), it.called()
        messages = [key for keys in it.keys().values() for key in keys]
        say(
            f"restored in {restored_s:.1f} s, {behind} records behind what was lost; {found}; "
            f"calls asked of, by key: {called}, {len(messages) - len(set(messages))} of "
            f"{len(messages)} messages again under the same key"
        )
        assert behind > 0
        assert it.answers.faults == it.calls.faults == []
        assert found.exact
        assert called.exact
        assert not await opted_out(it, customer)  # docs/operations.md: from the door's log, again
        assert await opt_out(it, invitation) == 200
        assert await opted_out(it, customer)


@pytest.mark.slow  # what could not be sent three times waits for two minutes
@pytest.mark.timeout(400)
async def test_opt_outs_are_told_again_before_anybody_is_asked_again(
    ground: Ground, tmp_path: Path, say: Say, clusters: tuple[Cluster, Cluster]
) -> None:
    """As docs/operations.md has it: trigger first has nowhere to send to."""
    first, second = clusters
    await asyncio.to_thread(first.make)
    async with AsyncExitStack() as stack:
        it = await deploy(ground, tmp_path, Random(6), stack, replicas=1, database_url=first.url)
        restore = await dumped(first, second)
        await it.load(5)
        await it.settle()
        customer, invitation = last_asked(it)
        assert await opt_out(it, invitation) == 200
        await lose_and_restore(it, first, second, restore, EARSHOT_WEBHOOK_URL=NOBODY)
        await until_settled(it.fleet, "trigger", "support-calls")
        assert not await opted_out(it, customer)
        assert await opt_out(it, invitation) == 200
        await it.down("trigger")
        await it.up(1, "trigger")
        await it.settle()

        told = [body["data"]["invitation_id"] for body in it.asked.bodies()]
        again = {one for one in told if told.count(one) > 1}
        say(f"{len(again)} asked again, {len(set(told) - again)} not")
        assert set(told) - again == {invitation}


async def lose_and_restore(
    it: Deployment, first: Cluster, second: Cluster, restore: Restore, **settings: str
) -> tuple[int, float]:
    """How many answers the backup is behind, and the seconds until all work again."""
    before, loop = await settled(it), asyncio.get_running_loop()
    began = loop.time()
    first.lose()
    await it.down(*CONSUMERS)
    await restore()
    move(it.fleet, second.url)
    behind = before - await settled(it)
    await it.up(1, *CONSUMERS, **settings)
    return behind, loop.time() - began


def last_asked(it: Deployment) -> tuple[str, str]:
    """The customer who was asked last, and the invitation."""
    found = it.asked.bodies()[-1]["data"]
    return found["customer"]["id"], found["invitation_id"]


async def opt_out(it: Deployment, invitation: str) -> int:
    """What ingest does when the link of a mail is followed."""
    (trigger,) = it.replicas["trigger"]
    body = {"invitation_id": invitation}
    return (await it.fleet.http.post(f"{trigger.url}/v1/suppressions", json=body)).status_code


async def opted_out(it: Deployment, customer: str) -> bool:
    (trigger,) = it.replicas["trigger"]
    return (await it.fleet.http.get(f"{trigger.url}/v1/suppressions/{customer}")).is_success


async def settled(it: Deployment) -> int:
    """How many answers scoring has settled, as its database says."""
    return sum((await places(it.fleet, "scoring", "survey-responses")).values())
