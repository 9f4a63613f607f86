"""Real data through the public interfaces: every score equals an independent recount, exactly."""

from pathlib import Path

import pytest

from tests.support.exact import SETS, assert_exact, replay
from tests.support.replays import finished, programme_for
from tests.support.system import open_system

pytestmark = [pytest.mark.real_data, pytest.mark.system, pytest.mark.timeout(400)]


@pytest.mark.parametrize(
    ("name", "kafka"),
    [
        ("pwc_calls", "mock"),
        ("carpentries_nps", "mock"),
        ("airline_tweets", "mock"),
        ("olist", "mock"),
        pytest.param("pwc_calls", "real", marks=pytest.mark.real_kafka),
    ],
    indirect=["kafka"],
)
async def test_every_score_equals_the_recount_also_after_a_second_replay(
    name: str, kafka: dict[str, str], real_data: Path, tmp_path: Path
) -> None:
    programme = programme_for(tmp_path / "programme", SETS[name][0])
    settings = {"EARSHOT_PROGRAMME": str(programme), **kafka}
    async with open_system(tmp_path / "var", **settings) as system:
        await system.start()
        assert await finished(replay(system, real_data, name)) == 0, system.log()[-2000:]
        await assert_exact(system, real_data, name)

        assert await finished(replay(system, real_data, name)) == 0
        await assert_exact(system, real_data, name)
