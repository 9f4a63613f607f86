"""Every pipeline is killed at every step, as by kill -9, and is exact once it runs again."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest

from shared.failpoints import VARIABLE, Point
from tests.faults.conftest import Say
from tests.support import (
    crash_alerts,
    crash_doors,
    crash_letters,
    crash_reminders,
    crash_streams,
    crash_waiting,
)
from tests.support.ground import Ground
from tests.support.system import ROOT
from tests.support.trials import Trial, running, trials_of

pytestmark = pytest.mark.real_kafka

COUNTING = tuple(point for point in crash_streams.STEPS if point is not Point.PRODUCED)
TRIALS = [
    *trials_of("scoring", crash_streams.scoring, crash_streams.STEPS),
    *trials_of("trigger", crash_streams.trigger, crash_streams.STEPS),
    *trials_of("alerts", crash_streams.alerts, COUNTING),
    *trials_of("letters-by-webhook", crash_letters.by_webhook, crash_letters.STEPS),
    *trials_of("letters-by-smtp", crash_letters.by_smtp, crash_letters.STEPS[:3]),
    *trials_of("letters-by-file", crash_letters.by_file, crash_letters.STEPS[:3]),
    *trials_of("due", crash_waiting.due, crash_waiting.DUE),
    *trials_of("schedules", crash_waiting.schedules, crash_waiting.SCHEDULE),
    *trials_of("reminders", crash_reminders.reminders, crash_reminders.STEPS),
    *trials_of("judge", crash_alerts.judge, crash_alerts.STEPS),
    *trials_of("answers", crash_doors.answers, (*crash_doors.STEPS, Point.ACKNOWLEDGED)),
    *trials_of("batches", crash_doors.batches, crash_doors.STEPS),
    *trials_of("events", crash_doors.events, crash_doors.STEPS),
    *trials_of("opt-outs", crash_doors.opt_outs, crash_doors.STEPS),
]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    ground: Ground,
    programme: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[Trial, Future[str]]]:
    """All trials that were asked for, several at a time."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    wanted = [call.params["trial"] for call in calls if call and "trial" in call.params]
    with running(wanted, ground, programme, tmp_path_factory.mktemp("trials")) as outcomes:
        yield outcomes


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_killed_there_and_started_again_all_is_exact(
    trial: Trial, outcomes: Mapping[Trial, Future[str]], say: Say
) -> None:
    say(outcomes[trial].result())


def test_every_step_has_its_trial() -> None:
    assert {trial.point for trial in TRIALS} == set(Point)


@pytest.mark.parametrize("module", ["services.scoring", "services"])
def test_nothing_starts_with_a_step_that_there_is_not(module: str) -> None:
    environment = {VARIABLE: "comitted", "EARSHOT_KAFKA_BOOTSTRAP": "127.0.0.1:9"}
    ended = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 2
    assert f"{VARIABLE}: 'comitted' is no step" in ended.stderr
    assert all(f"  {point}: " in ended.stderr for point in Point)
