"""Draw, list and revoke API keys. The file that EARSHOT_KEYS_FILE names is read again by itself."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from shared.durations import parse_duration
from shared.keyring import Keyring, KeyringFault
from shared.keys import SCOPES, Key

_VARIABLE: Final = "EARSHOT_KEYS_FILE"
_ACCEPTED: Final = "accepted: a duration such as 90d, or a moment such as 2027-01-31T00:00:00Z"


def main(arguments: Sequence[str]) -> int:
    asked = _parser().parse_args(arguments)
    try:
        ring = Keyring(_file(asked.file))
        if asked.verb == "create":
            _create(ring, asked)
        elif asked.verb == "revoke":
            ring.revoke(asked.id)
            print(f"{asked.id} opens nothing any more")
        else:
            _list(ring.keys(), datetime.now(UTC))
    except KeyringFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services keys", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
    create = verbs.add_parser("create", help="draw a key, and print it this once")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=[*SCOPES, "*"],
        metavar="SCOPE",
        help=f"what it opens, may stand several times: {', '.join(SCOPES)}, or * for all",
    )
    create.add_argument("--id", help="a name for its holder, such as shop-eu; default: key-2 …")
    create.add_argument("--expires", help="90d, or a moment in RFC 3339; default: never")
    listing = verbs.add_parser("list", help="ids, scopes and expiry; no key itself")
    revoke = verbs.add_parser("revoke", help="take a key out of the file")
    revoke.add_argument("id")
    for verb in (create, listing, revoke):
        verb.add_argument("--file", type=Path, help="default: EARSHOT_KEYS_FILE")
    return parser


def _file(named: Path | None) -> Path:
    found = named or os.environ.get(_VARIABLE)
    if not found:
        raise KeyringFault(f"which file? --file PATH, or {_VARIABLE}")
    return Path(found)


def _create(ring: Keyring, asked: argparse.Namespace) -> None:
    expires = None if asked.expires is None else _moment(asked.expires, datetime.now(UTC))
    text, key = ring.draw(asked.id, asked.scope, expires)
    print(f"key of {key.id}, shown this once: {text}")


def _moment(text: str, now: datetime) -> datetime:
    """Raises KeyringFault unless it is a duration from now, or a moment that is still to come."""
    try:
        soon = text[-1:] in "smhd"
        found = now + parse_duration(text) if soon else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        raise KeyringFault(f"--expires: {text!r}: {_ACCEPTED}")
    if found <= now:
        raise KeyringFault(f"--expires: {text} is over; {_ACCEPTED}")
    return found.astimezone(UTC).replace(microsecond=0)


def _list(keys: Sequence[Key], now: datetime) -> None:
    for key in keys:
        print(f"{key.id:<24}{_until(key, now):<34}{', '.join(sorted(key.scopes))}")


def _until(key: Key, now: datetime) -> str:
    if key.expires is None:
        return "does not expire"
    word = "expired" if key.expired(now) else "until"
    return f"{word} {key.expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
