"""Alerts for Alertmanager, API v2 (prometheus/alertmanager, api/v2/openapi.yaml)."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import httpx
import msgspec

from shared.events import encode_text
from shared.senders import SendFailed

_PATH: Final = "/api/v2/alerts"
_GONE_FOR_GOOD: Final = frozenset(range(300, 500)) - {404, 408, 425, 429}
_SHOWN: Final = 300
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

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/") + _PATH

    async def send(self, message: Sequence[PostedAlert]) -> None:
        """Post alerts; what it knows already is renewed.

        Raises SendFailed: for good where it refuses them (3xx, 4xx), for now on 404, 408, 425, 429,
        5xx, time-out and no connection.
        """
        body = msgspec.json.encode([alert.to_json() for alert in message])
        try:
            response = await self._client.post(
                self._url, content=body, headers={"content-type": "application/json"}
            )
        except httpx.HTTPError as error:
            detail = f"the Alertmanager could not be reached: {type(error).__name__}"
            raise SendFailed(detail, permanent=False) from error
        if not response.is_success:
            detail = f"the Alertmanager answered {response.status_code}: {response.text[:_SHOWN]}"
            raise SendFailed(detail, permanent=response.status_code in _GONE_FOR_GOOD)
