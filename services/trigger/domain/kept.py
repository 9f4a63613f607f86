"""What is kept with a decision: the facts that cannot be had again, and why in concrete words."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from services.trigger.domain.asks import Ask
from services.trigger.domain.because import because
from services.trigger.domain.facts import Facts, Margin, Said
from services.trigger.domain.reasons import Reason
from shared.programme.models import Trigger

# Where one of these objects, it was never asked how the customer may be reached.
_BEFORE_REACH: Final = frozenset(
    {Reason.TOO_OLD, Reason.SETTLING, Reason.RULE_NOT_MET, Reason.RULE_ERROR}
)
Wait = tuple[float, float]


class KeptMargin(msgspec.Struct, frozen=True):
    """A margin, and what it was looked up for: so many points, by a dimension, over `per` s."""

    n: int
    half_width: float | None
    share: float
    target: float
    by: str | None
    per: float

    def for_trigger(self, trigger: Trigger) -> Margin | None:
        """The margin, if a trigger would have looked up the same."""
        wanted = (trigger.target_margin, trigger.target_by, trigger.target_per.total_seconds())
        same = wanted == (self.target, self.by, self.per)
        return Margin(self.n, self.half_width, self.share) if same else None


class Kept(msgspec.Struct, frozen=True):
    """What was known when a decision was made.

    `channels`: those of the deployment; `by`: the one by which it was to be asked, for another may
    have been tried since. `consent`: the customer's last words by channel, and when. `waited`: the
    delay and the settling in seconds for which it waited or waits, `due`: until when; None where
    the event was decided on as it came.
    """

    suppressed: tuple[str, ...] = ()
    channels: tuple[str, ...] | None = None
    consent: dict[str, tuple[bool, datetime]] = {}
    margin: KeptMargin | None = None
    waited: Wait | None = None
    due: datetime | None = None
    by: str = ""
    why: str = ""

    @property
    def words(self) -> Mapping[str, Said]:
        """The consent as decisions know it."""
        return {channel: Said(yes, at) for channel, (yes, at) in self.consent.items()}


NOTHING: Final = Kept()
_READ: Final = msgspec.json.Decoder(Kept)


def read_kept(text: str | None) -> Kept:
    """What `keep` made, from its JSON; nothing where nothing was kept."""
    return NOTHING if text is None else _READ.decode(text)


def keep(ask: Ask, reason: Reason) -> dict[str, Any]:
    """What to keep with a decision, small; `Kept` reads it."""
    facts = ask.facts
    kept = keep_suppressed(facts)
    if ask.occasion.customer is not None and reason not in _BEFORE_REACH:
        kept["channels"] = sorted(facts.channels)
    if facts.consent:
        kept["consent"] = {
            channel: (said.yes, said.at.astimezone(UTC).isoformat())
            for channel, said in facts.consent.items()
        }
    if ask.margin is not None:
        kept["margin"] = _margin(ask.margin, ask.trigger)
    if reason in {Reason.DELAYED, Reason.SETTLING} or ask.now > ask.question.heard_at:
        kept["waited"] = wait_of(ask.question.delay(ask.programme), ask.trigger.settle)
    if ask.question.ready_at is not None:
        kept["due"] = ask.question.ready_at.astimezone(UTC).isoformat()
    if reason in {Reason.ASKED, Reason.QUIET_HOURS}:
        kept["by"] = ask.free[0]
    if why := because(ask, reason):
        kept["why"] = why
    return kept


def keep_suppressed(facts: Facts) -> dict[str, Any]:
    """What to keep of an event that no trigger listens to: one that is new might have."""
    return {"suppressed": sorted(facts.suppressed)} if facts.suppressed else {}


def wait_of(delay: timedelta, settle: timedelta) -> Wait:
    """What a question waits for, as it is kept."""
    return (delay.total_seconds(), settle.total_seconds())


def _margin(margin: Margin, trigger: Trigger) -> dict[str, Any]:
    return {
        "n": margin.n,
        "half_width": margin.half_width,
        "share": margin.share,
        "target": trigger.target_margin,
        "by": trigger.target_by,
        "per": trigger.target_per.total_seconds(),
    }
