"""Replay real answers through the detector, beside the acceptance checks of its design.

    EARSHOT_DATA=... python -m benchmarks.detector_real_data [--pairs] [--list] [SET ...]

With --pairs every pair of values of the first two dimensions is watched too. Default settings.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.detector_replay import Replay, Segment, hour, replay, stamp
from benchmarks.detector_sets import SETS


@dataclass(frozen=True)
class Check:
    """One acceptance check: what was asked, what came, and whether that is enough."""

    number: str
    asked: str
    came: str
    passed: bool


BLIZZARD = {
    "Southwest": ("2015-02-21T05:00:00Z", "2015-02-22T05:00:00Z", 205),
    "Delta": ("2015-02-22T05:00:00Z", "2015-02-23T05:00:00Z", 350),
    "US Airways": ("2015-02-22T05:00:00Z", "2015-02-23T05:00:00Z", 200),
}
LATE_ORDERS = (
    ("2017-12-11T00:00:00Z", "2017-12-25T00:00:00Z"),
    ("2018-03-18T00:00:00Z", "2018-04-09T00:00:00Z"),
)
ALL: Segment = ("csat",)


def check_within(
    number: str, played: Replay, stream: Segment, window: tuple[str, str], limit: int
) -> Check:
    """Ask for an alert of that stream in the window, within so many answers from its start."""
    asked = f"{stream[-1]}: alert within {limit} answers from {window[0][:10]}"
    found = played.opened(stream, *window)
    if not found:
        return Check(number, asked, "no alert in the window", passed=False)
    used = played.answers_until(stream, hour(window[0]), found[0].opened_h)
    return Check(number, asked, f"{used} answers, {stamp(found[0].opened_h)}", passed=used <= limit)


def check_airlines(played: Replay) -> Iterator[Check]:
    """Checks 1 to 6."""
    for number, (airline, (start, end, limit)) in enumerate(BLIZZARD.items(), 1):
        stream = (*ALL, f"airline={airline}")
        yield check_within(str(number), played, stream, (start, end), limit)
    start, end = "2015-02-23T14:00:00Z", "2015-02-24T02:00:00Z"
    delta = (*ALL, "airline=Delta")
    new = len(played.opened(delta, start, end))
    ends = [a.closed_h for a in played.alarms if a.stream == delta and a.opened_h < hour(start)]
    gone = bool(ends) and max(ends) <= hour(end)
    came = f"{new} new; earlier ones ended {', '.join(map(stamp, ends)) or '(none)'}"
    yield Check(
        "4", "Delta in the burst of praise: none new, open one resolves", came, gone and not new
    )
    american = sum(a.stream == (*ALL, "airline=American") for a in played.alarms)
    yield Check("5", "American: no alert", f"{american}", american == 0)
    first, last = hour("2015-02-17T00:00:00Z"), hour("2015-02-21T05:00:00Z")
    early = sum(first <= a.opened_h <= last for a in played.alarms)
    yield Check("6", "all streams silent 17 Feb to 21 Feb 05:00", f"{early}", early == 0)


def check_olist(played: Replay) -> Iterator[Check]:
    """Checks 7 (random sample) and 8."""
    if played.setup.sample:
        yield check_within("7", played, ALL, LATE_ORDERS[1], 125)
    windows = [(hour(start), hour(end)) for start, end in LATE_ORDERS]
    outside = [
        run
        for run in played.incidents()
        if not any(low <= a.opened_h <= high for a in run for low, high in windows)
    ]
    came = f"{len(outside)} incidents in {played.weeks:.0f} weeks"
    asked = f"{played.setup.name}: <= 2 incidents outside both windows"
    yield Check("8", asked, came, len(outside) <= 2)


def check_quiet(number: str, played: Replay, most: int, *, all_silent: bool) -> Iterator[Check]:
    """Ask for few incidents, and none of the stream of all answers."""
    found = len(played.incidents())
    yield Check(number, f"{played.setup.name}: <= {most} incidents", f"{found}", found <= most)
    if all_silent:
        rung = sum(len(a.stream) == 1 for a in played.alarms)
        yield Check(number, f"{played.setup.name}: all silent", f"{rung}", rung == 0)


def check_evidence(played: Replay) -> Check:
    """Check 13, and the house's gate: 20 answers, 8 detractors, 50 answers before the onset."""
    least = min((a.seen_before_onset for a in played.alarms), default=None)
    fewest = min((a.answers for a in played.alarms), default=None)
    hurt = min((a.detractors for a in played.alarms), default=None)
    passed = least is None or (least >= 50 and (fewest or 0) >= 20 and (hurt or 0) >= 8)
    came = f"least before onset {least}, answers {fewest}, detractors {hurt}"
    return Check("13", f"{played.setup.name}: no alert on little", came, passed)


def check(played: Replay) -> Iterator[Check]:
    """Hold a replay against the acceptance checks that name its set."""
    name = played.setup.name
    if name == "airline_tweets":
        yield from check_airlines(played)
    elif name.startswith("olist"):
        yield from check_olist(played)
    quiet = {
        "pwc_calls": ("9", 2, True),
        "callcentre_rwfd": ("10", 1, True),
        "nsmc_ko": ("11", 2, True),
        "carpentries_nps": ("12", 5, False),
    }
    if name in quiet:
        number, most, silent = quiet[name]
        yield from check_quiet(number, played, most, all_silent=silent)
    yield check_evidence(played)


def print_alarms(played: Replay) -> None:
    for a in played.alarms:
        print(
            f"    {' '.join(a.stream):55.55} {stamp(a.onset_h)} -> {stamp(a.opened_h)}"
            f"  {a.detractors}/{a.answers} against {a.baseline:.3f}"
            f"  {a.how or 'open'} {stamp(a.closed_h)}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="*", help="names of sets; all without")
    parser.add_argument("--pairs", action="store_true", help="watch a pair of dimensions too")
    parser.add_argument("--list", action="store_true", help="list the alarms")
    options = parser.parse_args()
    folder = os.environ.get("EARSHOT_DATA")
    if not folder:
        print("EARSHOT_DATA is not set: no real data, nothing to replay")
        return 0
    failed = 0
    for setup in SETS:
        if options.sets and setup.name not in options.sets:
            continue
        played = replay(Path(folder), setup, pairs=options.pairs)
        print(
            f"\n{setup.name}: {played.weeks:.1f} weeks, {len(played.minutes)} streams, "
            f"{played.judged} minutes in {played.seconds:.1f} s "
            f"({1e6 * played.seconds / max(played.judged, 1):.0f} us each); "
            f"{len(played.alarms)} alarms in {len(played.incidents())} incidents"
        )
        if options.list:
            print_alarms(played)
        for line in check(played):
            failed += not line.passed
            mark = "ok  " if line.passed else "MISS"
            print(f"  {mark} ({line.number}) {line.asked:62} {line.came}")
    print(f"\n{failed} checks missed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
