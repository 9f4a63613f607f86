"""Which tests a worker runs together, and which begin first: nobody waits for one that is late."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

# The files whose tests take longest, such as share nothing but the servers of the session: each
# test may run anywhere. What takes longest stands first; a late one would have all others wait.
LONG: Final = (
    "tests/e2e/test_replay_is_exact.py",
    "tests/e2e/test_boards_shown.py",
    "tests/e2e/test_replay_killed.py",
    "tests/e2e/test_alerts_on_the_whole.py",
    "tests/e2e/test_replay_is_explained.py",
    "tests/e2e/test_alerts_real_sets.py",
    "tests/e2e/test_benchmarks_run.py",
    "tests/integration/test_embedded_kraft.py",
    "tests/integration/test_deadletters_system.py",
    "tests/unit/test_alerts_spikes.py",
    "tests/unit/test_alerts_sensitivity.py",
)
FAULTS: Final = PurePosixPath("tests/faults")


def scope_of(nodeid: str) -> str:
    """What runs at one worker, one after another: a file, or a test of a long one."""
    file = nodeid.partition("::")[0]
    return nodeid if file in LONG else file


def put_long_first(items: list[pytest.Item]) -> None:
    """Long files, then faults, then by how many tests a file has; a file's keep their order."""
    sizes = Counter(scope_of(item.nodeid) for item in items)

    def rank(item: pytest.Item) -> tuple[int, int, str]:
        scope = scope_of(item.nodeid)
        file = PurePosixPath(item.nodeid.partition("::")[0])
        if str(file) in LONG:
            return LONG.index(str(file)), 0, ""
        return len(LONG) + (file.parent != FAULTS), -sizes[scope], scope

    items.sort(key=rank)


class Spread(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Hands the scopes out in the order in which their tests were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
