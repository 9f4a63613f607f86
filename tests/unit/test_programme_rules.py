"""Rules: what is refused at load, what matches, what fails."""

import time
from datetime import UTC, datetime

import pytest

from shared.programme.rules import RuleError, RuleFailed, compile_rule, event_view

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
DATA = {
    "customer": {"id": "c-1", "locale": "de-DE", "consent": {"email": True}},
    "call": {"queue": "billing", "talk_s": 30.5, "resolved": False, "agent": 17},
    "segments": {"region": "Air\u00a0Canada", "vip": True},
}
LOOP = "[1,2,3].all(a, [1,2,3].exists(b, a == b))"


def matches(rule: str, data: dict[str, object] = DATA) -> bool:
    envelope = {"id": "e-1", "source": "/cc", "type": "support_call.ended", "time": NOW}
    return compile_rule(rule).matches(event_view(envelope, data))


@pytest.mark.parametrize(
    "rule",
    [
        "true",
        "event.call.talk_s >= 30",
        "event.type == 'support_call.ended' && event.source == '/cc'",
        "event.customer.locale.startsWith('de')",
        "event.call.agent == '17'",
        "event.time.getHours('Europe/Berlin') == 23",
        "event.segments.region == 'Air Canada'",
        "!('vip' in event.segments)",
        "event.customer.consent.email",
        "event.transaction.amount == null && event.call.wait_s == null",
        "event.transaction.currency == '' && event.subject == ''",
        "!event.call.resolved",
        "['billing', 'sales'].exists(q, q == event.call.queue)",
        "event.call.queue != '.all(.all(' // .map(.map(",
        "event.transaction.amount > 5 || true",
    ],
)
def test_a_rule_matches(rule: str) -> None:
    assert matches(rule) is True


@pytest.mark.parametrize(
    ("rule", "data"),
    [
        ("event.transaction.amount > 5", {}),
        ("event.call.talk_s > 5", {"call": {"talk_s": "30"}}),
        ("event.call.talk_s > 5", {"call": {"talk_s": 10**30}}),
        ("event.segments.region == 'EU'", {}),
        ("event.customer.consent.sms", DATA),
        ("event.call.resolved", {}),
        ("event.call.resolved", {"call": {"resolved": "yes"}}),
    ],
)
def test_a_rule_without_an_answer_fails_and_never_matches(
    rule: str, data: dict[str, object]
) -> None:
    with pytest.raises(RuleFailed):
        matches(rule, data)


@pytest.mark.parametrize(
    ("rule", "line", "column", "fault"),
    [
        ("event.call.talks > 1", 1, 1, r"no 'event.call.talks' \(did you mean 'event.call.talk_s'"),
        ("true &&\n  event.foo == 1", 2, 3, "no 'event.foo'"),
        ("true && amount > 1", 1, 9, "no 'amount'"),
        ("1 +", 1, 4, "Syntax error"),
        ("event.type + 1 == ''", 1, 12, "no matching overload"),
        (f"true &&\n {LOOP}", 2, 24, "loop inside a loop"),
    ],
)
def test_a_fault_has_line_column_and_reason(rule: str, line: int, column: int, fault: str) -> None:
    with pytest.raises(RuleError, match=fault) as caught:
        compile_rule(rule)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.accepted


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("event.type", "gives STRING"),
        ("event.call.talk_s", "gives INT"),
        ("has(event.call.talk_s)", "gives INT"),
        ("1", "gives INT"),
        ("", "not a rule"),
        (None, "not a rule"),
        (30, "not a rule"),
        ("true || " * 250 + "true", "2004 characters"),
        ("(" * 60 + "true" + ")" * 60, "limit"),
    ],
)
def test_what_is_no_rule_is_refused(rule: object, fault: str) -> None:
    with pytest.raises(RuleError, match=fault):
        compile_rule(rule)


@pytest.mark.parametrize("macro", ["all", "exists", "exists_one", "map", "filter"])
def test_a_loop_bomb_is_refused_quickly(macro: str) -> None:
    numbers = f"[{','.join(map(str, range(100)))}]"
    bomb = f"false && {numbers}.{macro}(a, {numbers} . {macro} (b, {numbers}.all(c, true))) == true"
    began = time.perf_counter()

    with pytest.raises(RuleError, match="loop inside a loop"):
        compile_rule(bomb)

    assert time.perf_counter() - began < 0.05


def test_one_loop_after_another_is_fine() -> None:
    assert matches("[1, 2].filter(a, a > 1).exists(b, b == 2) && [3].all(c, c == 3)")
