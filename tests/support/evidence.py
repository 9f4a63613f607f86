"""What alerts counted of the answers of `tests.support.load`, per id."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.support.fleet import Fleet
from tests.support.tally import Tally, compare, connect

# Places where the sums differ from what the answers that were taken add up to.
UNLIKE = """
    SELECT count(*) FROM (
        SELECT metric, survey, minute, leaf, count(*) AS n, count(*) FILTER (WHERE detractor) AS d
        FROM alerts.counted GROUP BY 1, 2, 3, 4
    ) c FULL JOIN alerts.ticks t USING (metric, survey, minute, leaf)
    WHERE (coalesce(c.n, 0), coalesce(c.d, 0))
        <> (coalesce(t.answers, 0), coalesce(t.detractors, 0))
"""


@dataclass(frozen=True)
class Evidence:
    """Answers that alerts took, and cells of its sums that are not what those add up to."""

    taken: Tally
    unlike: int

    @property
    def exact(self) -> bool:
        return self.taken.exact and not self.unlike

    def without(self, tried: Iterable[int]) -> "Evidence":
        """See `Tally.without`."""
        return replace(self, taken=self.taken.without(tried))

    def __str__(self) -> str:
        return f"{self.taken}, {self.unlike} sums unlike their answers"


async def evidence(fleet: Fleet, expected: Iterable[int]) -> Evidence:
    """A lost or doubled addition shows in its cell: minute and probe are one answer's own."""
    connection = await connect(fleet.database_url)
    try:
        ids = [row[0] for row in await connection.fetch("SELECT id FROM alerts.counted")]
        unlike = int(await connection.fetchval(UNLIKE))
    finally:
        await connection.close()
    return Evidence(compare(expected, Counter(int(name[2:]) for name in ids)), unlike)
