"""One Kafka and one durable PostgreSQL for all fault tests; a deployment of its own for each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.ground import Ground, open_ground
from tests.support.load import write_programme

Say = Callable[[object], None]
_MEASURED: Final = "measured"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.faults)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the fault tests measured: the numbers behind `docs/guarantees.md`."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    lines = [
        f"{report.nodeid.rpartition('::')[2]}: {found}"
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, found in report.user_properties
        if name == _MEASURED
    ]
    if lines:
        terminalreporter.section("measured under faults")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    """Print what a test measured, whether it passes or not, at the end of the run."""

    def line(found: object) -> None:
        request.node.user_properties.append((_MEASURED, str(found)))

    return line


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """What is killed here is to be started again: others stand on it too."""
    quick = {"group.min.session.timeout.ms": "1000"}  # a killed consumer is soon forgotten
    with open_ground(tmp_path_factory.mktemp("ground"), properties=quick) as ground:
        yield ground


@pytest.fixture(scope="session")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Counted by `probe` (which tells answers apart) and `queue`."""
    return write_programme(tmp_path_factory.mktemp("programme") / "programme")
