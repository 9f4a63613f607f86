"""Alerts for Alertmanager, API v2 (prometheus/alertmanager, api/v2/openapi.yaml)."""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import msgspec

from shared.senders import SEND_WITHIN, SendFailed
from shared.wire import encode_text

_PATH: Final = "/api/v2/alerts"
# These are about the alerts. A redirect, 401, 403 or 404 is about what stands in between, and an
# alert that still fires must be heard again once that is mended.
_GONE: Final = 410
_REFUSED: Final = frozenset({400, _GONE, 413, 422})
_SHOWN: Final = 300  # characters
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_]")


class PostedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. Its labels are its identity: numbers belong into annotations.

    It fires until `ends_at`; one in the past resolves it.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    link: str

    def to_json(self) -> dict[str, Any]:
        """The API's `postableAlert`."""
        return {
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "startsAt": encode_text(self.starts_at),
            "endsAt": encode_text(self.ends_at),
            "generatorURL": self.link,
        }


def label_name(text: str, *, taken: Collection[str] = ()) -> str:
    """A name that every Alertmanager accepts; one that is taken or reserved begins `segment_`."""
    name = _UNFIT.sub("_", text)
    while name in taken or not name or name[0] in "_0123456789":
        name = f"segment_{name}"
    return name


class AlertmanagerSender:
    """Posts alerts to one Alertmanager."""

    repeatable: Final = True
    capacity: Final = 1

    def __init__(
        self, client: httpx.AsyncClient, url: str, *, within: timedelta = SEND_WITHIN
    ) -> None:
        self._client = client
        self._within_s = within.total_seconds()
        self._url = url.rstrip("/") + _PATH

    async def send(self, message: Sequence[PostedAlert]) -> None:
        """Post alerts; what it knows already is renewed.

        Raises SendFailed: for good where it refuses them (400, 413, 422) or is gone (410), for now
        on any other status but 2xx, time-out and no connection.
        """
        body = msgspec.json.encode([alert.to_json() for alert in message])
        try:
            async with asyncio.timeout(self._within_s):
                status, said = await self._post(body)
        except (httpx.HTTPError, TimeoutError) as error:
            detail = f"the Alertmanager could not be reached: {type(error).__name__}"
            raise SendFailed(detail, permanent=False) from error
        if not 200 <= status < 300:
            detail = f"the Alertmanager answered {status}: {said}".removesuffix(": ")
            raise SendFailed(detail, permanent=status in _REFUSED, gone=status == _GONE)

    async def _post(self, body: bytes) -> tuple[int, str]:
        headers = {"content-type": "application/json"}
        request = self._client.stream("POST", self._url, content=body, headers=headers)
        async with request as response:
            said = ""
            async for text in response.aiter_text(_SHOWN):
                said = text
                break  # the rest may be long
            return response.status_code, said
