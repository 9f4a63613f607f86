"""deploy/prometheus/rules/objectives.yaml: what is promised of the system, and when it is broken.

How fast the allowance of failures burns, after the SRE workbook (Beyer et al. 2018, table 5-8).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import yaml

RUNBOOKS: Final = "docs/runbooks"
"""Where a rule's `runbook_url` points: a path of this repository, for no address is its own.

deploy/alertmanager/earshot.tmpl puts the one of your copy in front.
"""
LEAST: Final = 10  # failures in the long window; fewer wake nobody, whatever share they are
_WINDOWS: Final[Mapping[str, int]] = {
    "5m": 300,
    "30m": 1_800,
    "1h": 3_600,
    "6h": 21_600,
    "3d": 259_200,
}
_HEAD: Final = """\
# Written by `make generate` from generate/objectives.py; change it there.
# yamllint disable
"""


class Objective(NamedTuple):
    """A promise about a share of requests, answers or invitations.

    `title` is of those that fail; one of `bad` and `good` selects those that break it, or keep it.
    """

    alert: str
    name: str  # of its recorded series: earshot:<name>:ratio_rate<window>
    question: str
    title: str
    percent: float
    total: str
    bad: str = ""
    good: str = ""

    @property
    def budget(self) -> float:
        """The share that may fail."""
        return round(1 - self.percent / 100, 6)

    def series(self, window: str) -> str:
        """The recorded share that failed."""
        return f"earshot:{self.name}:ratio_rate{window}"

    def ratio(self, window: str) -> str:
        """The share that failed; nothing where nothing happened."""
        total = _rate(self.total, window)
        if self.good:
            return f"1 - {_rate(self.good, window)} / ({total} > 0)"
        return f"({_rate(self.bad, window)} or 0 * {total}) / ({total} > 0)"

    def failures(self, window: str) -> str:
        """How many failed."""
        seconds = _WINDOWS[window]
        if self.good:
            rate = f"({_rate(self.total, window)} - {_rate(self.good, window)})"
        else:
            rate = _rate(self.bad, window)
        return f"{rate} * {seconds}"


_REQUESTS: Final = (
    'earshot_http_requests_total{service="ingest", route!~"/healthz|/readyz|/metrics"'
)
_QUICK: Final = 'service="ingest", route=~"/v1/(responses|events)"'
OBJECTIVES: Final[Sequence[Objective]] = (
    Objective(
        "EarshotIngestFails",
        "ingest_errors",
        "Does ingest take what comes?",
        "requests to ingest answered with 5xx",
        99.95,
        _REQUESTS + "}",
        bad=_REQUESTS + ', code=~"5.."}',
    ),
    Objective(
        "EarshotIngestSlow",
        "ingest_slow",
        "Is ingest quick?",
        "single answers and events that ingest took over 250 ms for",
        99,
        f"earshot_http_request_duration_seconds_count{{{_QUICK}}}",
        good=f'earshot_http_request_duration_seconds_bucket{{{_QUICK}, le="0.25"}}',
    ),
    Objective(
        "EarshotAnswersLate",
        "answers_late",
        "Are answers scored at once?",
        "answers that were in no score 10 s after ingest took them",
        99,
        "earshot_scoring_answer_age_seconds_count",
        good='earshot_scoring_answer_age_seconds_bucket{le="10.0"}',
    ),
    Objective(
        "EarshotInvitationsLate",
        "invitations_late",
        "Do invitations go in time?",
        "invitations that were sent over 30 s after they were due",
        99,
        "earshot_trigger_dispatch_seconds_count",
        good='earshot_trigger_dispatch_seconds_bucket{le="30.0"}',
    ),
)


class Pace(NamedTuple):
    """A pace at which the allowance of 30 days burns, and over which windows it must."""

    severity: str
    long: str
    short: str
    factor: float
    gone: str


PACES: Final[Sequence[Pace]] = (
    Pace("page", "1h", "5m", 14.4, "2 days"),
    Pace("page", "6h", "30m", 6, "5 days"),
    Pace("ticket", "3d", "6h", 1, "30 days"),
)


def write_objectives() -> str:
    """A recorded share by objective and window, and three alerts by objective."""
    # one group: its rules are evaluated one after another, so alerts see what was just recorded
    group = {"name": "earshot-objectives", "rules": [*_recorded(), *_alerts()]}
    text = yaml.safe_dump({"groups": [group]}, sort_keys=False, allow_unicode=True, width=120)
    return _HEAD + text


def _recorded() -> Iterator[dict[str, Any]]:
    for objective in OBJECTIVES:
        for window in _WINDOWS:
            yield {"record": objective.series(window), "expr": objective.ratio(window)}


def _alerts() -> Iterator[dict[str, Any]]:
    for objective in OBJECTIVES:
        allowed = f"{objective.budget * 100:g} %"
        for pace in PACES:
            limit = f"{pace.factor:g} * {objective.budget:g}"
            yield {
                "alert": objective.alert,
                "expr": f"{objective.series(pace.long)} > {limit}"
                f" and {objective.series(pace.short)} > {limit}"
                f" and {objective.failures(pace.long)} >= {LEAST}",
                "labels": {"severity": pace.severity, "window": pace.long},
                "annotations": {
                    "summary": f"{objective.title}: {{{{ $value | humanizePercentage }}}}"
                    f" in {pace.long}, {allowed} are allowed",
                    "description": f"At this pace the allowance of 30 days is used up in"
                    f" {pace.gone}. The last {pace.short} are no better.",
                    "runbook_url": f"{RUNBOOKS}/{objective.alert}.md",
                },
            }


def _rate(selector: str, window: str) -> str:
    return f"sum by (job) (rate({selector}[{window}]))"
