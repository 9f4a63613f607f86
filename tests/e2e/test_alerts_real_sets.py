"""Real answers through the running system at default settings: what rings, and what must not.

`pytest -m slow tests/e2e/test_alerts_real_sets.py` plays the sets that `make test-all` has no
time for; -s shows every alert.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.acceptance import (
    Check,
    Outcome,
    check_airlines,
    check_apart,
    check_calm,
    check_evidence,
    check_few,
    check_outside,
    check_random_orders,
    told,
)
from tests.support.incidents import played, read_answers, write_sample
from tests.support.replays import programme_for
from tests.support.system import open_system

pytestmark = [pytest.mark.real_data, pytest.mark.system, pytest.mark.timeout(400)]

Checks = Callable[[Outcome], Iterator[Check]]
ORDERS = ("state", "category", "status", "seller_state")
CALLS = ("channel", "reason", "state", "call_center")
SETS = [
    pytest.param("airline_tweets", ("airline", "timezone"), check_airlines),
    pytest.param("olist random", ORDERS, check_random_orders),
    pytest.param(
        "carpentries_nps", ("touchpoint", "site", "when_taken", "pace"), partial(check_few, most=5)
    ),
    *(
        pytest.param(*of, marks=pytest.mark.slow)
        for of in (
            ("pwc_calls", ("agent", "topic"), partial(check_calm, most=2)),
            ("callcentre_rwfd", CALLS, partial(check_calm, most=1)),
            ("nsmc_ko", ("product",), partial(check_calm, most=2)),
            # strata whose shares change with the months; the check is of the random sample
            ("olist", ORDERS, partial(check_outside, most=4)),
            ("germeval_de", ("touchpoint",), partial(check_calm, most=0)),
        )
    ),
]


@pytest.mark.parametrize(("name", "dimensions", "checks"), SETS)
async def test_what_rings_is_what_went_wrong(
    name: str, dimensions: tuple[str, ...], checks: Checks, real_data: Path, tmp_path: Path
) -> None:
    folder, _, sample = name.partition(" ")
    file = real_data / folder / "responses.csv.gz"
    if sample:
        file = write_sample(file, tmp_path / "responses.csv.gz", sample)
    answers = read_answers(file, dimensions)
    programme = programme_for(tmp_path / "programme", dimensions)

    async with open_system(tmp_path / "var", EARSHOT_PROGRAMME=str(programme)) as system:
        await system.start(within_s=90)
        alerts = await played(system, file, dimensions, answers)

    outcome = Outcome(answers, alerts)
    found = [*checks(outcome), *check_evidence(outcome), *check_apart(outcome)]
    lines = [f"{name}: {len(answers)} answers, {len(alerts)} alerts", *map(str, found)]
    sys.stdout.write("\n".join(["", *lines, *(line for a in alerts for line in told(a)), ""]))
    assert [check for check in found if not check.passed] == []
    assert all(alert["historic"] for alert in alerts)
