"""Which service writes and reads which topic, and in which group it reads.

Everything that has to know it asks here: consumers, readiness, the AsyncAPI document, access
control lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.events import Topic


@dataclass(frozen=True)
class Flow:
    """One service's topics. What a reader cannot process it writes to dead-letters."""

    writes: tuple[Topic, ...]
    reads: tuple[Topic, ...] = ()

    @property
    def uses(self) -> tuple[Topic, ...]:
        """All that must be there before the service can do what it is for."""
        return (*self.reads, *self.writes)


FLOWS: Final[Mapping[str, Flow]] = {
    "ingest": Flow(
        writes=(
            Topic.SURVEY_RESPONSES,
            Topic.TRANSACTIONS,
            Topic.SUPPORT_CALLS,
            Topic.SURVEY_OPTOUTS,
        )
    ),
    "trigger": Flow(
        reads=(
            Topic.TRANSACTIONS,
            Topic.SUPPORT_CALLS,
            Topic.SURVEY_OPTOUTS,
            Topic.SCORED_RESPONSES,
        ),
        writes=(Topic.SURVEY_DECISIONS, Topic.SURVEY_INVITATIONS, Topic.DEAD_LETTERS),
    ),
    "scoring": Flow(
        reads=(Topic.SURVEY_RESPONSES, Topic.SURVEY_INVITATIONS, Topic.SURVEY_DECISIONS),
        writes=(Topic.SCORED_RESPONSES, Topic.DEAD_LETTERS),
    ),
    "alerts": Flow(
        reads=(Topic.SCORED_RESPONSES,),
        writes=(Topic.DETRACTOR_ALERTS, Topic.DEAD_LETTERS),
    ),
}


def group_of(service: str) -> str:
    """The consumer group of a service: its replicas share the partitions."""
    return f"earshot-{service}"
