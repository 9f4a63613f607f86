"""An alert in words: as a colleague would say it, and as Slack shows it."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.facts import Crossing, Evidence, Rates, ReasonShare, Rise, Slice, Word
from services.alerts.domain.messages import place, story, title
from services.alerts.worker.bodies import in_blocks, posted
from tests.support.alerts import an_alert

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LINK = "http://alerts/v1/alerts/a-1"
ANNE = Word(by="anne", note="looking", at=NOON)


def record_of(alert: Alert) -> str:
    return msgspec.json.encode(alert.record(Change.OPENED)).decode()


def test_the_whole_story() -> None:
    alert = an_alert(
        began_between=(NOON - timedelta(minutes=140), NOON - timedelta(minutes=110)),
        slices=(
            Slice(segment={"region": "EU", "product": "shoes"}, share=0.87),
            Slice(segment={"queue": "billing"}, share=0.09),
        ),
        also_raised=({"region": "EU"}, {"product": "shoes"}, {}, {"queue": "billing"}),
    )

    assert story(alert, LINK) == (
        "Since 2026-03-02 10:00 UTC (or any time from 2026-03-02 09:40 to 10:10), 28 of 84 "
        "customers (region EU, product shoes, post-delivery, nps) were detractors: 33 %, "
        "95 % interval 24 % to 44 %, where 14 % is normal. "
        "The true rise is likely about 19 points (9 to 29): 16 unhappy customers more than usual "
        "an hour. "
        "Evidence: e-value 5,230; chance raises at most 1 alert a week over all segments together. "
        "It explains 87 % of the rise in the survey; queue billing 9 %. "
        "Also seen in region EU; product shoes; all customers; and 1 more. "
        "Reason that grew: delivery-late (61 %, before 21 %). "
        f'Somebody wrote: "It came too late." {LINK}'
    )


def test_one_of_each_is_said_in_the_singular() -> None:
    alert = an_alert(
        segment={}, survey=None, n=1, detractors=1, slices=(), sample_comments=(),
        detractor_rate=Rates(baseline=0.004, current=1.0, interval=(0.2, 1.0)),
        rise=Rise(points=1.2, interval=(0.4, 3.0)),
        hurt_per_hour=1 / 24,
        evidence=Evidence(e_value=3e9, false_alarms_per_week=0.5),
        top_reasons=(ReasonShare(reason="a", share=0.5, change=0.2),
                     ReasonShare(reason="b", share=0.4, change=0.1),
                     ReasonShare(reason="c", share=0.4, change=-0.1)),
    )  # fmt: skip

    assert story(alert, LINK) == (
        "Since 2026-03-02 10:00 UTC, 1 of 1 customer (all customers, nps) was a detractor: 100 %, "
        "95 % interval 20 % to 100 %, where 0.4 % is normal. "
        "The true rise is likely about 1 point (0 to 3): 1 unhappy customer more than usual a day. "
        "Evidence: e-value over 1,000,000; chance raises at most 0.5 alerts a week over all "
        "segments together. Reasons that grew: a (50 %, before 30 %), b (40 %, before 30 %). "
        f"{LINK}"
    )


def test_how_it_ended_is_said() -> None:
    alert = an_alert()
    over = alert.end(State.RESOLVED, NOON, NOON)
    normal = alert.end(State.ACCEPTED, NOON, NOON, ANNE)

    assert "Acknowledged by anne." in story(alert.acknowledge(ANNE), LINK)
    assert title(over) == "Recovered: region EU, product shoes, post-delivery, nps"
    assert "Resolved at 2026-03-02 12:00 UTC." in story(over, LINK)
    assert "Accepted as the new normal by anne at" in story(normal, LINK)


def test_slack_shows_blocks_in_which_nothing_is_more_than_text() -> None:
    alert = an_alert(
        segment={"region": "<!channel>"},
        sample_comments=("see <https://evil.example|this>\n@here *now*", "slow & late"),
    )

    message = in_blocks(record_of(alert), "http://alerts")

    texts = [block["text"]["text"] for block in message.blocks[:-1]]
    assert texts[0] == (
        "*region &lt;!channel&gt;: 33 % detractors where 14 % is normal (post-delivery, nps)*"
    )
    assert texts[1].startswith("Since 2026-03-02 10:00 UTC, 28 of 84 customers (region &lt;!chan")
    assert texts[2] == (
        "> see &lt;https://evil.example|this&gt; @\u200bhere *now*\n> slow &amp; late"
    )
    assert texts[3] == f"<{LINK}|The whole alert>"
    assert message.blocks[-1]["elements"][0]["text"] == "critical, opened, a-1 revision 1"
    assert all(block["text"]["verbatim"] for block in message.blocks[:-1])
    assert message.text == texts[0].strip("*")


@pytest.mark.parametrize("length", [10, 40_000])
def test_a_message_is_never_longer_than_slack_takes(length: int) -> None:
    alert = an_alert(segment={"region": "&" * length}, sample_comments=("&" * length,) * 3)

    message = in_blocks(record_of(alert), "http://alerts")

    assert all(len(block["text"]["text"]) <= 3_000 for block in message.blocks[:-1])
    assert len(message.text) <= 3_000
    assert json.loads(msgspec.json.encode(message))


def test_labels_stay_whatever_explains_the_alert_later() -> None:
    rates = Rates(baseline=0.14, current=0.33, interval=(0.24, 0.44))
    crossing = Crossing(segment={"region": "EU"}, began_at=NOON, opened_at=NOON, n=84, rates=rates)
    raised = an_alert(segment={"region": "EU"}, crossings=(crossing,))
    explained = msgspec.structs.replace(raised, segment={"region": "EU", "product": "shoes"})
    next_one = msgspec.structs.replace(raised, id="a-2")

    before, after, other = (
        posted(alert, alert.severity, "http://alerts", NOON + timedelta(minutes=1))
        for alert in (raised, explained, next_one)
    )

    assert before.labels == after.labels
    assert before.annotations["segment"] == "region EU"
    assert after.annotations["segment"] == "region EU, product shoes"
    assert other.labels != before.labels  # two of one segment are two


def test_a_segment_is_named_alike_before_and_after_it_was_stored() -> None:
    raised, stored = {"product": "shoes", "region": "EU"}, {"region": "EU", "product": "shoes"}

    assert place(raised) == place(stored) == "region EU, product shoes"
