"""What segments.yaml says about scores must name dimensions and surveys that exist."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.programme.faults import ProgrammeFault, nearest, one_of
from shared.programme.models import Segmentation
from shared.programme.scoring import DAY, Gauge, Target
from shared.programme.sources import Path_, Source
from shared.programme.surveys import Survey


def check_measures(
    segments: Segmentation, surveys: Mapping[str, Survey], written: Sequence[str], source: Source
) -> Iterator[ProgrammeFault]:
    """Every fault of clusters, gauges and targets; `written` are all surveys, also faulty ones."""
    dimensions = list(segments.dimensions)
    for place, name in enumerate(segments.clusters):
        path = ("clusters", str(place))
        yield from _unknown([name], [DAY, *dimensions], source, path)
    for place, gauge in enumerate(segments.gauges):
        path = ("gauges", str(place))
        yield from _survey(gauge, surveys, written, source, path)
        yield from _unknown(gauge.by, dimensions, source, (*path, "by"))
        yield from _unknown(gauge.where, dimensions, source, (*path, "where"))
    for place, target in enumerate(segments.targets):
        path = ("targets", str(place))
        yield from _survey(target, surveys, written, source, path)
        yield from _unknown(target.segment, dimensions, source, (*path, "segment"))


def _unknown(
    names: Iterable[str], known: Sequence[str], source: Source, path: Path_
) -> Iterator[ProgrammeFault]:
    for name in names:
        if name not in known:
            fault = f"there is no dimension {name!r}{nearest(name, known)}"
            yield source.fault(path, fault, one_of(known))


def _survey(
    thing: Gauge | Target,
    surveys: Mapping[str, Survey],
    written: Sequence[str],
    source: Source,
    path: Path_,
) -> Iterator[ProgrammeFault]:
    name = thing.survey
    if name is None:
        return
    survey = surveys.get(name)
    if name not in written:
        fault = f"there is no survey {name!r}{nearest(name, written)}"
        yield source.fault((*path, "survey"), fault, one_of(written))
    elif survey is not None and survey.metric != thing.metric:
        fault = f"{name!r} does not ask for {thing.metric}"
        yield source.fault((*path, "metric"), fault, survey.metric)
