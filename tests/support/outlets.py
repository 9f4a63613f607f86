"""What leaves trigger, by webhook and by mail, with each repetition."""

import asyncio
import email
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.askings import SECRET, Asking
from tests.support.fleet import Fleet
from tests.support.receivers import Receiver, open_receiver
from tests.support.tally import connect
from tests.unit.test_senders_smtp import Postbox

LATE_S = 170.0  # what failed for now three times waits for two minutes
_OPEN = (
    "SELECT (SELECT count(*) FROM trigger.waiting) + (SELECT count(*) FROM trigger.invitations"
    " WHERE status IN ('scheduled', 'sending') OR NOT published)"
)


@dataclass
class Outlets:
    """A receiver of webhooks, and a mail server or the folder in its place."""

    receiver: Receiver
    box: Postbox | None
    mails: Path

    def settings(self) -> dict[str, str]:
        smtp = {} if self.box is None else {"EARSHOT_SMTP_URL": f"smtp://127.0.0.1:{self.box.port}"}
        return {
            "EARSHOT_WEBHOOK_URL": self.receiver.url,
            "EARSHOT_WEBHOOK_SECRET": SECRET,
            "EARSHOT_SEND_WITHIN": "3s",
            "EARSHOT_KAFKA_SESSION": "2s",
            **smtp,
        }

    def by_webhook(self) -> dict[Asking, Counter[str]]:
        """The keys under which each thing was asked, each with its number of calls."""
        keys: defaultdict[Asking, Counter[str]] = defaultdict(Counter)
        for (_, headers, _), body in zip(self.receiver.got, self.receiver.bodies(), strict=True):
            about = body["data"]
            asked = Asking(about["survey"], about["customer"]["id"], about["subject_id"])
            keys[asked][headers["webhook-id"]] += 1
        return dict(keys)

    def by_mail(self) -> Counter[tuple[str, str]]:
        """(customer, invitation) of each mail that was taken."""
        found = self.box.mails if self.box else [p.read_bytes() for p in self.mails.glob("*.eml")]
        mails = [email.message_from_bytes(mail) for mail in found]
        return Counter((_local(mail["To"]), _local(mail["Message-ID"])) for mail in mails)


def _local(address: str) -> str:
    return address.strip("<>").partition("@")[0]


@asynccontextmanager
async def open_outlets(mails: Path, *, smtp: bool) -> AsyncIterator[Outlets]:
    async with open_receiver() as receiver:
        if not smtp:
            yield Outlets(receiver, None, mails)
            return
        box = Postbox()
        server = await asyncio.start_server(box.accept, "127.0.0.1", 0)
        box.port = server.sockets[0].getsockname()[1]
        try:
            yield Outlets(receiver, box, mails)
        finally:
            server.close()
            for served in box.served:
                served.cancel()
            await asyncio.gather(*box.served, return_exceptions=True)


async def until_told(fleet: Fleet) -> None:
    """Wait until nothing waits and every invitation has come to an end that was published."""
    connection = await connect(fleet.database_url)
    try:
        async with asyncio.timeout(LATE_S):
            while await connection.fetchval(_OPEN):
                await asyncio.sleep(0.1)
    finally:
        await connection.close()
