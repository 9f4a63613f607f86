"""Trigger is killed while it reminds by SMTP; customers have answered while it was away."""

from collections import Counter

from shared.clock import utc_now
from shared.events import Topic
from shared.failpoints import Point
from shared.stream import Outgoing
from shared.wire import encode
from tests.support.alerts import scored
from tests.support.crash_letters import smtp
from tests.support.crash_site import Site
from tests.support.crash_streams import BACKDATE, UNTOLD, call
from tests.support.crash_waiting import CUSTOMERS, write_asking
from tests.support.folders import change
from tests.support.tally import until_settled

STEPS = (Point.ROWS_WRITTEN, Point.CLAIMED, Point.SENT)
_PLAIN = """
after-call: {on: support_call.ended, survey: post-call, channels: [email], delay: 0s}
"""
_LETTERS = "SELECT id, reminder_of, status FROM trigger.invitations"
_REMIND_NOW = """
    UPDATE trigger.invitations SET remind_at = now() - interval '1 second'
    WHERE remind_at IS NOT NULL RETURNING id
"""
_TO_REMIND = "SELECT id FROM trigger.invitations WHERE remind_at IS NOT NULL"


async def reminders(site: Site) -> str:
    """Whoever has not answered is reminded once, by SMTP; whoever has is not."""
    folder = write_asking(site, _PLAIN)
    change(folder, "surveys.yaml", "post-call:\n", "post-call:\n  reminders: {after: 1m}\n")
    async with smtp(site) as channel:
        settings = {"EARSHOT_PROGRAMME": str(folder), **channel.settings}
        replica = site.fleet.add("trigger", **settings)
        await site.feed([call(number) for number in range(CUSTOMERS)])
        await replica.start()
        await until_settled(site.fleet, "trigger", Topic.SUPPORT_CALLS)
        await site.until_none(UNTOLD)
        replica.kill()
        sent = sorted(id_ for id_, *_ in await site.rows(_LETTERS))
        assert channel.taken() == Counter(sent)

        answered = sent[::3]
        await site.feed([_answer(number, id_) for number, id_ in enumerate(answered)])
        await site.rows(_REMIND_NOW)
        await site.die(replica)
        before = channel.taken() - Counter(sent)
        await site.rows(BACKDATE)
        await site.revive(replica)
        await site.until_none(_TO_REMIND)
        await site.until_none(UNTOLD)
        after = channel.taken() - Counter(sent)
    letters = [row for row in await site.rows(_LETTERS) if row[1] is not None]
    unknown = {id_ for id_, _, status in letters if status == "unknown"}
    assert sorted(of for _, of, _ in letters) == sorted(set(sent) - set(answered))
    assert {status for *_, status in letters} <= {"sent", "unknown"}
    assert max(after.values()) == 1
    assert {id_ for id_, *_ in letters} - unknown <= set(after) <= {id_ for id_, *_ in letters}
    assert not unknown or site.point is Point.SENT
    return (
        f"{len(answered)} of {len(sent)} answered meanwhile and were not reminded; of the rest "
        f"{before.total()} before the crash, {after.total()} in the end, {len(unknown)} unknown"
    )


def _answer(number: int, invitation: str) -> Outgoing:
    answer = scored(
        number, utc_now(), detractor=False, survey="post-call", metric="csat", scale=(1, 5),
        score=5, segments={}, invitation_id=invitation,
    )  # fmt: skip
    return Outgoing(Topic.SCORED_RESPONSES, answer.id.encode(), encode(answer))
