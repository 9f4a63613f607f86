"""Suppressions: acknowledged once no send to the customer is under way."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, Self

from fastapi import APIRouter, Depends, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from sqlalchemy import RowMapping

from services.trigger.domain.customers import clean_id
from services.trigger.domain.suppressions import EVERY_CHANNEL, Ground, Suppression
from services.trigger.store.suppressions import SuppressionStore
from shared.errors import NotFound, Unavailable
from shared.keys import require_scope
from shared.web.app import json_response

_LOOK_AGAIN_S: Final = 0.05

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class NewSuppression(BaseModel):
    """Whom not to ask any more: the customer, or whoever was sent this invitation."""

    model_config = ConfigDict(extra="forbid")

    customer_id: Name | None = None
    invitation_id: Name | None = None
    channels: list[Literal["email", "sms", "webhook"]] = Field(default=[], max_length=10)
    reason: Ground = Ground.OPTED_OUT
    by: Name | None = None

    @field_validator("customer_id")
    @classmethod
    def _as_in_events(cls, value: str | None) -> str | None:
        cleaned = None if value is None else clean_id(value)
        if cleaned == "":
            raise ValueError("an id with at least one visible character")
        return cleaned

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.customer_id is None) == (self.invitation_id is None):
            raise ValueError("customer_id or invitation_id, one of both")
        return self


@dataclass(frozen=True)
class Suppressing:
    """What the routes work with. `stored` is called when the world is to be told."""

    store: SuppressionStore
    clock: Callable[[], datetime]
    stored: Callable[[], None]
    patience_s: float = 8.0


def build_suppressions(suppressing: Suppressing) -> APIRouter:
    """Record, read and lift suppressions."""
    router = APIRouter(tags=["suppressions"])
    store = suppressing.store

    @router.post(
        "/v1/suppressions",
        summary="Do not ask this customer any more",
        dependencies=[Depends(require_scope("suppressions:write"))],
    )
    async def suppress(body: NewSuppression) -> Response:
        customer_id = body.customer_id or await _owner(store, body.invitation_id or "")
        now = suppressing.clock()
        await store.add(Suppression(customer_id, body.channels, body.reason, now, body.by))
        suppressing.stored()
        await _until_quiet(suppressing, customer_id)
        return json_response(_shown(customer_id, await store.read(customer_id)))

    @router.get(
        "/v1/suppressions/{customer_id:path}",
        summary="What a customer must not be asked by",
        dependencies=[Depends(require_scope("suppressions:read"))],
    )
    async def read(customer_id: str) -> Response:
        rows = await store.read(customer_id)
        if not rows:
            raise NotFound("this customer is not suppressed")
        return json_response(_shown(customer_id, rows))

    @router.delete(
        "/v1/suppressions/{customer_id:path}",
        summary="The customer may be asked again",
        dependencies=[Depends(require_scope("suppressions:write"))],
        status_code=204,
    )
    async def lift(customer_id: str) -> Response:
        if not await store.lift(customer_id, suppressing.clock()):
            raise NotFound("this customer is not suppressed")
        return Response(status_code=204)

    return router


async def _owner(store: SuppressionStore, invitation_id: str) -> str:
    owner = await store.owner(invitation_id)
    if owner is None:
        raise NotFound("there is no such invitation")
    return owner


async def _until_quiet(suppressing: Suppressing, customer_id: str) -> None:
    """Wait for a send that had begun; what was stored stays when it takes too long."""
    for _ in range(round(suppressing.patience_s / _LOOK_AGAIN_S)):
        if not await suppressing.store.under_way(customer_id):
            return
        await asyncio.sleep(_LOOK_AGAIN_S)
    raise Unavailable(
        "it is stored, but a send to this customer had begun and has not ended yet",
        retry_after_s=10,
    )


def _shown(customer_id: str, rows: Sequence[RowMapping]) -> dict[str, object]:
    everything = any(row["channel"] == EVERY_CHANNEL for row in rows)
    newest = max(rows, key=lambda row: row["at"])
    return {
        "customer_id": customer_id,
        "channels": [] if everything else [row["channel"] for row in rows],
        "reason": newest["reason"],
        "by": newest["by"],
        "at": newest["at"],
    }
