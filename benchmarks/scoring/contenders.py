"""Those who are compared, and what each of them does: the contract.

A contender is a command. It runs from the root of the project with these in its environment:

BOOTSTRAP     the Kafka broker, `host:port`
TOPIC         12 partitions of JSON, each record a `shared.events.SurveyResponse`, its key the id;
              ids are unique, `answered_at` is `2026-11-21T10:03:22.123456Z` (a fraction may lack)
DATABASE_URL  an empty PostgreSQL of this run's own, `postgresql://user@host:port/name`
FOLDER        an empty directory of this run's own, which outlives a kill
GROUP         a name drawn for this run: consumer group, application id, transactional id

It reads the topic from its beginning (or from where it durably was) and counts every answer in the
cells of its survey, metric and hour of `answered_at`: the total, each of the dimensions d0 to d7,
and each of the ten pairs d0,d1 d0,d2 ... d0,d7 d1,d2 d1,d3 d1,d4. A cell has n, the sum of scores,
detractors (0 to 6), passives (7, 8) and promoters (9, 10).

It prints JSON lines to stdout, flushed: `{"done": 1200, "at": 1795277455.123}`, the answers that
are durable by now, or -1 where it cannot know, and the time in seconds since 1970. The first
comes with the first record (done before it: 0 at the first start), the others after commits, at
most one every 0.2 s, and always one after the last commit. Whatever else it has to say goes to
stderr.

Once records have come and none came for 5 s, it writes FOLDER/counts.json and ends with status 0:
`{"<dimensions joined by ,>|<values joined by ,>|<hour>": [n, sum, detractors, passives,
promoters]}`, as `||2026-11-21T10:00:00Z` for the total and `d0,d1|value 3,value 7|2026-11-21T10:
00:00Z` for a pair, read from its durable state (database, store), not from what it remembers.

It is killed once with SIGKILL, its children too, and started again with the same environment: it
goes on by what it kept. A session timeout of 6 s lets the dead member's partitions come back soon.
It has one process (with as many threads as it likes), or says so in its note.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from benchmarks.scoring.answers import DIMENSIONS

PAIRS: Final = tuple(combinations(DIMENSIONS, 2))[:10]


class Missing(Exception):
    """A contender cannot run here; the text is one line that says what installs it."""


@dataclass(frozen=True)
class Contender:
    """One command under the contract; `answers` is a topic that it can do in some 8 s.

    `command` may build what it needs, before any clock runs. Raises Missing.
    """

    name: str
    does: str
    command: Callable[[], Sequence[str]]
    answers: int
    counts: bool = True
