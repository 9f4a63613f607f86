"""Calls that ended, each of which asks its customer; and what trigger made of them, per id."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support.fleet import Fleet
from tests.support.load import Posting
from tests.support.tally import Tally, compare, connect

SOURCE = "/fault-tests"
_DECIDED = "SELECT event_id FROM trigger.decisions WHERE source = $1"
_INVITED = "SELECT event_id, status FROM trigger.invitations WHERE source = $1"
_WAITING = (
    "SELECT count(*) FROM trigger.invitations"
    " WHERE status IN ('scheduled', 'sending') OR NOT published"
)


def call_of(number: int) -> dict[str, Any]:
    """The end of a call that `after-call` asks about."""
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": SOURCE,
        "type": "support_call.ended",
        "time": datetime.now(UTC).isoformat(),
        "data": {
            "customer": {
                "id": f"c-{number}",
                "email": f"c{number}@example.org",
                "consent": {"email": True},
            },
            "call": {"id": f"call-{number}", "queue": "billing", "agent": "ana", "talk_s": 120},
            "touchpoint": "support-call",
        },
    }


CALLS = Posting("/v1/events", call_of, "application/cloudevents-batch+json")


@dataclass(frozen=True)
class Asked:
    """Decisions, invitations that were sent, and mails that lie in the folder: all per call."""

    decided: Tally
    invited: Tally
    mailed: Tally

    @property
    def exact(self) -> bool:
        return self.decided.exact and self.invited.exact and self.mailed.exact

    def without(self, tried: Iterable[int]) -> "Asked":
        """See `Tally.without`."""
        known = set(tried)
        decided, invited, mailed = (
            part.without(known) for part in (self.decided, self.invited, self.mailed)
        )
        return Asked(decided, invited, mailed)

    def __str__(self) -> str:
        return f"decided {self.decided}; invited {self.invited}; mailed {self.mailed}"


async def asked(fleet: Fleet, expected: Iterable[int]) -> Asked:
    """A mail that is written twice has the same name, as its receiver sees the same id."""
    wanted = set(expected)
    connection = await connect(fleet.database_url)
    try:
        decided = [row[0] for row in await connection.fetch(_DECIDED, SOURCE)]
        invited = await connection.fetch(_INVITED, SOURCE)
        ids = dict(await connection.fetch("SELECT id, event_id FROM trigger.invitations"))
    finally:
        await connection.close()
    mails = [ids.get(path.stem, "e--1") for path in (fleet.var / "mail").glob("*.eml")]
    return Asked(
        compare(wanted, _counted(decided)),
        compare(wanted, _counted(event for event, status in invited if status == "sent")),
        compare(wanted, _counted(mails)),
    )


async def until_told(fleet: Fleet) -> None:
    """Return once no invitation is still to be sent, or to be told of."""
    connection = await connect(fleet.database_url)
    try:
        while await connection.fetchval(_WAITING):
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


def _counted(events: Iterable[str]) -> Counter[int]:
    return Counter(int(event.removeprefix("e-")) for event in events)
