"""What an operator may ask for, and what is said to one who mistypes."""

import argparse
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

from shared.db import SCHEMAS
from shared.durations import parse_duration
from shared.errors import Reason
from shared.events import Topic
from shared.stream.letters import Letter, LetterId
from shared.wire import encode_text

_ABOUT: Final = "Dead letters: the records that could not be processed, each with its reason."
_LIST: Final = """\
How many, by service, topic and reason (the default). Neither keys nor values are shown; those that
were sent back are only counted.
"""
_SHOW: Final = """\
Letters in full. Key and value may be personal. Ten, unless --limit says more or letters are named.
"""
_REPLAY: Final = """\
Send letters back to their topics. Each takes effect once, however often it is sent; one that was
sent back is not sent again. One that fails again is a new letter. Mend the cause first, and try
with --dry-run, then --limit 1.
"""
_EXIT: Final = "exit: 0 done, 1 something could not be shown or replayed, 2 cannot start"
_SHOWN: Final = 10
REASONS: Final = tuple(map(str, Reason))
_TOPICS: Final = tuple(str(topic) for topic in Topic if topic is not Topic.DEAD_LETTERS)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters; an empty set is no bound. Times are texts that compare as times do."""

    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    ids: frozenset[LetterId] = frozenset()
    since: str = ""
    until: str = ""

    def takes(self, letter: Letter) -> bool:
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and (not self.services or letter.service in self.services)
            and (not self.ids or letter.id in self.ids)
            and letter.failed_at >= self.since
            and (not self.until or letter.failed_at < self.until)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One command line, read."""

    verb: str
    wanted: Filter
    json: bool = False
    limit: int | None = None
    dry_run: bool = False
    again: bool = False


def read_arguments(arguments: Sequence[str], now: datetime) -> Asked:
    """Read the command line. A mistake ends the process with 2 and a sentence."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["list", *arguments]
    parser, replay = _build_parser(now)
    found = parser.parse_args(arguments)
    ids = frozenset(found.ids)
    if found.verb == "replay" and not (found.reason or ids):
        replay.error(f"name what to send back: --reason {'|'.join(REASONS)}, or --id 3@17")
    wanted = Filter(
        reasons=frozenset(found.reason),
        topics=frozenset(found.topic),
        services=frozenset(found.service),
        ids=ids,
        since=found.since or "",
        until=found.until or "",
    )
    limit = _SHOWN if found.verb == "show" and not ids and found.limit is None else found.limit
    return Asked(
        verb=found.verb,
        wanted=wanted,
        json=found.json,
        limit=limit,
        dry_run=getattr(found, "dry_run", False),
        again=getattr(found, "again", False),
    )


def _build_parser(now: datetime) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m services deadletters",
        description=_ABOUT,
        epilog=_EXIT,
        formatter_class=form,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show|replay")
    filters = _build_filters(now)
    listing = _add(verbs, "list", filters, _LIST)
    listing.set_defaults(ids=[])
    show = _add(verbs, "show", filters, _SHOW)
    show.add_argument("ids", nargs="*", type=_letter_id, metavar="3@17", help="partition@offset")
    replay = _add(verbs, "replay", filters, _REPLAY)
    replay.add_argument(
        "--id", dest="ids", action="append", default=[], type=_letter_id, metavar="3@17",
        help="this letter; may be repeated",
    )  # fmt: skip
    replay.add_argument("--dry-run", action="store_true", help="say what would be sent")
    replay.add_argument("--again", action="store_true", help="also what was replayed before")
    return parser, replay


def _add(verbs: Any, name: str, filters: argparse.ArgumentParser, about: str) -> Any:
    first, _, _ = about.partition(".")
    return verbs.add_parser(name, parents=[filters], description=about, help=first.lower())


def _build_filters(now: datetime) -> argparse.ArgumentParser:
    filters = argparse.ArgumentParser(add_help=False)
    for name, known in (("reason", REASONS), ("topic", _TOPICS), ("service", tuple(SCHEMAS))):
        filters.add_argument(
            f"--{name}", action="append", default=[], type=_one_of(known),
            help=f"may be repeated: {', '.join(known)}",
        )  # fmt: skip
    for name, words in (("since", "failed then or later"), ("until", "failed before")):
        filters.add_argument(
            f"--{name}", type=_moment(now), metavar="TIME",
            help=f"{words}: 2026-11-21T03:00:00Z, or 2h for two hours ago",
        )  # fmt: skip
    filters.add_argument("--limit", type=_count, metavar="N", help="at most so many")
    filters.add_argument("--json", action="store_true", help="one JSON object a line")
    return filters


def _one_of(known: Collection[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text in known:
            return text
        near = get_close_matches(text, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise argparse.ArgumentTypeError(f"{text!r} is none; {hint}accepted: {', '.join(known)}")

    return read


def _moment(now: datetime) -> Callable[[str], str]:
    def read(text: str) -> str:
        with suppress(ValueError, OverflowError):
            return encode_text(now - parse_duration(text))
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                return encode_text(moment)
        accepted = "2026-11-21T03:00:00Z (with its offset), or 30m, 2h, 7d for so long ago"
        raise argparse.ArgumentTypeError(f"{text!r} is no time; accepted: {accepted}")

    return read


def _letter_id(text: str) -> LetterId:
    partition, _, offset = text.partition("@")
    if not (partition.isdecimal() and offset.isdecimal() and len(text) < 30):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no letter; accepted: partition@offset, such as 3@17, as `list` shows it"
        )
    return LetterId(int(partition), int(offset))


def _count(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) < 10**9):
        raise argparse.ArgumentTypeError(f"{text!r} is none; accepted: a whole number from 1")
    return int(text)
