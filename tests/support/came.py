"""What came of events: invitations and what left, against who had to be asked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from shared.events import SurveyInvitation
from tests.support.askings import Asking, asking_of, invitations
from tests.support.fleet import Fleet
from tests.support.outlets import Outlets, until_told
from tests.support.ruled import Expected
from tests.support.tally import until_settled

TOPICS = ("transactions", "support-calls")


async def until_done(fleet: Fleet) -> None:
    for topic in TOPICS:
        await until_settled(fleet, "trigger", topic)
    await until_told(fleet)


@dataclass(frozen=True)
class Came:
    """What came of it: the last word on each invitation, and what left, each key with its times."""

    told: Mapping[str, SurveyInvitation]
    webhooks: Mapping[Asking, Counter[str]]
    mails: Counter[tuple[str, str]]

    @property
    def asked(self) -> set[Asking]:
        return set(map(asking_of, self.told.values()))

    @property
    def unknown(self) -> set[str]:
        return {id_ for id_, one in self.told.items() if one.status == "unknown"}

    @property
    def left(self) -> dict[Asking, Counter[str]]:
        """The ids under which each thing was asked, each with its number of messages."""
        found = {asking: Counter(keys) for asking, keys in self.webhooks.items()}
        for (customer, id_), times in self.mails.items():
            asking = asking_of(self.told[id_])
            assert asking.customer == customer
            found.setdefault(asking, Counter())[id_] += times
        return found

    def __str__(self) -> str:
        left = self.left
        return (
            f"{sum(c.total() for c in self.webhooks.values())} calls and {self.mails.total()} mails"
            f" under {sum(map(len, left.values()))} ids for {len(left)} things,"
            f" {len(self.unknown)} unknown, {len(self.asked - left.keys())} of them did not leave"
        )


async def look(fleet: Fleet, outlets: Outlets) -> Came:
    await until_done(fleet)
    return Came(await invitations(fleet), outlets.by_webhook(), outlets.by_mail())


def check(came: Came, expected: Expected, *, smtp: bool) -> None:
    """Each eligible thing is asked under one id; what did not leave, nobody knows."""
    asked, left = came.asked, came.left
    assert (expected.missing(asked), expected.too_many(asked)) == (0, 0)
    assert len(came.told) == len(asked) == expected.number
    ids = {asking_of(one): {one.id} for one in came.told.values()}
    assert {asking: keys for asking, keys in left.items() if set(keys) != ids.get(asking)} == {}
    unsure = {asking_of(came.told[id_]) for id_ in came.unknown}
    assert asked - unsure <= left.keys() <= asked
    assert {one.status for one in came.told.values()} <= {"sent", "unknown"}
    if smtp:
        assert {mail: times for mail, times in came.mails.items() if times > 1} == {}
    else:
        assert not unsure
