"""docs/metrics.md: every series of every service."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from services.alerts.metrics import REGISTRY as ALERTS
from services.ingest.metrics import REGISTRY as INGEST
from services.scoring.metrics import REGISTRY as SCORING
from services.trigger.metrics import REGISTRY as TRIGGER
from shared.metrics import OTHER, Described, Registry
from shared.metrics.kinds import MOST

REGISTRIES: Final[Mapping[str, Registry]] = {
    "ingest": INGEST,
    "scoring": SCORING,
    "trigger": TRIGGER,
    "alerts": ALERTS,
}
_HEAD: Final = f"""\
# Metrics

Written by `make generate` from `services/*/metrics.py`, `shared/metrics/` and
`shared/stream/metrics.py`; change it there.

Each service shows its own at `GET /metrics` (ports 8001 to 8004 by default), without a key; let
only Prometheus reach it. Units are seconds, bytes and counts. Where one process runs all services,
each page has that service's series, and `process_*` and `earshot_event_loop_*` of the one process.

Of each label the first {MOST} values since the start are told apart, and further ones are
`{OTHER}`: customers' values cannot make series grow. A histogram has `_bucket`, `_sum`, `_count`.
"""


def write_series() -> str:
    """The page."""
    by_name: dict[str, Described] = {}
    shown_by: defaultdict[str, list[str]] = defaultdict(list)
    for service, registry in REGISTRIES.items():
        for series in registry.described():
            by_name[series.name] = series
            shown_by[series.name].append(service)
    groups: defaultdict[tuple[str, ...], list[Described]] = defaultdict(list)
    for name, services in shown_by.items():
        groups[tuple(services)].append(by_name[name])
    parts = [_HEAD]
    for group in sorted(groups, key=lambda group: -len(group)):
        parts += [f"\n## {_title(group)}\n\n", *_table(groups[group])]
    return "".join(parts)


def _title(services: tuple[str, ...]) -> str:
    if len(services) == len(REGISTRIES):
        return "All services"
    *first, last = services
    return f"{', '.join(first)} and {last}" if first else last


def _table(series: Iterable[Described]) -> Iterable[str]:
    yield "| series | type | labels | what it says |\n|---|---|---|---|\n"
    for one in series:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        text = one.text.replace("|", "\\|")
        yield f"| `{one.name}` | {one.kind} | {labels} | {text} |\n"
