"""An alert as each kind of destination takes it."""

from datetime import datetime
from typing import Final

import msgspec

from services.alerts.domain.alerts import Alert
from services.alerts.domain.deliveries import FIRING_FOR
from services.alerts.domain.estimates import Severity
from services.alerts.domain.messages import ending, sentences, story, title, where
from shared.senders import slack
from shared.senders.alertmanager import PostedAlert, label_name
from shared.senders.slack import SlackMessage

_OWN_LABELS: Final = ("alertname", "incident", "metric", "survey", "severity")


def in_words(record: str, base: str) -> bytes:
    """The published record with `title`, `text` and `link` for people, the same at each try."""
    alert = msgspec.json.decode(record, type=Alert)
    link = link_to(alert, base)
    words = {"title": title(alert), "text": story(alert, link), "link": link}
    return msgspec.json.encode({**msgspec.json.decode(record), **words})


def in_blocks(record: str, base: str) -> SlackMessage:
    """The published record for Slack: nothing in it that customers wrote is more than text."""
    alert = msgspec.json.decode(record, type=Alert)
    change = msgspec.json.decode(record)["change"]
    headline = slack.escaped(title(alert))
    quotes = "\n".join(f"> {slack.escaped(' '.join(one.split()))}" for one in alert.sample_comments)
    said = slack.escaped(" ".join(filter(None, (*sentences(alert), ending(alert)))))
    small = slack.escaped(f"{alert.severity}, {change}, {alert.id} revision {alert.revision}")
    parts = [f"*{headline}*", said, quotes, slack.link(link_to(alert, base), "The whole alert")]
    blocks = [slack.section(part) for part in parts if part]
    return SlackMessage(
        text=slack.cut(headline, slack.LONGEST_SECTION), blocks=(*blocks, slack.context(small))
    )


def link_to(alert: Alert, base: str) -> str:
    """Where the alert is read and decided on."""
    return f"{base}/v1/alerts/{alert.id}"


def posted(alert: Alert, raised_as: Severity, base: str, now: datetime) -> PostedAlert:
    """The alert for Alertmanager: a label set that never changes, the rest in annotations.

    The labels are of the moment in which it was raised, with its id: neither another explanation
    nor a second alert of the same segment makes it one with another.
    """
    link = link_to(alert, base)
    labels = {"alertname": "DetractorSpike", "incident": alert.id, "metric": alert.metric}
    labels["severity"] = str(raised_as)
    if alert.survey:
        labels["survey"] = alert.survey
    for name, value in alert.raised_segment.items():
        labels[label_name(name, taken={*_OWN_LABELS, *labels})] = value
    rate, rise = alert.detractor_rate, alert.rise
    annotations = {
        "summary": title(alert),
        "description": story(alert, link),
        "alert_id": alert.id,
        "segment": where(alert),
        "answers": str(alert.n),
        "detractors": str(alert.detractors),
        "baseline": f"{rate.baseline:.3f}",
        "current": f"{rate.current:.3f}",
        "rise_points": f"{rise.points:.1f}",
        "severity_now": str(alert.severity),
        "link": link,
    }
    ends_at = now + FIRING_FOR if alert.resolved_at is None else min(alert.resolved_at, now)
    return PostedAlert(
        labels=labels,
        annotations=annotations,
        starts_at=min(alert.opened_at, now),  # clocks differ; it refuses an end before the start
        ends_at=ends_at,
        link=link,
    )
