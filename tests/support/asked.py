"""From the event to the mail: what a contact centre sends, and what the customer gets."""

import asyncio
import email
import email.policy
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol


class Mailing(Protocol):
    """A system whose mails become files."""

    var: Path


LINK = re.compile(r"http://127\.0\.0\.1:\d+(/[su]/[\w.-]+)")


def call_ended(number: int, **customer: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"evt-{number}",
        "source": "/test",
        "type": "support_call.ended",
        "time": datetime.now(UTC).isoformat(),
        "data": {
            "customer": {"id": f"c-{number}", "email": f"c{number}@example.org", **customer},
            "call": {"id": f"call-{number}", "queue": "billing", "agent": "ana", "talk_s": 120},
            "touchpoint": "support-call",
            "segments": {"region": "EU"},
        },
    }


async def mail_to(system: Mailing, count: int = 1) -> list[email.message.EmailMessage]:
    async with asyncio.timeout(10):
        while len(paths := sorted((system.var / "mail").glob("*.eml"))) < count:
            await asyncio.sleep(0.01)
    policy = email.policy.default
    return [email.message_from_bytes(path.read_bytes(), policy=policy) for path in paths]


def link_in(message: email.message.EmailMessage) -> str:
    text = message.get_body(("plain",))
    assert text is not None
    found = LINK.search(text.get_content())
    assert found is not None
    return found[1]
