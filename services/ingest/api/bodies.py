"""Bodies of requests: their size bounded before they are read, their JSON decoded or explained."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, NamedTuple

import msgspec

from shared.errors import BadJson, TooLarge, UnsupportedMedia

BATCH_LIMIT: Final = 4 * 1024 * 1024

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_decode = msgspec.json.Decoder().decode


class Head(NamedTuple):
    """The headers that decide what happens to a body; the media type without parameters."""

    media_type: str
    length: int
    encoding: bytes
    authorization: str | None


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Pick the headers that matter; names are lower case, as ASGI gives them."""
    media_type, length, encoding, authorization = b"", 0, b"", None
    for name, value in headers:
        if name == b"content-type":
            media_type = value.partition(b";")[0].strip().lower()
        elif name == b"content-length":
            length = int(value) if value.isdigit() else 0
        elif name == b"content-encoding":
            encoding = value
        elif name == b"authorization":
            authorization = value.decode("latin-1")
    return Head(media_type.decode("latin-1"), length, encoding, authorization)


def check_json(head: Head) -> None:
    """Raise UnsupportedMedia unless the body is plain JSON; no content type is taken for it."""
    media_type = head.media_type
    if media_type not in ("application/json", "") and not media_type.endswith("+json"):
        raise UnsupportedMedia(f"{media_type} is not taken here; accepted: application/json")
    check_plain(head)


def check_plain(head: Head) -> None:
    """Raise UnsupportedMedia on a compressed body."""
    if head.encoding not in (b"", b"identity"):
        raise UnsupportedMedia("a content-encoding is not taken here; send the body as it is")


async def read_body(head: Head, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises TooLarge above `limit` bytes, BadJson if the caller went away."""
    if head.length > limit:
        raise _too_large(limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body") and len(body) <= limit:
        return body
    return await _read_on(message, receive, limit)


async def _read_on(message: MutableMapping[str, Any], receive: Receive, limit: int) -> bytes:
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise BadJson("the body ended before it was complete")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def decode_json(body: bytes) -> Any:
    """The body's JSON value. Raises BadJson."""
    try:
        return _decode(body)
    except UnicodeDecodeError:
        raise BadJson("the body is not UTF-8") from None
    except RecursionError:
        raise BadJson("the body is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise BadJson(f"the body is not JSON: {error}") from None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit // 1024:,} KiB")
