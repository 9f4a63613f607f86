"""What is allowed in a programme and still unwise: one rule a line, each with its level."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.trigger.domain.lint import limits, selections, texts
from services.trigger.domain.lint.findings import Finding, Found, Level, Subject
from shared.programme.models import Programme

__all__ = ["LINTS", "Finding", "Found", "Level", "Lint", "Subject", "lint"]


@dataclass(frozen=True, slots=True)
class Lint:
    """One rule; a further one is a function and a line below."""

    name: str
    level: Level
    find: Callable[[Subject], Iterable[Found]]


LINTS: Final[Sequence[Lint]] = (
    Lint("no-cap", Level.ERROR, limits.no_cap),
    Lint("no-opt-out", Level.ERROR, limits.no_opt_out),
    Lint("missing-translation", Level.ERROR, texts.missing_translation),
    Lint("unreachable-rule", Level.ERROR, selections.unreachable_rule),
    Lint("selects-on-outcome", Level.ERROR, selections.selects_on_outcome),
    Lint("hidden-trigger", Level.ERROR, selections.hidden_trigger),
    Lint("cancels-itself", Level.ERROR, selections.cancels_itself),
    Lint("settles-too-long", Level.ERROR, selections.settles_too_long),
    Lint("cap-forgets", Level.ERROR, limits.short_memory),
    Lint("delay-forgets", Level.ERROR, limits.delay_forgets),
    Lint("empty-sample", Level.WARNING, selections.empty_sample),
    Lint("unasked-survey", Level.WARNING, selections.unasked_survey),
    Lint("waits-for-the-old", Level.WARNING, selections.waits_for_the_old),
    Lint("equal-variants", Level.WARNING, selections.equal_variants),
    Lint("idle-dimension", Level.WARNING, limits.idle_dimension),
    Lint("reminded-too-late", Level.WARNING, limits.reminded_too_late),
    Lint("reminded-under-a-cap", Level.WARNING, limits.reminded_under_a_cap),
    Lint("hardly-open", Level.WARNING, limits.hardly_open),
    Lint("expires-overnight", Level.WARNING, limits.expires_overnight),
    Lint("foreign-frame", Level.WARNING, texts.foreign_frame),
)


def lint(programme: Programme, retention: timedelta) -> Sequence[Finding]:
    """Everything found, rule by rule. `retention`: how long askings are kept."""
    subject = Subject(programme, retention)
    return [Finding(rule.name, rule.level, found) for rule in LINTS for found in rule.find(subject)]
