"""The operator's numbers as the detector takes them, and each line's part of the promise."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from services.alerts.domain.terms import Policy
from shared.programme.models import AlertPolicy


def policy_of(policy: AlertPolicy) -> Policy:
    """The operator's numbers as the detector takes them."""
    return Policy(
        false_alarms_per_week=policy.false_alarms_per_week,
        smallest_rise=policy.smallest_rise / 100,
        evidence_answers=policy.evidence.answers,
        evidence_detractors=policy.evidence.detractors,
    )


def shared_by(policy: Policy, begun_in: Iterable[int]) -> Callable[[int], Policy]:
    """A line's part of the promise, by minute, where lines began in the given minutes.

    As the judge does: among the lines that have begun, each an equal part.
    """
    begun = sorted(begun_in)

    def at(minute: int) -> Policy:
        lines = sum(one <= minute for one in begun)
        return replace(policy, false_alarms_per_week=policy.false_alarms_per_week / max(lines, 1))

    return at
