"""Made-up events, what became of them, and how far they came, counted the slow way."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from services.scoring.domain.cells import Layout
from shared.events import SurveyDecision, SurveyInvitation, SurveyResponse
from tests.support.scoring import LAYOUT, START, decision, invitation, response
from tests.support.scoring_history import winners

Number = tuple[Any, ...]  # survey, slice, values, hour, step

# What is decided on one event, in turn; after a slash what the invitation came to.
COURSES = (
    ["no-trigger"],
    ["rule-not-met"],
    ["rule-error"],
    ["too-old"],
    ["not-sampled"],
    *([["asked"]] * 5),
    ["asked/channel-failed"],
    ["quiet-hours"],
    ["quiet-hours/cancelled-by-event"],
    ["delayed"],
    ["delayed", "asked"],
    ["delayed", "cancelled-by-event"],
    ["settling", "rule-not-met"],
    ["settling", "delayed", "quiet-hours/expired"],
    ["settling", "asked-already"],
)
ASKED = {"asked", "quiet-hours"}
HEARD = {"no-trigger", "rule-not-met", "rule-error", "too-old", "settling"}


def lives(seed: int, events: int = 50) -> list[Any]:
    """Decisions, invitations and replies on events of some hours, all of them as published."""
    draw = random.Random(seed)
    values: list[Any] = []
    for number in range(events):
        key = f"e-{number}"
        at = START + timedelta(minutes=draw.randint(0, 300))
        segments = {"region": draw.choice("AB"), "product": draw.choice("xyz")}
        if draw.random() < 0.2:
            del segments["product"]
        survey = draw.choice(["post-delivery", "post-call"])
        course = draw.choice(COURSES)
        for turn, reasons in enumerate(course):
            shared = {
                "event_time": at,
                "decided_at": at + timedelta(hours=turn),
                "survey": None if course == ["no-trigger"] else survey,
                "segments": segments,
            }
            first, *ended = reasons.split("/")
            values.append(decision(key, first, **shared))
            values += [
                decision(key, reason, **shared, invitation_id=f"i-{key}") for reason in ended
            ]
        if course[-1].split("/")[0] in ASKED:
            values += _letters(draw, key, at, survey, segments, ended="/" in course[-1])
    return values


def _letters(
    draw: random.Random, key: str, at: Any, survey: str, segments: Any, *, ended: bool
) -> list[Any]:
    event = decision(key, event_time=at).event
    shared = {"survey": survey, "segments": segments, "event": event, "invited_at": at}
    values: list[Any] = [invitation(f"i-{key}", 1, status="scheduled", **shared)]
    if not ended and draw.random() < 0.8:
        values.append(invitation(f"i-{key}", 2, status="sent", **shared))
        values += [
            response(
                f"r-{key}-{place}",
                draw.randint(0, 10),
                invitation_id=f"i-{key}",
                answered_at=at + timedelta(minutes=draw.randint(1, 400), seconds=place),
            )
            for place in range(draw.choice([0, 1, 1, 2]))
        ]
    return values


def latest(values: Iterable[Any]) -> list[SurveyDecision]:
    """The last decision of each event and trigger."""
    order = ["scheduled", "invited", "suppressed"]
    found: dict[Any, Any] = {}
    for value in values:
        if isinstance(value, SurveyDecision):
            key = value.source, value.event_id, value.trigger
            rank = value.decided_at, order.index(value.decision)
            if key not in found or rank > found[key][0]:
                found[key] = rank, value
    return [value for _, value in found.values()]


def funnel_of(values: list[Any], layout: Layout = LAYOUT) -> dict[Number, int]:
    """Every step of every slice."""
    found: Counter[Number] = Counter()
    for one in latest(values):
        found.update(_cells(layout, one.survey, one.segments, one.event_time, _step(one)))
    letters = [one for one in values if isinstance(one, SurveyInvitation | SurveyResponse)]
    replies, askings = winners(letters)
    for key, asking in askings.items():
        if asking.status == "sent":
            for step in ["delivered", "answered"] if key in replies else ["delivered"]:
                place = asking.survey, asking.segments, asking.event.time
                found.update(_cells(layout, *place, step))
    return dict(found)


def _step(one: SurveyDecision) -> str:
    waits = one.reason in {"delayed", "settling"}
    if one.invitation_id is not None and not waits:
        return f"asked:{one.reason}"
    return f"{'heard' if one.reason in HEARD else 'eligible'}:{one.reason}"


def _cells(
    layout: Layout, survey: str | None, segments: Mapping[str, str], at: Any, step: str
) -> Iterable[Number]:
    hour = int(at.timestamp()) // 3600
    for names in layout.slices:
        wanted = names.split(",") if names else []
        if all(name in segments for name in wanted):
            yield survey or "", names, tuple(segments[name] for name in wanted), hour, step
