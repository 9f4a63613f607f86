"""Failpoints: off they do nothing and cost nothing; armed they end the process, and say so."""

import os
import re
import signal
import subprocess
import sys
from timeit import timeit

import pytest
from structlog.testing import capture_logs

from shared import failpoints
from shared.failpoints import VARIABLE, Point, arm, hit
from shared.settings import SettingsFault
from tests.support.tools import ROOT

PASSES_A_BATCH = 8

COUNTS = """
from shared.failpoints import Point, arm, hit
arm()
for number in range(1, 6):
    hit(Point.SENT)
    hit(Point.MARKED)
    print(number, flush=True)
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> failpoints.Armed:
    monkeypatch.delenv(VARIABLE, raising=False)
    armed = failpoints.Armed()
    monkeypatch.setattr(failpoints, "armed", armed)
    return armed


def test_off_nothing_happens_and_a_batch_pays_microseconds(fresh: failpoints.Armed) -> None:
    arm()
    for point in Point:
        hit(point)

    batches = 20_000
    seconds = timeit(lambda: hit(Point.FETCHED), number=batches * PASSES_A_BATCH)
    assert fresh.point is None
    assert seconds / batches < 100e-6  # 1 us, where nobody else uses the machine


@pytest.mark.parametrize("passes", ["", ":1", ":3"])
def test_armed_the_process_ends_as_by_kill_at_the_pass_that_was_named(passes: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", COUNTS],
        check=False, cwd=ROOT, env={VARIABLE: f"marked{passes}", "PATH": ""},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip

    assert ended.returncode == -signal.SIGKILL
    numbers = [line for line in ended.stdout.splitlines() if line.isdigit()]
    assert numbers == ([] if passes != ":3" else ["1", "2"])
    assert "failpoint marked: killed" in ended.stderr


def test_armed_to_stop_it_stands_still_once_and_goes_on_when_continued() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COUNTS],
        cwd=ROOT, env={VARIABLE: "marked:2:stop", "PATH": ""}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        os.kill(process.pid, signal.SIGCONT)
        said, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert [line for line in said.splitlines() if line.isdigit()] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "text",
    [
        *("comitted", "sent:0", "sent:-1", "sent:", "sent:one", "SENT", ":1", "sent:1:2", "²"),
        *("sent:stop", "sent:0:stop", "sent:1:stop:stop", ":stop"),
    ],
)
def test_what_names_no_step_is_refused_with_the_list_of_steps(
    text: str, monkeypatch: pytest.MonkeyPatch, fresh: failpoints.Armed
) -> None:
    monkeypatch.setenv(VARIABLE, text)

    with pytest.raises(SettingsFault) as refused:
        arm()

    assert fresh.point is None
    assert f"{VARIABLE}: {text!r} is no step" in str(refused.value)
    assert all(f"  {point}: {point.truth}\n" in f"{refused.value}\n" for point in Point)


def test_armed_it_says_so_loudly(monkeypatch: pytest.MonkeyPatch, fresh: failpoints.Armed) -> None:
    monkeypatch.setenv(VARIABLE, "sent:7")

    with capture_logs() as said:
        arm()

    assert (fresh.point, fresh.left) == (Point.SENT, 7)
    assert [(line["log_level"], line["point"], line["passes"]) for line in said] == [
        ("warning", "sent", 7)
    ]


def test_every_step_is_passed_somewhere_in_the_product() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("services", "shared")
        for path in (ROOT / folder).rglob("*.py")
    )

    assert set(re.findall(r"hit\(Point\.(\w+)\)", code)) == {point.name for point in Point}
