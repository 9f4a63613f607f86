"""Who is in which variant of an experiment, and what that changes."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from scipy.special import chdtrc, chdtri

from services.trigger.domain.decisions import decide
from services.trigger.domain.experiments import assigned, mail_texts
from services.trigger.domain.facts import Facts
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.letters import Letter
from services.trigger.domain.samples import in_sample
from services.trigger.pages.mail import write_mail
from shared.programme.models import Mail
from shared.programme.texts import Texts
from shared.programme.triggers import Experiment, Variant
from shared.senders.email import Mail as Written
from tests.support.trigger import CHANNELS, NOW, call_ended, mail_desk, programme

CUSTOMERS = [f"c-{number}" for number in range(12_000)]
TINY = 1e-4
PINNED = ["short", "short", "long", "long", "short", "long", "short", "short"]


def experiment(*variants: str, name: str = "subject-line") -> Experiment:
    return Experiment(name=name, variants=dict.fromkeys(variants, Variant()))


@pytest.mark.parametrize("variants", ["ab", "abc", "abcdefghij"])
def test_every_variant_has_an_equal_share(variants: str) -> None:
    shares = Counter(assigned(experiment(*variants), customer) for customer in CUSTOMERS)

    expected = len(CUSTOMERS) / len(variants)
    distance = sum((shares[one] - expected) ** 2 / expected for one in variants)
    assert distance < chdtri(len(variants) - 1, TINY)


def test_a_customer_stays_in_the_variant() -> None:
    known = [assigned(experiment("short", "long"), customer) for customer in CUSTOMERS[:8]]

    assert known == PINNED
    turned = experiment("long", "short")
    assert all(
        assigned(turned, customer) == assigned(experiment("short", "long"), customer)
        for customer in CUSTOMERS[:500]
    )


def test_a_further_variant_takes_its_share_and_moves_nobody_else() -> None:
    moved = Counter(
        (assigned(experiment("a", "b"), one), assigned(experiment("a", "b", "c"), one))
        for one in CUSTOMERS
    )

    assert set(moved) == {("a", "a"), ("b", "b"), ("a", "c"), ("b", "c")}
    assert 0.31 < (moved["a", "c"] + moved["b", "c"]) / len(CUSTOMERS) < 0.36


def independent(left: Sequence[object], right: Sequence[object]) -> bool:
    table = Counter(zip(left, right, strict=True))
    rows = np.array([[table[one, other] for other in set(right)] for one in set(left)])
    expected = np.outer(rows.sum(axis=1), rows.sum(axis=0)) / rows.sum()
    distance = float(((rows - expected) ** 2 / expected).sum())
    return float(chdtrc((rows.shape[0] - 1) * (rows.shape[1] - 1), distance)) > TINY


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("trigger", ["after-call", "subject-line"])
def test_the_sample_says_nothing_about_the_variant(trigger: str, share: float) -> None:
    variants = [assigned(experiment("a", "b"), customer) for customer in CUSTOMERS]
    sampled = [in_sample(customer, trigger, share) for customer in CUSTOMERS]

    assert independent(variants, sampled)


def test_one_experiment_says_nothing_about_another() -> None:
    one, other = experiment("a", "b"), experiment("a", "b", name="send-time")

    assert independent(
        [assigned(one, customer) for customer in CUSTOMERS],
        [assigned(other, customer) for customer in CUSTOMERS],
    )


def test_a_variant_without_a_text_has_the_surveys() -> None:
    first, second = Texts({"en": "One"}, "en"), Texts({"en": "Two"}, "en")

    found = mail_texts(Mail(subject=first, intro=first), Mail(subject=second))

    assert (found.subject, found.intro, found.button) == (second, first, None)
    assert mail_texts(found, None) is found


def english(text: str) -> Texts:
    return Texts({"en": text}, "en")


WORDED = Experiment(
    name="words",
    variants={
        "usual": Variant(),
        "own": Variant(
            mail=Mail(subject=english("{event.call.agent}?")), channels=("webhook", "email")
        ),
        "late": Variant(delay=timedelta(hours=2)),
    },
)


def invitation_in(variant: str) -> Invitation:
    """The invitation of a customer who is in the variant."""
    used = programme(trigger={"experiment": WORDED})
    name = next(one for one in CUSTOMERS if assigned(WORDED, one) == variant)
    event = call_ended(customer={"id": name, "locale": "en-GB"})
    (decision,) = decide(event, Facts(channels=CHANNELS, heard_at=NOW), used, later(variant))
    assert decision.invitation is not None, decision.reason
    return decision.invitation


def later(variant: str) -> Any:
    return NOW + timedelta(hours=2) if variant == "late" else NOW


def mail_of(invitation: Invitation, **changes: Any) -> Written:
    letter = Letter(invitation, UUID(int=1), 0, email="ann@example.org")
    return write_mail(letter, mail_desk(**changes), NOW)


def test_a_variants_channels_delay_and_texts_are_used() -> None:
    usual, own, late = (invitation_in(variant) for variant in WORDED.variants)
    triggers = {"trigger": {"experiment": WORDED}}

    assert {(each.experiment, each.variant) for each in (usual, own, late)} == {
        ("words", variant) for variant in WORDED.variants
    }
    assert (usual.channels[0], own.channels[0]) == ("email", "webhook")
    assert late.expires_at - usual.expires_at == timedelta(hours=2)
    assert own.words["event.call.agent"] == "a-7"
    assert "event.call.agent" not in usual.words
    texts = [mail_of(each, **triggers) for each in (usual, own)]
    assert [text.subject == "a-7?" for text in texts] == [False, True]


def test_a_variant_that_is_gone_writes_as_the_survey_does() -> None:
    own = invitation_in("own")
    fewer = WORDED.model_copy(update={"variants": {"usual": Variant(), "late": Variant()}})

    usual = mail_of(invitation_in("usual")).subject

    assert mail_of(own).subject == usual
    assert mail_of(own, trigger={"experiment": fewer}).subject == usual
