"""The one call between services: trigger records an opt-out before the next dispatch."""

import asyncio
from typing import Final

import httpx
import structlog

_log = structlog.get_logger()
_BOUND_S: Final = 10.0


class TriggerOptOuts:
    """Records opt-outs at trigger, waiting at most 10 s."""

    def __init__(self, client: httpx.AsyncClient, url: str, key: str) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}/v1/suppressions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def record(self, invitation_id: str) -> bool:
        """Whether trigger has acknowledged. False, logged, whatever else it says."""
        body = {
            "invitation_id": invitation_id,
            "channels": [],
            "reason": "opted-out",
            "by": "customer",
        }
        try:
            async with asyncio.timeout(_BOUND_S):
                reply = await self._client.post(self._url, json=body, headers=self._headers)
        except (httpx.HTTPError, TimeoutError) as error:
            _log.warning("trigger is away: the opt-out is queued", error=type(error).__name__)
            return False
        if reply.is_success:
            return True
        _log.error("trigger did not take the opt-out: it is queued", status=reply.status_code)
        return False


def open_client() -> httpx.AsyncClient:
    """A client for calls to trigger: bounded, without redirects, deaf to proxy variables."""
    return httpx.AsyncClient(timeout=_BOUND_S, follow_redirects=False, trust_env=False)
