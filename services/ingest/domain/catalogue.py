"""What a submission may name: the programme's surveys, and the metrics that stand alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import FieldFault, unknown_name
from shared.programme.metrics import METRIC_NAMES, Scale, scales_of


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: the survey (None for an answer by metric alone), its metric and scale."""

    survey: str | None
    metric: str
    scale: Scale


Catalogue = Mapping[str, Asked]
"""The programme's surveys by their key."""


def find_asked(
    catalogue: Catalogue, named: tuple[str | None, str | None, int | None], faults: list[FieldFault]
) -> Asked | None:
    """What `(survey, metric, scale_max)` name together; None, with the faults, if nothing."""
    survey, metric, scale_max = named
    if survey is None:
        return _by_metric(metric, scale_max, faults)
    asked = catalogue.get(survey)
    if asked is None:
        near = unknown_name("survey", survey, catalogue)
        faults.append(FieldFault("survey", "unknown-survey", survey, near.accepted))
        return None
    if metric not in (None, asked.metric):
        faults.append(FieldFault("metric", "out-of-range", metric, f"{asked.metric}, as {survey}"))
    if scale_max not in (None, asked.scale[1]):
        accepted = f"{asked.scale[1]}, as {survey}"
        faults.append(FieldFault("scale_max", "out-of-range", str(scale_max), accepted))
    return asked


def _by_metric(metric: str | None, scale_max: int | None, faults: list[FieldFault]) -> Asked | None:
    if metric is None:
        faults.append(FieldFault("survey", "missing-field", None, "a survey's key, or a metric"))
        return None
    if metric not in METRIC_NAMES:
        accepted = ", ".join(METRIC_NAMES)
        faults.append(FieldFault("metric", "out-of-range", metric, accepted))
        return None
    scales = {scale[1]: scale for scale in reversed(scales_of(metric))}
    if scale_max is None:
        return Asked(None, metric, scales_of(metric)[0])
    if scale_max not in scales:
        accepted = " or ".join(map(str, sorted(scales)))
        faults.append(FieldFault("scale_max", "out-of-range", str(scale_max), accepted))
        return None
    return Asked(None, metric, scales[scale_max])
