"""What a backtest makes of kept facts, and what is said of a decision."""

from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.trigger.domain.backtest import Effect, Entry, Outcome, Record, Refusal, rows_of
from services.trigger.domain.backtest.closings import Closings
from services.trigger.domain.backtest.missing import Missing
from services.trigger.domain.backtest.standins import read_kept, reads_addresses, stand_in
from services.trigger.domain.decisions import Decision, decide
from services.trigger.domain.facts import Cancelling, Facts, Margin, PastAsk, Said
from services.trigger.domain.keepable import keepable
from services.trigger.domain.kept import NOTHING
from services.trigger.domain.kept import read_kept as read_facts
from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.reasons import Reason
from shared.events import Event
from shared.programme.asking import Cap
from shared.programme.rules import compile_rule
from tests.support.trigger import CHANNELS, NOW, call_ended, later, postponed, programme, shipped

PATHS = shipped().segments.paths
DAY = timedelta(days=1)


def asked(days_ago: float = 1, channel: str = "email", **segments: str) -> PastAsk:
    at = NOW - days_ago * DAY
    return PastAsk("i-before", "post-call", "after-call", channel, segments, at)


def decided(event: Event | None = None, known: Facts | None = None, **changes: Any) -> Decision:
    decision, *_ = decide(
        event or call_ended(), known or Facts(CHANNELS), programme(**changes), NOW
    )
    return decision


# -- events without addresses


@pytest.mark.parametrize(
    "customer",
    [
        {"id": "c-1", "email": "ann@example.org"},
        {"id": "c-1", "email": None, "phone": "+49 30 1234567"},
        {"id": None, "email": "Ann@Example.org", "phone": "+49301234567"},
        {"id": None, "email": None, "phone": "0301234567"},
        {"id": "guest:" + "a" * 64, "email": "ann@example.org"},
        {"id": None, "email": None},
    ],
)
def test_a_kept_event_names_and_reaches_whom_it_did(customer: dict[str, Any]) -> None:
    event = call_ended(1, customer=customer)
    occasion = read_occasion(event, PATHS)
    whom = occasion.customer
    reach = [name for name in ("email", "sms") if whom and whom.reached_by(name)]

    data = stand_in(keepable(event.data, PATHS), occasion.customer_id, reach)
    again = read_kept(msgspec.structs.replace(event, data=data), PATHS)

    assert again.customer_id == occasion.customer_id
    assert [c for c in ("email", "sms") if again.customer and again.customer.reached_by(c)] == reach
    assert "ann@" not in str(data).lower()
    assert data.get("customer", {}).get("id") == customer["id"]


@pytest.mark.parametrize(
    ("rule", "does"),
    [
        ("event.customer.email != ''", True),
        ("true || event.customer.phone == '1'", True),
        ("event.customer.id == 'event.customer.email'", False),
    ],
)
def test_it_is_known_which_rules_read_addresses(rule: str, does: bool) -> None:
    trigger = shipped().triggers["after-call"]
    assert reads_addresses(trigger.model_copy(update={"when": compile_rule(rule)})) is does


# -- what was closed when


def test_between_two_decisions_what_is_closed_today_counts_from_when_it_was_closed() -> None:
    closings = Closings()
    closings.learn([Refusal("c-1", "email", later(hours=2)), Refusal("c-2", "*", later(hours=2))])
    closings.see("c-1", NOW, ["webhook"])

    assert closings.at("c-1", later(hours=1)) == {"webhook"}
    assert closings.at("c-1", later(hours=2)) == {"webhook", "email"}
    closings.see("c-1", later(hours=3), [])  # somebody lifted them
    assert closings.at("c-1", later(hours=4)) == set()
    assert closings.at("c-2", later(hours=1)) == set()
    assert closings.at("c-2", later(hours=2)) == {"*"}


def test_what_is_asked_later_is_taken_out_when_its_channels_are_closed() -> None:
    closings = Closings()
    closings.learn([Refusal("c-1", "email", later(hours=2))])
    ask = asked(days_ago=-1)

    both = closings.take_out("c-1", ask, ["email", "webhook"], NOW)
    alone = closings.take_out("c-1", ask, ["email"], NOW)

    assert both is not None
    assert (both.since, both.at, both.channel) == (later(hours=2), ask.at, "webhook")
    assert alone is not None
    assert (alone.since, alone.at) == (later(hours=2), None)
    assert closings.take_out("c-1", ask, ["email"], later(hours=2)) is None
    assert closings.take_out("c-2", ask, ["email"], NOW) is None


# -- counting


def outcome(number: int, was: Reason | None, again: Reason | None, **more: Any) -> Outcome:
    records = {}
    if was is not None:
        digest = shipped().digest
        records["t"] = Record("t", was, number, NOW, digest, NOTHING)
    return Outcome(Entry(number, call_ended(number), NOW, records), "t", again, **more)


def test_rows_show_both_sides_and_what_differs_by_day() -> None:
    effect = Effect(shipped(), NOW - DAY)
    effect.add([outcome(1, Reason.ASKED, Reason.NOT_SAMPLED), outcome(2, None, Reason.ASKED)])
    effect.add([outcome(3, Reason.ASKED, None, missing=Missing.MARGIN)])
    effect.add([outcome(4, Reason.TOO_OLD, None)])
    effect.add([outcome(2, None, Reason.CANCELLED_BY_EVENT, instead_of=Reason.ASKED)])

    rows = rows_of(effect.recorded, effect.counts)

    assert {row.day for row in rows} == {NOW.date()}
    assert [(row.reason, row.today, row.changed, row.difference) for row in rows] == [
        (Reason.ASKED, 1, 0, -1),
        (Reason.NOT_SAMPLED, 0, 1, 1),
        (Reason.TOO_OLD, 1, 0, -1),
        (Reason.CANCELLED_BY_EVENT, 0, 1, 1),
    ]
    assert effect.left_out == Counter({("t", Missing.MARGIN): 1})
    assert (effect.same, effect.compared) == (0, 1)
    assert [(slip.event_id, slip.again) for slip in effect.slips] == [("evt-1", "not-sampled")]


def test_what_another_run_has_left_out_is_compared_and_not_counted() -> None:
    effect = Effect(shipped(), NOW - DAY, skipped={(1, "t")}, standing=True)
    effect.add([outcome(1, Reason.ASKED, Reason.ASKED)])
    effect.add([outcome(2, Reason.ASKED, None, missing=Missing.ADDRESS)])

    assert effect.compared == 1
    assert effect.counts == effect.recorded == Counter({("t", NOW.date(), Reason.ASKED): 1})


# -- what is kept, and said


def test_what_cannot_be_had_again_is_kept_and_read_back() -> None:
    sure = Margin(n=40, half_width=12.5, share=0.4)
    known = Facts(
        CHANNELS,
        heard_at=NOW - timedelta(minutes=1),
        suppressed={"webhook"},
        consent={"email": Said(yes=True, at=NOW)},
        margins={"after-call": sure},
    )
    trigger = {"target_margin": 5.0, "delay": timedelta(seconds=30)}
    decision = decided(call_ended(at=NOW - timedelta(minutes=1)), known, trigger=trigger)

    kept = read_facts(msgspec.json.encode(decision.facts).decode())

    assert kept.suppressed == ("webhook",)
    assert kept.channels == ("email", "webhook")
    assert kept.words == {"email": Said(yes=True, at=NOW)}
    assert kept.waited == (30.0, 0.0)
    aiming = programme(trigger=trigger).triggers["after-call"]
    assert kept.margin is not None
    assert kept.margin.for_trigger(aiming) == sure
    assert kept.margin.for_trigger(aiming.model_copy(update={"target_margin": 4.0})) is None
    assert kept.margin.for_trigger(aiming.model_copy(update={"target_by": "region"})) is None


DAILY = Cap(most=1, per=2 * DAY)
OF_AGENT = Cap(most=1, per=2 * DAY, each=("agent",))
SURE = Facts(CHANNELS, margins={"after-call": Margin(n=412, half_width=4.8, share=0.0)})


@pytest.mark.parametrize(
    ("event", "known", "changes", "said"),
    [
        (None, None, {}, "The customer is asked at once. By email: they have agreed to it."),
        (None, None, postponed(), "That is at 2026-11-21 13:00 UTC. By email: they have agreed"),
        (None, Facts(CHANNELS, asks=[asked()]), {"caps": (DAILY,)},
         "The cap for email: at most 1 in 2d for the customer."),
        (None, Facts(CHANNELS, groups={("agent", "a-7"): [asked(agent="a-7")]}),
         {"caps": (OF_AGENT,)}, "The cap for email and agent a-7: at most 1 in 2d for agent."),
        (None, SURE, {"trigger": {"target_margin": 5.0}},
         "The score is known to ±4.8 points from 412 answers; wanted are ±5."),
        (None, Facts(CHANNELS, cancelling=[Cancelling("support_call.reopened", NOW)]), {},
         "It was support_call.reopened at 2026-11-21 12:00 UTC."),
        (call_ended(at=NOW - timedelta(hours=7)), None, {}, "It was 7.0 h old; max_age is 6h."),
        (call_ended(customer={"consent": {"email": False, "webhook": False}}), None, {},
         "They have refused email and webhook."),
        (None, None, {"trigger": {"delay": DAY / 24}}, "That is at 2026-11-21 13:00 UTC."),
        (call_ended(call={"talk_s": 3}), None, {}, "The event does not meet the trigger's rule."),
    ],
)  # fmt: skip
def test_a_sentence_says_which_and_when_and_how_sure(
    event: Event | None, known: Facts | None, changes: dict[str, Any], said: str
) -> None:
    decision = decided(event, known, **changes)

    assert said in decision.sentence
    assert decision.sentence.startswith(decision.reason.sentence)
    assert "c-1" not in decision.sentence
