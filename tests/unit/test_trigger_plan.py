"""Plans: which keys changed, in the operator's words, what that means, what becomes of the rest."""

from pathlib import Path

import pytest

from services.trigger.domain.plans import Change, How, plan
from shared.programme.loading import load_programme
from tests.support.folders import SHIPPED, change, copy_shipped


def planned(folder: Path, *steps: tuple[str, str, str]) -> list[Change]:
    for file, old, new in steps:
        change(folder, f"{file}.yaml", old, new)
    return list(plan(load_programme(SHIPPED), load_programme(folder)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_shipped(tmp_path)


def test_the_same_programme_changes_nothing(folder: Path) -> None:
    change(folder, "triggers.yaml", "  sample: 1.0\n", "")  # as it is anyway

    assert planned(folder) == []


def on_trigger(line: str) -> tuple[str, str, str]:
    return ("triggers", "  max_age: 6h", f"  {line}")


def on_survey(line: str) -> tuple[str, str, str]:
    return ("surveys", "  quiet_hours: none", f"  quiet_hours: none\n  {line}")


CASES = [
    (("triggers", "sample: 1.0", "sample: 0.5"), "sample: 1 -> 0.5", "asks fewer customers"),
    (on_trigger("max_age: 30m"), "max_age: 6h -> 30m", "asks no longer about the older events"),
    (on_trigger("max_age: 7d"), "max_age: 6h -> 7d", "asks about older events too"),
    (
        ("triggers", "talk_s >= 30", "talk_s >= 60"),
        "when: event.call.talk_s >= 30 -> event.call.talk_s >= 60",
        "asks about other events",
    ),
    (
        ("triggers", "event.call.talk_s >= 30", "true"),
        "when: event.call.talk_s >= 30 -> true",
        "asks about every such event",
    ),
    (
        ("triggers", "channels: [email, webhook]", "channels: [webhook]"),
        "channels: [email, webhook] -> [webhook]",
        "no longer asks by email",
    ),
    (
        ("triggers", "channels: [email, webhook]", "channels: [webhook, email]"),
        "channels: [email, webhook] -> [webhook, email]",
        "asks by webhook first",
    ),
    (
        ("triggers", "sample: 1.0", "target_margin: 5"),
        "target_margin: not set -> 5",
        "asks fewer: stops where the score is sure to 5 points",
    ),
    (("triggers", "sample: 1.0", "delay: 15m"), "delay: not set -> 15m", "asks later"),
    (on_survey("delay: 2h"), "delay: 0s -> 2h", "asks later"),
    (on_survey("expires: 2h"), "expires: 1d -> 2h", "can be answered for less time"),
    (on_survey("reminders: {most: 2}"), "reminders.most: not set -> 2", "reminds more often"),
    (
        ("surveys", "quiet_hours: none", "quiet_hours: 20:00-09:00"),
        "quiet_hours: none -> 20:00-09:00",
        "asks nobody at 20:00-09:00 of the recipient's clock",
    ),
    (("surveys", "every: 90d", "every: 30d"), "every: 90d -> 30d", "asks more often"),
    (("surveys", "every: 90d", "every: year"), "every: 90d -> year", "asks by another schedule"),
    (
        ("surveys", "en: Expertise", "en: Skill"),
        "reasons.expertise.en: Expertise -> Skill",
        "offers other reasons",
    ),
    (
        ("programme", "most: 3, per: 7d", "most: 2, per: 7d"),
        "caps: 3 in 7d of each customer -> 2 in 7d of each customer",
        "asks customers less often",
    ),
    (
        ("programme", "most: 3, per: 7d", "most: 3, per: 1d"),
        "caps: 3 in 7d of each customer -> 3 in 1d of each customer",
        "asks customers more often",
    ),
    (
        ("programme", "  - {most: 1,", "  - {most: 9, per: 1d, each: [agent]}\n  - {most: 1,"),
        "caps: not set -> 9 in 1d of each agent",
        "asks customers less often",
    ),
    (
        ("programme", "quiet_hours: 21:00", "consent_required: [email]\nquiet_hours: 21:00"),
        "consent_required: [] -> [email]",
        "asks fewer: only who agreed is asked by email",
    ),
    (
        ("segments", "  product: {}\n", "  product: {from: order.product}\n"),
        "segments.dimensions.product.path: not set -> order.product",
        "scoring counts anew from its stored answers; caps and targets follow",
    ),
]


@pytest.mark.parametrize(("step", "difference", "meaning"), CASES, ids=lambda each: str(each)[:40])
def test_a_changed_key_is_told_with_what_it_means(
    folder: Path, step: tuple[str, str, str], difference: str, meaning: str
) -> None:
    (found,) = planned(folder, step)

    assert found.how is How.CHANGED
    said = [f"{each.key}: {each.old} -> {each.new}" for each in found.differences]
    assert difference in said
    assert found.means == [meaning]


def test_a_delay_of_a_trigger_is_measured_by_that_of_its_survey(folder: Path) -> None:
    (found,) = planned(
        folder, ("triggers", "on: transaction.delivered", "on: transaction.delivered\n  delay: 30m")
    )

    assert (found.name, found.means) == ("after-delivery", ["asks sooner"])


def test_what_comes_and_goes_is_named_with_what_becomes_of_what_is_under_way(folder: Path) -> None:
    text = (folder / "surveys.yaml").read_text()
    (folder / "surveys.yaml").write_text(text.replace("\neffort:", "\nrefund-effort:"))
    change(folder, "triggers.yaml", "after-refund:", "refunded:")
    change(folder, "triggers.yaml", "survey: effort", "survey: refund-effort")
    change(folder, "programme.yaml", "effort,", "refund-effort,")

    found = {(each.part, each.name): each for each in planned(folder)}

    assert {key: each.how for key, each in found.items() if key[0] != "programme"} == {
        ("survey", "effort"): How.REMOVED,
        ("survey", "refund-effort"): How.ADDED,
        ("trigger", "after-refund"): How.REMOVED,
        ("trigger", "refunded"): How.ADDED,
    }
    assert "scheduled for it becomes undeliverable" in found["survey", "effort"].becomes[0]
    assert "is dropped when it is due" in found["trigger", "after-refund"].becomes[0]
    assert found["programme", ""].means == ["limits otherwise how often customers are asked"]


def test_what_waits_is_decided_by_the_new_programme(folder: Path) -> None:
    (found,) = planned(folder, on_trigger("settle: 5m\n  max_age: 6h"))

    assert found.differences[0].key == "settle"
    assert any("what waits is decided by the new programme" in each for each in found.becomes)


def test_whether_an_experiment_draws_anew_is_told(folder: Path) -> None:
    variants = "variants: {a: {}, b: {delay: 1h}}"
    begun = ("triggers", "sample: 1.0", f"experiment: {{name: x, {variants}}}")
    (started,) = planned(folder, begun)
    today = load_programme(folder)
    change(folder, "triggers.yaml", "name: x", "name: y")

    (renamed,) = plan(today, load_programme(folder))

    assert started.means == ["begins to compare variants"]
    assert renamed.means[0].startswith("draws anew")
