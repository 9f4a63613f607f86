"""What a replay of real data must come to: every score equals an independent recount."""

import subprocess
from pathlib import Path

from tests.support.recount import Counts, recount, rows
from tests.support.replays import play
from tests.support.system import System

SETS = {
    "pwc_calls": (["agent", "topic", "resolved"], True),
    "carpentries_nps": (["touchpoint", "site", "when_taken", "pace"], False),
    "airline_tweets": (["airline", "reason", "timezone"], False),
    "olist": (["state", "category", "status", "seller_state"], True),
}


def replay(system: System, data: Path, name: str) -> subprocess.Popen[bytes]:
    dimensions, events = SETS[name]
    arguments = ["--dimensions", ",".join(dimensions)]
    arguments += ["--responses", str(data / name / "responses.csv.gz")]
    if events:
        arguments += ["--events", str(data / name / "events.csv.gz")]
    return play(system, *arguments)


async def scored(system: System, metric: str, by: str) -> dict[tuple[str, ...], Counts]:
    found: dict[tuple[str, ...], Counts] = {}
    params = {"metric": metric, "from": "2000-01-01T00:00:00Z", "limit": "500"}
    if by:
        params["by"] = by
    while True:
        page = await system.get("scoring", "/v1/scores", **params)
        for group in page["groups"]:
            counts = group["counts"]
            values = tuple(group["segment"][name] for name in by.split(",") if name)
            if group["n"]:
                found[values] = (counts["promoters"], counts["passives"], counts["detractors"])
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


async def assert_exact(system: System, data: Path, name: str) -> None:
    dimensions, _ = SETS[name]
    counted = rows(data / name / "responses.csv.gz")
    for metric in {row["metric"] for row in counted}:
        for by in ("", *dimensions, f"{dimensions[0]},{dimensions[1]}"):
            expected = recount(counted, metric, [part for part in by.split(",") if part])
            assert await scored(system, metric, by) == expected, (metric, by)
