"""Lints of what triggers select: rules that nothing meets, that hide others, that flatter."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from services.trigger.domain.experiments import mail_texts
from services.trigger.domain.lint.findings import SURVEYS, Found, Subject, at, delays_of
from services.trigger.domain.lint.reach import never_true
from shared.durations import format_duration
from shared.programme.asking import Cap
from shared.programme.models import Kind, Trigger
from shared.programme.syntax import Call, Constant, Entry, Name, Node, children
from shared.programme.triggers import ALWAYS

# What a rule must not ask for, and what it would measure instead: one name a line. The names of
# segments are those by which emitters tell how a matter ended.
OUTCOMES: Final[Mapping[str, str]] = {
    "event.call.resolved": "only those whose matter was resolved would be asked",
    "event.segments.resolved": "only those whose matter was resolved would be asked",
    "event.segments.resolution": "only those whose matter ended so would be asked",
    "event.segments.outcome": "only those whose matter ended so would be asked",
    "event.segments.rating": "only those who have already judged so would be asked",
    "event.segments.score": "only those who have already judged so would be asked",
    "event.segments.satisfaction": "only those who are known to be satisfied or not would be asked",
    "event.segments.sentiment": "only those who sounded so would be asked",
    "event.segments.refund_reason": "only those with that complaint would be asked",
}


def unreachable_rule(subject: Subject) -> Iterator[Found]:
    """A rule that no event can meet."""
    for trigger in subject.programme.triggers.values():
        why = never_true(trigger.when.tree, {"event.type": trigger.on})
        if why is not None:
            yield at(trigger, "when", f"can never be true: {why}", "it asks nobody; correct it")


def hidden_trigger(subject: Subject) -> Iterator[Found]:
    """A trigger that asks nobody whom another does not ask the same, as early."""
    earlier: list[Trigger] = []
    for trigger in subject.programme.triggers.values():
        for other in earlier:
            if _covers(other, trigger, subject):
                what = f"asks nobody whom {other.key!r} does not ask {trigger.survey!r} already"
                why = "every customer is asked once about one thing; narrow one, or remove it"
                yield at(trigger, "when", what, why)
                break
        earlier.append(trigger)


def _covers(one: Trigger, other: Trigger, subject: Subject) -> bool:
    rules = one.when.text.strip()
    if (one.on, one.survey, one.channels) != (other.on, other.survey, other.channels):
        return False
    as_often = one.sample == 1 and one.target_margin is None and one.max_age >= other.max_age
    same = rules in (ALWAYS, other.when.text.strip()) and one.experiment is other.experiment is None
    return (
        as_often
        and same
        and set(one.cancel_on) <= set(other.cancel_on)
        and max(delays_of(one, subject.programme)) <= min(delays_of(other, subject.programme))
        and one.settle <= other.settle
        and not any(_tells_triggers_apart(cap) for cap in subject.programme.caps)
    )


def _tells_triggers_apart(cap: Cap) -> bool:
    return "trigger" in cap.each


def selects_on_outcome(subject: Subject) -> Iterator[Found]:
    """A rule that reads what the survey is to measure. Whether it is known at all may be asked."""
    for trigger in subject.programme.triggers.values():
        for name in sorted(set(_read(trigger.when.tree)) & set(OUTCOMES)):
            what = f"selects on {name}, the outcome that {trigger.survey!r} measures"
            why = f"{OUTCOMES[name]}, and the score would flatter or slander; ask without it"
            yield at(trigger, "when", what, why)


def _read(node: Node) -> Iterator[str]:
    """The names whose values a rule depends on."""
    match node:
        case Call("_==_" | "_!=_", arguments) if Constant(None, "null") in arguments:
            return
    name = _name(node)
    if name:
        yield name
    for below in children(node):
        yield from _read(below)


def _name(node: Node) -> str:
    match node:
        case Name(name):
            return name
        case Entry(Name(of), name, tested=False) | Call(
            "_[_]", (Name(of), Constant(str() as name, "text"))
        ):
            return f"{of}.{name}"
        case _:
            return ""


def empty_sample(subject: Subject) -> Iterator[Found]:
    """A share of nobody."""
    for trigger in subject.triggers:
        if trigger.sample == 0:
            yield at(trigger, "sample", "is 0", "it asks nobody; remove it if that is not meant")


def unasked_survey(subject: Subject) -> Iterator[Found]:
    """A survey that nothing sets off."""
    asked = {trigger.survey for trigger in subject.triggers}
    for key, survey in subject.programme.surveys.items():
        if key not in asked and survey.kind is not Kind.RELATIONAL:
            why = (
                "nobody is ever asked it, unless by a link of your own; add a trigger or remove it"
            )
            yield Found(SURVEYS, (key,), "no trigger asks this survey", why)


def settles_too_long(subject: Subject) -> Iterator[Found]:
    """A settling that ends when the survey has expired."""
    for trigger in subject.programme.triggers.values():
        survey = subject.programme.surveys[trigger.survey]
        last = max(delays_of(trigger, subject.programme)) + survey.expires
        if trigger.settle >= last:
            what = f"{format_duration(trigger.settle)} is not shorter than delay and expires"
            yield at(trigger, "settle", f"{what} together", "nobody is asked before it has expired")


def waits_for_the_old(subject: Subject) -> Iterator[Found]:
    """A settling that waits for events which are then too old."""
    for trigger in subject.programme.triggers.values():
        if timedelta(0) < trigger.max_age < trigger.settle:
            what = f"{format_duration(trigger.max_age)} is shorter than settle"
            why = "what comes so late is too old to ask; let max_age be at least settle"
            yield at(trigger, "max_age", what, why)


def cancels_itself(subject: Subject) -> Iterator[Found]:
    """A trigger whose own event cancels its question."""
    for trigger in subject.programme.triggers.values():
        if trigger.on in trigger.cancel_on:
            what = f"names {trigger.on}, which also asks"
            yield at(trigger, "cancel_on", what, "every such event cancels its own question")


def equal_variants(subject: Subject) -> Iterator[Found]:
    """An experiment that compares the same with the same."""
    programme = subject.programme
    for trigger in programme.triggers.values():
        if trigger.experiment is None:
            continue
        survey = programme.surveys[trigger.survey]
        own = [
            (
                programme.delay_of(trigger) if variant.delay is None else variant.delay,
                variant.channels or trigger.channels,
                mail_texts(survey.mail, variant.mail),
            )
            for variant in trigger.experiment.variants.values()
        ]
        if all(each == own[0] for each in own):
            why = "it can find no difference; let them differ in delay, channels or mail"
            yield at(trigger, "experiment", "all its variants are the same", why)
