"""How lines share the promise, as time goes by."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from services.alerts.domain.terms import Policy


def shared_by(policy: Policy, begun_in: Iterable[int]) -> Callable[[int], Policy]:
    """A line's part of the promise, by minute, where lines began in the given minutes.

    As the judge does: among the lines that have begun, each an equal part.
    """
    begun = sorted(begun_in)

    def at(minute: int) -> Policy:
        lines = sum(one <= minute for one in begun)
        return replace(policy, false_alarms_per_week=policy.false_alarms_per_week / max(lines, 1))

    return at
