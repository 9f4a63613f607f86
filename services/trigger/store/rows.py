"""Rows of `invitations` as what they mean."""

from typing import Any, Protocol

import msgspec

from services.trigger.domain.invitations import Invitation
from services.trigger.domain.letters import Letter
from shared.events import EventRef, SurveyInvitation


class Row(Protocol):
    """A row by its columns' names."""

    def __getitem__(self, key: str, /) -> Any: ...


def as_mapping(value: str | dict[str, str]) -> dict[str, str]:
    """A jsonb column: plain SQL gives its text, Core its value."""
    if isinstance(value, str):
        return msgspec.json.decode(value, type=dict[str, str])
    return value


def as_object(value: str | dict[str, Any] | None) -> dict[str, Any]:
    """A jsonb column as `as_mapping`, of any values; nothing where it is null."""
    if isinstance(value, str):
        return msgspec.json.decode(value, type=dict[str, Any])
    return value or {}


def as_json(value: object) -> str:
    """A value for a jsonb column."""
    return msgspec.json.encode(value).decode()


def read_event(row: Row) -> EventRef:
    return EventRef(
        source=row["source"], id=row["event_id"], type=row["event_type"], time=row["event_time"]
    )


def read_invitation(row: Row) -> Invitation:
    """The invitation of a row."""
    return Invitation(
        id=row["id"],
        survey=row["survey"],
        kind=row["kind"],
        metric=row["metric"],
        scale=(row["scale_low"], row["scale_high"]),
        trigger=row["trigger"],
        customer_id=row["customer_id"],
        subject_id=row["subject_id"],
        touchpoint=row["touchpoint"],
        event=read_event(row),
        segments=as_mapping(row["segments"]),
        words=as_mapping(row["words"]),
        channels=row["channels"],
        language=row["language"],
        send_at=row["send_at"],
        expires_at=row["expires_at"],
        resend_on_doubt=row["resend_on_doubt"],
        zones=row["zones"],
        basis=row["basis"] or "",
        experiment=row["experiment"],
        variant=row["variant"],
        reminder_of=row["reminder_of"],
        reminder=row["reminder"],
    )


def read_letter(row: Row) -> Letter:
    """The claimed invitation of a row that carries its contact."""
    return Letter(
        invitation=read_invitation(row),
        claim=row["claim"],
        attempts=row["attempts"],
        email=row["email"],
        phone=row["phone"],
        locale=row["locale"],
        timezone=row["timezone"],
        traceparent=row["traceparent"],
    )


def read_record(row: Row) -> SurveyInvitation:
    """The record of `survey-invitations`; until it is sent, `invited_at` is when it shall be."""
    return SurveyInvitation(
        id=row["id"],
        revision=row["revision"],
        status=row["status"],
        survey=row["survey"],
        kind=row["kind"],
        metric=row["metric"],
        scale=(row["scale_low"], row["scale_high"]),
        trigger=row["trigger"],
        customer_id=row["customer_id"],
        subject_id=row["subject_id"],
        touchpoint=row["touchpoint"],
        event=read_event(row),
        segments=as_mapping(row["segments"]),
        channel=row["channels"][0],
        language=row["language"],
        invited_at=row["invited_at"] or row["send_at"],
        expires_at=row["expires_at"],
    )
