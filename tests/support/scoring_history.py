"""Made-up histories of answers, and what they count to, the slow way."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from services.scoring.domain.cells import Layout
from shared.events import SurveyResponse
from tests.support.scoring import LAYOUT, START, invitation, response

SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
Number = tuple[Any, ...]


def history(seed: int, ids: int = 60) -> list[Any]:
    """Replies and invitations with amendments and revisions; no two replies at one moment."""
    draw = random.Random(seed)
    values: list[Any] = []
    for number in range(ids):
        key, invited = f"i-{number}", draw.random() < 0.5
        metric = draw.choice(list(SCALES))
        if invited:
            values += [_asked(draw, key, metric, revision) for revision in _first(draw, 1)]
        values += [_said(draw, key, metric, at, invited=invited) for at in _first(draw, 0)]
    return values


def _first(draw: random.Random, least: int) -> range:
    return range(1, draw.randint(least, 3) + 1)


def _asked(draw: random.Random, key: str, metric: str, revision: int) -> Any:
    return invitation(
        key,
        revision,
        metric=metric,
        scale=SCALES[metric],
        status="sent" if revision > 1 else draw.choice(["scheduled", "sent"]),
        segments={"region": draw.choice("AB"), "product": draw.choice("xyz")},
        invited_at=START - timedelta(minutes=draw.randint(0, 300)),
    )


def _said(draw: random.Random, key: str, metric: str, number: int, *, invited: bool) -> Any:
    at = START + timedelta(minutes=draw.randint(0, 400), microseconds=number)
    return response(
        f"{key}-{number}" if invited else key,
        draw.randint(*SCALES[metric]),
        metric=metric,
        invitation_id=key if invited else None,
        survey=draw.choice([None, "other"]),
        touchpoint=draw.choice([None, "till"]),
        comment=draw.choice([None, 'a "b" \\ {c}']),
        reasons=draw.choice([(), ("late", 'odd "one"')]),
        segments={"region": draw.choice("BC"), "channel": "web", "free": "text"},
        answered_at=at,
    )


def winners(values: Iterable[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The last reply and the last invitation of each id."""
    replies: dict[str, Any] = {}
    askings: dict[str, Any] = {}
    for value in values:
        if isinstance(value, SurveyResponse):
            key = value.invitation_id or value.id
            if key not in replies or value.answered_at > replies[key].answered_at:
                replies[key] = value
        elif value.id not in askings or value.revision > askings[value.id].revision:
            askings[value.id] = value
    return replies, askings


def segments_of(reply: Any, asking: Any) -> dict[str, str]:
    """The segments in which an answer counts."""
    if asking is not None:
        return dict(asking.segments)
    own: dict[str, str] = reply.segments
    return own | ({"touchpoint": reply.touchpoint} if reply.touchpoint else {})


def recount(values: Iterable[Any], layout: Layout = LAYOUT) -> dict[Number, int]:
    """Every running count that is not 0, from the records alone."""
    replies, askings = winners(values)
    found: Counter[Number] = Counter()
    for key, reply in replies.items():
        asking = askings.get(key)
        survey = (reply if asking is None else asking).survey or ""
        segments = segments_of(reply, asking)
        point = f"p{reply.answers.score - reply.scale[0]}"
        found.update(_cells(layout, (reply.metric, survey), segments, reply.answered_at, point))
    for key, asking in askings.items():
        line = asking.metric, asking.survey
        names = ("invited", "answered") if key in replies else ("invited",)
        for name in names if asking.status == "sent" else ():
            found.update(_cells(layout, line, asking.segments, asking.invited_at, name))
    return dict(found)


def _cells(
    layout: Layout, line: tuple[str, str], segments: dict[str, str], at: datetime, name: str
) -> Iterator[Number]:
    for names in layout.slices:
        dimensions = names.split(",") if names else []
        if all(dimension in segments for dimension in dimensions):
            values = tuple(segments[dimension] for dimension in dimensions)
            yield (*line, names, values, int(at.timestamp()) // 3600, name)
