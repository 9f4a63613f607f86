"""How an alert changes, and how often that is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.alerts.domain.alerts import Alert, Change, Over, State
from services.alerts.domain.cases import Case, Docket, why_update
from services.alerts.domain.deliveries import (
    GIVE_UP,
    LONGEST_WAIT,
    REPEAT,
    Failed,
    Outcome,
    Way,
    after_failure,
    after_success,
    key_of,
)
from services.alerts.domain.estimates import Severity
from services.alerts.domain.facts import Crossing, Evidence, Rates, Word
from services.alerts.domain.messages import story, title
from tests.support.alerts import an_alert

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNE = Word(by="anne", note="looking", at=NOON)


def case(alert: Alert) -> Case:
    return Case(alert, (0,), 1, told_n=alert.n, raised_as=alert.severity)


def test_acknowledged_is_still_open_and_can_be_closed() -> None:
    seen = an_alert().acknowledge(ANNE)
    closed = seen.end(State.RESOLVED, NOON, NOON, ANNE)

    assert (seen.state, seen.revision, seen.acknowledged) == (State.ACKNOWLEDGED, 2, ANNE)
    assert (closed.state, closed.revision, closed.closed) == (State.RESOLVED, 3, ANNE)
    assert closed.acknowledged == ANNE


@pytest.mark.parametrize("state", [State.RESOLVED, State.ACCEPTED])
def test_what_is_over_stays_over(state: State) -> None:
    over = an_alert().end(state, NOON, NOON)

    with pytest.raises(Over, match=f"{state} already"):
        over.acknowledge(ANNE)
    with pytest.raises(Over):
        over.end(State.RESOLVED, NOON, NOON)


def test_nothing_resolves_before_it_opened() -> None:
    alert = an_alert()

    assert alert.end(State.RESOLVED, alert.began_at, NOON).resolved_at == alert.opened_at


def test_the_record_is_the_alert_with_its_change() -> None:
    record = an_alert().record(Change.OPENED)

    assert record["schema"] == "detractor-alert/1"
    assert (record["change"], record["revision"], record["historic"]) == ("opened", 1, False)
    assert record["segment"] == {"region": "EU", "product": "shoes"}
    assert set(record) >= {"detractor_rate", "rise", "evidence", "slices", "top_reasons"}


def test_an_alert_names_no_more_streams_than_its_record_can_carry() -> None:
    alert = an_alert(opened_at=NOON)
    rates = alert.detractor_rate
    for number in range(1_000):
        segment = {"agent": str(number)}
        crossing = Crossing(segment=segment, began_at=NOON, opened_at=NOON, n=20, rates=rates)
        alert = alert.joined_by(crossing)

    assert alert.also_raised[0] == {"agent": "0"}
    assert (len(alert.also_raised), len(alert.crossings)) == (100, 100)


def test_growth_is_told_when_the_answers_have_doubled_or_the_grade_is_worse() -> None:
    small = an_alert(n=40, severity=Severity.WARNING)
    told = case(small)

    def grown(**changed: object) -> Case:
        return replace(told, alert=msgspec.structs.replace(small, **changed))

    assert why_update(grown(n=79), small) is None
    assert why_update(grown(n=80), small) == "grown"
    assert why_update(grown(n=41, severity=Severity.CRITICAL), small) == "severity"


def test_a_docket_lists_what_changed_and_forgets_what_is_over() -> None:
    docket = Docket()
    opened = case(an_alert())
    docket.put(opened, Change.OPENED)
    assert docket.held_rows() == {0}

    docket.put(replace(opened, alert=opened.alert.end(State.RESOLVED, NOON, NOON)), Change.RESOLVED)

    assert docket.held_rows() == set()
    assert [change for _, change in docket.changes] == [Change.OPENED, Change.RESOLVED]
    assert [c.alert.state for c in docket.written()] == [State.RESOLVED]


def test_the_message_says_what_where_since_when_how_sure_and_how_many() -> None:
    alert = an_alert()

    assert title(alert) == (
        "region EU, product shoes: 33 % detractors where 14 % is normal (post-delivery, nps)"
    )
    text = story(alert, "http://alerts/v1/alerts/a-1")
    for part in (
        "Since 2026-03-02 10:00 UTC",
        "28 of 84 customers",
        "95 % interval 24 % to 44 %",
        "rise is likely about 19 points (9 to 29)",
        "e-value 5,230",
        "explains 87 % of the rise",
        "delivery-late (61 %, before 21 %)",
        '"It came too late."',
        "chance raises at most 1 alert a week",
        'too late." http://alerts/v1/alerts/a-1',
    ):
        assert part in text


def test_the_message_of_what_is_certain_rare_and_slow_can_be_read() -> None:
    rates = Rates(baseline=0.004, current=0.05, interval=(0.03, 0.08))
    evidence = Evidence(e_value=3e180, false_alarms_per_week=1.0)
    text = story(an_alert(detractor_rate=rates, evidence=evidence, hurt_per_hour=0.25), "")

    assert "e-value over 1,000,000;" in text
    assert "5 %, 95 % interval 3 % to 8 %, where 0.4 % is normal" in text
    assert "6 unhappy customers more than usual a day." in text


def test_the_message_of_an_alert_that_is_over_says_by_whom() -> None:
    closed = an_alert().end(State.ACCEPTED, NOON, NOON, ANNE)

    assert title(closed).startswith("Accepted as normal: region EU")
    assert "Accepted as the new normal by anne at 2026-03-02 12:00 UTC." in story(closed, "")


def test_a_failed_delivery_waits_longer_each_time_and_gives_up_after_a_day() -> None:
    waits = [after_failure(n, NOON, Failed("no"), NOON).next_at - NOON for n in (1, 2, 3, 50)]
    assert waits == [timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4), LONGEST_WAIT]

    late = after_failure(9, NOON, Failed("no"), NOON + GIVE_UP)
    refused = after_failure(1, NOON, Failed("no", permanent=True), NOON)
    assert late.outcome is refused.outcome is Outcome.DEAD


def test_what_fires_is_said_again_and_what_is_over_is_not() -> None:
    assert after_success(goes_on=True, now=NOON).next_at == NOON + REPEAT
    assert after_success(goes_on=False, now=NOON).outcome is Outcome.SENT


def test_a_webhook_knows_each_change_and_alertmanager_the_alert() -> None:
    assert key_of(Way.EACH_CHANGE, "a-1", 3) == "a-1:3"
    assert key_of(Way.WHILE_FIRING, "a-1", 3) == "a-1"
