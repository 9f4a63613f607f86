"""What a changed key means for those who are asked: one line a key."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from services.trigger.domain.plans.words import say
from shared.programme.asking import NEVER_QUIET, Cap, Reminders
from shared.programme.triggers import ALWAYS, Experiment

Meaning = Callable[[Any, Any], str]  # of the old and the new value


def _always(sentence: str) -> Meaning:
    return lambda _old, _new: sentence


def _more(more: str, less: str, unset: timedelta | float | None = None) -> Meaning:
    """By which of two numbers or durations is the greater; `unset` stands for None."""

    def mean(old: Any, new: Any) -> str:
        before: Any = unset if old is None else old
        after: Any = unset if new is None else new
        if type(before) is not type(after) or before is None:
            return "asks by another schedule"
        return more if after > before else less

    return mean


def _rule(old: Any, new: Any) -> str:
    if ALWAYS in (old.text, new.text):
        return "asks about every such event" if new.text == ALWAYS else "asks about fewer events"
    return "asks about other events"


def _margin(old: float | None, new: float | None) -> str:
    if new is None:
        return "asks more: no longer stops when the score is sure enough"
    if old is None:
        return f"asks fewer: stops where the score is sure to {new:g} points"
    return "asks more, for a surer score" if new < old else "asks fewer, for a less sure score"


def _channels(old: Sequence[str] | None, new: Sequence[str] | None) -> str:
    before, after = old or (), new or ()
    added = [channel for channel in after if channel not in before]
    removed = [channel for channel in before if channel not in after]
    said = [f"may also ask by {', '.join(added)}"] if added else []
    said += [f"no longer asks by {', '.join(removed)}"] if removed else []
    return "; ".join(said) or f"asks by {after[0]} first"


def _agreed(old: Sequence[str], new: Sequence[str]) -> str:
    said = [f"asks fewer: only who agreed is asked by {c}" for c in new if c not in old]
    said += [f"asks more: by {c} also who never said no is asked" for c in old if c not in new]
    return "; ".join(said)


def _caps(old: Sequence[Cap], new: Sequence[Cap]) -> str:
    before, after = ({(c.each, c.surveys, c.channels): c for c in caps} for caps in (old, new))
    tighter = after.keys() - before.keys()
    looser = before.keys() - after.keys()
    for key in before.keys() & after.keys():
        one, other = before[key], after[key]
        tighter |= {key} if other.most < one.most or other.per > one.per else set()
        looser |= {key} if other.most > one.most or other.per < one.per else set()
    if bool(tighter) is bool(looser):
        return "limits otherwise how often customers are asked"
    return "asks customers less often" if tighter else "asks customers more often"


def _hours(_old: object, new: object) -> str:
    if new is None or new == NEVER_QUIET:
        return "asks at any hour that nothing else forbids"
    return f"asks nobody at {say(new)} of the recipient's clock"


def _reminders(old: Reminders | None, new: Reminders | None) -> str:
    before, after = (0 if value is None else value.most for value in (old, new))
    if before == after:
        return "reminds sooner" if old and new and new.after < old.after else "reminds later"
    return "reminds more often" if after > before else "reminds less often"


def _experiment(old: Experiment | None, new: Experiment | None) -> str:
    if old is None or new is None:
        return "begins to compare variants" if old is None else "stops comparing variants"
    if old.name != new.name:
        return "draws anew which customer gets which variant, and counts from nothing"
    if old.variants.keys() != new.variants.keys():
        return "moves customers to or from the variants that come or go"
    return "changes a variant while it is compared: what was counted was of the old one"


_DELAY = _more("asks later", "asks sooner", timedelta(0))
_SAMPLE = _more("asks more customers", "asks fewer customers", 1.0)
TRIGGER: Final[Mapping[str, Meaning]] = {
    "on": _always("listens to other events"),
    "when": _rule,
    "survey": _always("asks another survey"),
    "sample": _SAMPLE,
    "target_margin": _margin,
    "target_by": _always("counts by other segments whether the score is sure enough"),
    "target_per": _more("counts answers of a longer time", "counts answers of a shorter time"),
    "channels": _channels,
    "delay": _DELAY,
    "settle": _more("waits longer for further events", "waits less for further events"),
    "cancel_on": _always("is cancelled by other events"),
    "max_age": _more("asks about older events too", "asks no longer about the older events"),
    "experiment": _experiment,
}
SURVEY: Final[Mapping[str, Meaning]] = {
    "kind": _always("is of another kind, which scores and limits tell apart"),
    "metric": _always("measures something else: scores start anew"),
    "scale": _always("is answered on another scale: scores start anew"),
    "question": _always("asks in other words: scores before and after may not compare"),
    "follow_up": _always("asks something else after the score"),
    "reasons": _always("offers other reasons"),
    "thanks": _always("thanks in other words"),
    "mail": _always("invites in other words"),
    "delay": _DELAY,
    "expires": _more("can be answered longer", "can be answered for less time"),
    "every": _more("asks less often", "asks more often"),
    "after_first": _always("asks at another time after the first event"),
    "channels": _channels,
    "sample": _SAMPLE,
    "quiet_hours": _hours,
    "reminders": _reminders,
    "on_doubt": lambda _, new: f"a mail of which nobody knows whether it left is {_doubt(new)}",
}
PROGRAMME: Final[Mapping[str, Meaning]] = {
    "brand": _always("customers read another name"),
    "languages": _always("customers of other languages read their own"),
    "timezone": _always("days and dates are those of another zone"),
    "constants": _always("texts read differently"),
    "consent_required": _agreed,
    "quiet_hours": _hours,
    "caps": _caps,
    "segments": _always("scoring counts anew from its stored answers; caps and targets follow"),
    "alerts": _always("alerts are judged or told differently"),
}


def _doubt(on_doubt: str) -> str:
    return "sent again" if on_doubt == "resend" else "not sent again"
