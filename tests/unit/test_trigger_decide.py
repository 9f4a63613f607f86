"""The one decision: every reason it can give, and what an invitation carries."""

from datetime import timedelta
from typing import Any

import pytest

from services.trigger.domain.decisions import decide
from services.trigger.domain.facts import Facts
from services.trigger.domain.occasions import invitation_id
from services.trigger.domain.reasons import Reason, Verdict
from shared.errors import Refused
from shared.events import Event
from tests.support.trigger import CHANNELS, NOW, call_ended, programme

ASKED = invitation_id("post-call", "c-1", "call-1")

Case = tuple[Event, Facts, dict[str, Any], Reason]


def facts(**changes: Any) -> Facts:
    return Facts(**{"channels": CHANNELS, **changes})


def without(event: Event, **changes: Any) -> Event:
    return Event(id=event.id, source=event.source, type=event.type, time=event.time, **changes)


CASES: dict[str, Case] = {
    "asked": (call_ended(), facts(), {}, Reason.ASKED),
    "delayed": (call_ended(), facts(), {"delay": timedelta(hours=1)}, Reason.DELAYED),
    "a short call": (call_ended(call={"talk_s": 5}), facts(), {}, Reason.RULE_NOT_MET),
    "a rule on a text where a number belongs": (
        call_ended(call={"talk_s": "long"}),
        facts(),
        {},
        Reason.RULE_ERROR,
    ),
    "not in the sample": (call_ended(), facts(), {"sample": 0.0}, Reason.NOT_SAMPLED),
    "nobody": (call_ended(customer=None), facts(), {}, Reason.NO_CONTACT),
    "no address for the only channel": (
        call_ended(customer={"email": None}),
        facts(),
        {"channels": ("email",)},
        Reason.NO_CONTACT,
    ),
    "an address that is none": (
        call_ended(customer={"email": "ann at example"}),
        facts(channels={"email"}),
        {},
        Reason.NO_CONTACT,
    ),
    "the deployment cannot send": (call_ended(), facts(channels=set()), {}, Reason.NO_CONTACT),
    "consent refused": (
        call_ended(customer={"consent": {"email": False, "webhook": False}}),
        facts(),
        {},
        Reason.NO_CONSENT,
    ),
    "opted out of all": (call_ended(), facts(suppressed=CHANNELS), {}, Reason.OPTED_OUT),
    "asked before": (call_ended(), facts(asked={ASKED}), {}, Reason.ASKED_ALREADY),
    "too old": (call_ended(at=NOW - timedelta(hours=7)), facts(), {}, Reason.TOO_OLD),
    "expired": (
        call_ended(at=NOW - timedelta(hours=30)),
        facts(),
        {"max_age": timedelta(days=9)},
        Reason.EXPIRED,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_event_has_one_reason(name: str) -> None:
    event, known, trigger, reason = CASES[name]

    (decision,) = decide(event, known, programme(trigger=trigger), NOW)

    assert decision.reason is reason
    assert (decision.invitation is not None) == (decision.verdict is Verdict.INVITED)
    assert (decision.invitation_id is None) == (decision.verdict is Verdict.SUPPRESSED)


CONTRACT = """asked no-trigger rule-not-met rule-error not-sampled sampled-enough no-contact
no-consent opted-out asked-already answered too-many-recently too-many-for-group too-old expired
quiet-hours delayed settling cancelled-by-event channel-failed"""


def test_every_reason_of_the_contract_can_be_asked_for() -> None:
    assert sorted(Reason) == sorted(CONTRACT.split())


def test_every_reason_has_a_sentence() -> None:
    assert all(reason.sentence.endswith(".") for reason in Reason)


def test_an_event_without_a_listener_is_said_to_have_none() -> None:
    event = Event(id="e", source="/s", type="support_call.abandoned", time=NOW, data={})

    (decision,) = decide(event, facts(), programme(), NOW)

    assert (decision.reason, decision.trigger, decision.customer_id) == ("no-trigger", None, None)


def test_the_invitation_freezes_the_segments_of_its_event() -> None:
    (decision,) = decide(call_ended(), facts(), programme(), NOW)

    invitation = decision.invitation
    assert invitation is not None
    assert invitation.id == ASKED
    assert invitation.segments == {
        "region": "EU",
        "product": "shoes",
        "queue": "billing",
        "agent": "a-7",
        "touchpoint": "support-call",
    }
    assert (invitation.language, invitation.metric, invitation.scale) == ("de", "csat", (1, 5))
    assert invitation.expires_at == NOW + timedelta(hours=24)


def test_channels_that_are_refused_or_closed_fall_away_and_the_order_stays() -> None:
    def channels(event: Event, known: Facts) -> Any:
        (decision,) = decide(event, known, programme(), NOW)
        return decision.invitation and decision.invitation.channels

    no_mail = call_ended(customer={"consent": {"email": False}})

    assert channels(call_ended(), facts()) == ("email", "webhook")
    assert channels(no_mail, facts()) == ("webhook",)
    assert channels(call_ended(), facts(suppressed={"webhook"})) == ("email",)


def test_silence_is_consent_unless_the_programme_asks_for_a_yes() -> None:
    silent = call_ended(customer={"consent": {}})
    strict = programme(consent_required=("email", "webhook"))

    assert decide(silent, facts(), programme(), NOW)[0].reason is Reason.ASKED
    assert decide(silent, facts(), strict, NOW)[0].reason is Reason.NO_CONSENT
    assert decide(call_ended(), facts(), strict, NOW)[0].reason is Reason.ASKED


def test_a_delay_counts_from_the_event_and_an_event_ahead_of_the_clock_counts_as_now() -> None:
    hour = programme(trigger={"delay": timedelta(hours=1)})

    waits = decide(call_ended(at=NOW - timedelta(minutes=50)), facts(), hour, NOW)[0]
    ten = NOW + timedelta(minutes=10)
    late = decide(call_ended(at=NOW - timedelta(minutes=50)), facts(heard_at=NOW), hour, ten)[0]
    over = decide(call_ended(at=NOW - timedelta(hours=2)), facts(), hour, NOW)[0]
    ahead = decide(call_ended(at=NOW + timedelta(seconds=9)), facts(), programme(), NOW)[0]

    assert (waits.reason, waits.invitation) == (Reason.DELAYED, None)
    assert late.reason is Reason.ASKED
    assert over.reason is Reason.ASKED
    assert ahead.reason is Reason.ASKED


def test_two_triggers_of_one_survey_ask_once() -> None:
    base = programme()
    twice = {**base.triggers, "again": base.triggers["after-call"].model_copy(update={"key": "b"})}

    first, second = decide(call_ended(), facts(), programme(triggers=twice), NOW)

    assert (first.reason, second.reason) == (Reason.ASKED, Reason.ASKED_ALREADY)


def test_a_sample_is_the_same_customers_every_time_and_its_share_is_kept() -> None:
    third = programme(trigger={"sample": 0.3})
    events = [call_ended(customer={"id": f"c-{number}"}) for number in range(2000)]

    def asked() -> list[bool]:
        return [decide(e, facts(), third, NOW)[0].reason is Reason.ASKED for e in events]

    first = asked()
    assert asked() == first
    assert 520 < sum(first) < 680


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"customer": "ann"}, "data.customer"),
        ({"customer": {"id": ["c-1"]}}, "data.customer.id"),
        ({"customer": {"consent": {"email": "yes"}}}, "data.customer.consent"),
        ({"call": 5}, "data.call"),
        ({"touchpoint": 5}, "data.touchpoint"),
        ({"segments": ["EU"]}, "data.segments"),
        ({"customer": {"id": "c" * 257}}, "data.customer.id"),
    ],
)
def test_a_part_of_the_wrong_type_is_refused_by_name(part: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        decide(call_ended(**part), facts(), programme(), NOW)

    assert caught.value.field.startswith(field)
