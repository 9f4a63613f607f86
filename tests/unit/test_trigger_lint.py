"""Lints: each rule finds what it is for, where it stands, and nothing in the shipped programme."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from services.trigger.domain.lint import LINTS, Finding, Level, lint
from services.trigger.domain.lint.reach import never_true
from services.trigger.domain.lint.selections import OUTCOMES
from shared.programme.loading import load_programme, read_sources
from shared.programme.rules import Rule, RuleError, RuleFailed, compile_rule
from shared.programme.views import event_view
from tests.support.folders import SHIPPED, change, copy_shipped

RETENTION = timedelta(days=399)
CASES = yaml.safe_load(Path(__file__).with_name("trigger_lints.yaml").read_text())


def found_in(folder: Path) -> dict[tuple[str, str], Finding]:
    found = lint(load_programme(folder), RETENTION)
    return {(finding.rule, finding.key): finding for finding in found}


def test_the_shipped_programme_gives_no_cause() -> None:
    assert not found_in(SHIPPED)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['rule']}: {case['key']}")
def test_a_rule_finds_what_it_is_for(tmp_path: Path, case: dict[str, Any]) -> None:
    folder = copy_shipped(tmp_path)
    steps = [case, *([case["more"]] if "more" in case else [])]
    for step in steps:
        change(folder, f"{step.get('file', case['file'])}.yaml", step["old"], step["new"])

    finding = found_in(folder)[case["rule"], case["key"]]

    where = case.get("at", case["file"])
    assert finding.found.file == f"{where}.yaml"
    assert finding.found.what
    assert finding.found.why
    assert read_sources(folder)[f"{where}.yaml"].line_of(finding.found.path) > 1


def test_every_rule_has_its_programme() -> None:
    elsewhere = {"selects-on-outcome", "foreign-frame", "delay-forgets"}

    assert {case["rule"] for case in CASES} | elsewhere == {rule.name for rule in LINTS}
    assert len({rule.name for rule in LINTS}) == len(LINTS)


@pytest.mark.parametrize(("kept", "found"), [(31, set()), (30, {"after-call.delay"})])
def test_a_delay_is_shorter_than_the_memory(tmp_path: Path, kept: int, found: set[str]) -> None:
    folder = copy_shipped(tmp_path)
    change(folder, "triggers.yaml", "sample: 1.0", "delay: 30d")

    findings = lint(load_programme(folder), timedelta(days=kept))

    assert {each.key for each in findings if each.rule == "delay-forgets"} == found


def test_no_cap_at_all_is_told_once(tmp_path: Path) -> None:
    folder = copy_shipped(tmp_path)
    text = (folder / "programme.yaml").read_text()
    (folder / "programme.yaml").write_text(text.partition("caps:")[0])

    assert found_in(folder).keys() == {("no-cap", "caps")}


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_rule_must_not_select_on_the_outcome(tmp_path: Path, name: str) -> None:
    folder = copy_shipped(tmp_path)
    part, _, last = name.rpartition(".")
    rule = f'"{last}" in event.segments && {part}["{last}"] == "yes"' if "seg" in part else name
    change(folder, "triggers.yaml", "when: event.call.talk_s >= 30", f"when: '{rule}'")

    finding = found_in(folder)["selects-on-outcome", "after-call.when"]

    assert finding.level is Level.ERROR
    assert name in finding.found.what


def test_whether_the_outcome_is_known_may_be_asked(tmp_path: Path) -> None:
    folder = copy_shipped(tmp_path)
    harmless = "event.call.resolved != null && !('rating' in event.segments)"
    change(folder, "triggers.yaml", "event.call.talk_s >= 30", harmless)

    assert not found_in(folder)


def test_a_language_without_a_frame_is_told(tmp_path: Path) -> None:
    folder = copy_shipped(tmp_path)
    change(folder, "programme.yaml", "[en, de, ko, th]", "[en, de, ko, th, fr]")

    found = found_in(folder)

    assert ("foreign-frame", "languages.4") in found
    assert ("missing-translation", "effort.mail.subject") in found


@pytest.mark.parametrize(
    "second",
    [
        "survey: post-call, when: event.call.talk_s >= 31",
        "survey: post-call, when: event.call.talk_s >= 30, max_age: 7h",
        "survey: effort, when: event.call.talk_s >= 30",
        "survey: post-call, when: event.call.talk_s >= 30, channels: [webhook, email]",
        "survey: post-call, when: event.call.talk_s >= 30, cancel_on: []",
    ],
)
def test_a_trigger_that_asks_somebody_else_is_not_hidden(tmp_path: Path, second: str) -> None:
    folder = copy_shipped(tmp_path)
    written = f"second: {{on: support_call.ended, {second}}}\nafter-delivery:"
    change(folder, "triggers.yaml", "after-delivery:", written)

    assert not {rule for rule, _ in found_in(folder)} & {"hidden-trigger"}


@pytest.mark.parametrize(
    ("reminders", "cap"),
    [
        ("{most: 2, after: 1d}", "{most: 3, per: 7d}"),
        ("{most: 3, after: 2d}", "{most: 3, per: 6d}"),  # the first is out when the last comes
        ("{most: 1, after: 3d}", "{most: 1, per: 3d}"),
        ("{most: 1, after: 1d}", "{most: 1, per: 7d, surveys: [effort]}"),
        ("{most: 1, after: 1d}", "{most: 1, per: 7d, each: [agent]}"),
    ],
)
def test_reminders_for_which_a_cap_has_room_are_not_told(
    tmp_path: Path, reminders: str, cap: str
) -> None:
    folder = copy_shipped(tmp_path)
    own = f"quiet_hours: none\n  expires: 10d\n  reminders: {reminders}"
    change(folder, "surveys.yaml", "quiet_hours: none", own)
    change(folder, "programme.yaml", "{most: 3, per: 7d}", cap)

    assert not {rule for rule, _ in found_in(folder)} & {"reminded-under-a-cap"}


@pytest.mark.parametrize("later", ["delay: 1h", "settle: 1m"])
def test_a_trigger_that_asks_sooner_hides_behind_nobody(tmp_path: Path, later: str) -> None:
    folder = copy_shipped(tmp_path)
    change(folder, "triggers.yaml", "sample: 1.0", later)
    second = "{on: support_call.ended, survey: post-call, when: event.call.talk_s >= 30}"
    change(folder, "triggers.yaml", "after-delivery:", f"second: {second}\nafter-delivery:")

    assert not found_in(folder)


ENDED = {"event.type": "support_call.ended"}
MANY = " && ".join(f"(event.call.queue == 'a{n}' || event.call.queue == 'b{n}')" for n in range(12))
NEVER = [
    "event.call.talk_s > 5 && event.call.talk_s > 'a'",
    "!(event.call.talk_s <= 5) && event.call.talk_s <= 5",
    f"false && {MANY}",
    "false",
    "1 > 2",
    "'a' == 'b'",
    "event.call.talk_s >= 30 && event.call.talk_s < 10",
    "2 > event.call.talk_s && event.call.talk_s > 3",
    "event.call.talk_s >= 2 && event.call.talk_s < 2",
    "event.call.talk_s > 5 && event.call.talk_s == null",
    "event.call.talk_s > 5 ? event.call.talk_s < 3 : false",
    "event.call.queue in ['a', 'b'] && event.call.queue == 'c'",
    "event.call.queue in ['a', 'b'] && !(event.call.queue in ['b', 'a'])",
    "event.call.queue in []",
    "event.segments['r'] == 'a' && event.segments.r == 'b'",
    "event.call.resolved && !event.call.resolved",
    "event.call.talk_s == true && event.call.talk_s == 1",
    "size(event.call.queue) > 3 && size(event.call.queue) < 2",
    "event.call.queue.startsWith('a') && !event.call.queue.startsWith('a')",
    "!(event.call.talk_s < 10 || event.call.talk_s >= 10 || event.call.queue == 'x')",
    "event.type == 'support_call.began'",
]
MAYBE = [
    "true",
    "event.call.talk_s > 1 && event.call.talk_s < 2",
    "event.call.talk_s >= 2 && event.call.talk_s <= 2",
    "event.call.talk_s == 1 && event.call.talk_s == 1.0",
    "event.call.talk_s > 5 || event.call.talk_s < 2",
    "event.call.talk_s != null && event.call.talk_s > 3",
    "event.call.talk_s >= 0 && event.call.talk_s <= 3600",
    "event.call.queue != 'a' && event.call.queue != 'b'",
    "event.call.queue == 'a' || event.call.queue == 'b'",
    "event.call.queue >= 'a' && event.call.queue < 'b'",
    "event.call.resolved || !event.call.resolved",
    "[1, 2].exists(a, a > 3) && [1, 2].exists(b, b > 3)",
    "event.time > timestamp('2026-01-01T00:00:00Z')",
    "event.time.getHours('Europe/Berlin') >= 9 && event.time.getHours('UTC') < 9",
    "event.call.talk_s > event.call.wait_s",
    "event.call.talk_s + 1 > 3 && event.call.talk_s < 3",
    "event.customer.locale.startsWith('de') && !event.customer.locale.endsWith('CH')",
    "event.type == 'support_call.ended'",
    "!(event.call.talk_s < 5) && event.call.talk_s <= 5",
    "!(event.call.talk_s > 5) && event.call.talk_s >= 5",
    MANY,
]


@pytest.mark.parametrize("rule", NEVER)
def test_a_contradiction_is_seen(rule: str) -> None:
    assert never_true(compile_rule(rule).tree, ENDED)


@pytest.mark.parametrize("rule", MAYBE)
def test_what_may_be_true_is_not_accused(rule: str) -> None:
    assert never_true(compile_rule(rule).tree, ENDED) is None


TERMS = ("event.call.talk_s", "event.call.wait_s")
VALUES = (None, 1, 2, 2.5, 3, True, "2")
CONSTANTS = ("1", "2", "2.5", "3", "null", "true", "'2'")


SHAPES = ("!({})", "({} ? {} : {})", "({} || {})", "({} && {})", "({} && {})", "({} && {})")


def _made_up_rule(luck: Random, depth: int = 3) -> str:
    if depth == 0 or luck.random() < 0.2:
        return _comparison(luck)
    shape = luck.choice(SHAPES)
    return shape.format(*(_made_up_rule(luck, depth - 1) for _ in range(shape.count("{}"))))


def _comparison(luck: Random) -> str:
    term, constant = luck.choice(TERMS), luck.choice(CONSTANTS)
    match luck.randrange(4):
        case 0:
            return f"{term} in [dyn({constant}), {luck.choice(CONSTANTS)}]"
        case 1:
            return f"{constant} {luck.choice(('==', '!='))} {term}"
        case _:
            sign = luck.choice(("<", "<=", ">", ">=", "=="))
            return f"{term} {sign} {luck.choice(CONSTANTS[:4])}"


VIEWS = [
    event_view({"time": datetime(2026, 1, 1, tzinfo=UTC)}, {"call": {"talk_s": a, "wait_s": b}})
    for a, b in product(VALUES, VALUES)
]


def _met_by_some_event(rule: Rule) -> bool:
    for view in VIEWS:
        with suppress(RuleFailed):
            if rule.matches(view):
                return True
    return False


def test_no_rule_that_some_event_meets_is_accused() -> None:
    luck, accused = Random(7), 0
    for _ in range(400):
        with suppress(RuleError):
            rule = compile_rule(_made_up_rule(luck))
            if never_true(rule.tree, {}) is not None:
                accused += 1
                assert not _met_by_some_event(rule), rule.text

    assert accused > 20
