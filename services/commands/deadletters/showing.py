"""`show`: letters in full, with key, headers and value."""

import base64
import json
import sys
from datetime import UTC, datetime

from services.commands.deadletters.arguments import Asked
from services.commands.deadletters.letters import Found, open_letters
from services.commands.deadletters.texts import legible, one_line, plain, pretty
from shared.stream import Broker
from shared.stream.letters import Letter, why_not_replayed


async def show_letters(asked: Asked, broker: Broker) -> int:
    """Print each letter; those that were replayed only where they are named."""
    missing = set(asked.wanted.ids)
    shown, more = 0, False
    async with open_letters(broker, asked.wanted) as letters:
        async for page in letters.pages():
            open_ones = [one for one in page if asked.wanted.ids or not one.replayed]
            for one in open_ones[: None if asked.limit is None else asked.limit - shown]:
                _print(one, as_json=asked.json)
                missing.discard(one.letter.id)
                shown += 1
            more = asked.limit is not None and shown == asked.limit
            if more:
                break
    if more and not asked.wanted.ids:
        sys.stderr.write(f"{shown} shown; there may be more: --limit\n")
    for letter in sorted(missing):
        sys.stderr.write(f"{letter} is no dead letter, or its time to be kept is over\n")
    return 1 if missing else 0


def _print(found: Found, *, as_json: bool) -> None:
    print(json.dumps(_as_json(found)) if as_json else _as_text(found))


def _as_text(found: Found) -> str:
    letter = found.letter
    kind, value = _value(letter)
    lines = [
        ("why", letter.detail),
        ("field", letter.field),
        ("failed", f"{letter.failed_at}, {_times(letter.failures)}"),
        ("record", f"{letter.topic}/{letter.partition}@{letter.offset}{_written(letter)}"),
        ("replay of", letter.replay_of),
        ("state", _state(found)),
        ("key", legible(letter.key)),
        *(("header", f"{name}: {legible(content)}") for name, content in letter.headers),
        ("value", kind),
    ]
    title = f"{letter.id}  {letter.reason or '?'}, {letter.service or '?'}"
    text = [one_line(title), *(f"  {name:<10}{one_line(said)}" for name, said in lines if said)]
    text += [f"    {line}" for line in value.splitlines()]
    return "\n".join([*text, ""])


def _value(letter: Letter) -> tuple[str, str]:
    if not letter.value:
        return ("none" if letter.value is None else "empty"), ""
    size = f"{len(letter.value)} bytes"
    had = dict(letter.cut).get("value")
    if had is not None:
        return f"the first {size} of {had}", plain(letter.value.decode(errors="backslashreplace"))
    kind, value = pretty(letter.value)
    return f"{size}, {kind}", value


def _times(failures: int) -> str:
    return "once" if failures == 1 else f"{failures} times"


def _written(letter: Letter) -> str:
    try:
        moment = datetime.fromtimestamp(letter.timestamp_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return f", first written {moment:%Y-%m-%dT%H:%M:%SZ}" if letter.timestamp_ms else ""


def _state(found: Found) -> str:
    if found.replayed:
        return "replayed"
    why = why_not_replayed(found.letter)
    return f"cannot be replayed: {why}" if why else "open"


def _as_json(found: Found) -> dict[str, object]:
    letter = found.letter
    return {
        "id": str(letter.id),
        "service": letter.service,
        "reason": letter.reason,
        "detail": letter.detail,
        "field": letter.field or None,
        "failed_at": letter.failed_at,
        "failures": letter.failures,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp_ms": letter.timestamp_ms,
        "replay_of": letter.replay_of or None,
        "replayed": found.replayed,
        "cannot_be_replayed": why_not_replayed(letter),
        "cut": dict(letter.cut),
        "key": _content(letter.key),
        "headers": [[name, _content(content)] for name, content in letter.headers],
        "value": _content(letter.value),
    }


def _content(content: bytes | None) -> object:
    """Text where it is UTF-8, else an object with the bytes in base64."""
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
