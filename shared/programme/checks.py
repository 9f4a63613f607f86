"""What no file can know alone: names that must exist elsewhere, limits that depend on others."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.durations import format_duration
from shared.programme.alarms import AlertPolicy
from shared.programme.asking import CUSTOMER, OF_THE_ASK, Cap
from shared.programme.faults import ProgrammeFault, nearest, one_of
from shared.programme.measures import check_measures
from shared.programme.models import Segmentation, Trigger
from shared.programme.sources import Source
from shared.programme.surveys import Kind, Mail, Survey
from shared.programme.texts import Texts
from shared.programme.views import NAMES

Sources = Mapping[str, Source]


@dataclass(frozen=True, slots=True)
class Draft:
    """What of a programme could be read; the words are None while its head is at fault."""

    caps: Sequence[Cap]
    words: Mapping[str, str] | None
    surveys: Mapping[str, Survey]
    triggers: Mapping[str, Trigger]
    segments: Segmentation | None
    alerts: AlertPolicy | None = None


def crosscheck(draft: Draft, sources: Sources, dedupe: timedelta) -> Iterator[ProgrammeFault]:
    """Every fault between the files."""
    written = sources["surveys.yaml"].values
    names = list(written) if isinstance(written, dict) else []
    yield from _triggers(draft, names, sources["triggers.yaml"], dedupe)
    yield from _experiments(draft, sources["triggers.yaml"])
    if draft.segments is not None:
        dimensions = list(draft.segments.dimensions)
        yield from _targets(draft, dimensions, sources["triggers.yaml"])
        yield from _caps(draft, names, dimensions, sources["programme.yaml"])
        yield from _pairs(draft.segments, sources["segments.yaml"])
        if draft.alerts is not None:
            yield from _clusters(draft.alerts, dimensions, sources["alerts.yaml"])
        yield from check_measures(draft.segments, draft.surveys, names, sources["segments.yaml"])
    if draft.words is not None:
        for survey in draft.surveys.values():
            yield from _survey_texts(list(draft.words), survey, sources["surveys.yaml"])
        yield from _variant_texts(list(draft.words), draft, sources["triggers.yaml"])


def _triggers(
    draft: Draft, names: list[str], source: Source, dedupe: timedelta
) -> Iterator[ProgrammeFault]:
    relational = {key for key, survey in draft.surveys.items() if survey.kind is Kind.RELATIONAL}
    askable = [name for name in names if name not in relational]
    for key, trigger in draft.triggers.items():
        if key in relational:
            yield source.fault((key,), "is the name of a relational survey", "another name")
        if trigger.survey in relational:
            fault = f"{trigger.survey!r} is relational and goes out by its schedule only"
            yield source.fault((key, "survey"), fault, one_of(askable))
        elif trigger.survey not in names:
            fault = f"there is no survey {trigger.survey!r}{nearest(trigger.survey, askable)}"
            yield source.fault((key, "survey"), fault, one_of(askable))
        if trigger.max_age >= dedupe:
            fault = f"{format_duration(trigger.max_age)} is not shorter than EARSHOT_DEDUPE"
            accepted = f"less than {format_duration(dedupe)}"
            yield source.fault((key, "max_age"), fault, accepted)


def _experiments(draft: Draft, source: Source) -> Iterator[ProgrammeFault]:
    named = {key: trigger.experiment for key, trigger in draft.triggers.items()}
    times = Counter(each.name for each in named.values() if each is not None)
    for key, each in named.items():
        if each is not None and times[each.name] > 1:
            fault = f"{each.name!r} is the name of another trigger's experiment"
            yield source.fault((key, "experiment", "name"), fault, "another name")


def _targets(draft: Draft, dimensions: list[str], source: Source) -> Iterator[ProgrammeFault]:
    for key, trigger in draft.triggers.items():
        if trigger.target_by is not None and trigger.target_by not in dimensions:
            fault = f"there is no dimension {trigger.target_by!r}"
            asked = nearest(trigger.target_by, dimensions)
            yield source.fault((key, "target_by"), fault + asked, one_of(dimensions))


def _caps(
    draft: Draft, surveys: list[str], dimensions: list[str], source: Source
) -> Iterator[ProgrammeFault]:
    known = [CUSTOMER, *OF_THE_ASK, *dimensions]
    for place, cap in enumerate(draft.caps):
        for part, names, accepted in (
            ("each", cap.each, known),
            ("surveys", cap.surveys, surveys),
        ):
            for name in (name for name in names if name not in accepted):
                fault = f"there is no {name!r}{nearest(name, accepted)}"
                yield source.fault(("caps", str(place), part), fault, one_of(accepted))


def _pairs(segments: Segmentation, source: Source) -> Iterator[ProgrammeFault]:
    names = list(segments.dimensions)
    seen: set[frozenset[str]] = set()
    for place, pair in enumerate(segments.pairs):
        where = ("pairs", str(place))
        for name in pair:
            if name not in names:
                fault = f"there is no dimension {name!r}{nearest(name, names)}"
                yield source.fault(where, fault, one_of(names))
        if len(set(pair)) == 1 or frozenset(pair) in seen:
            yield source.fault(
                where, f"{list(pair)} adds nothing", "two dimensions, each pair once"
            )
        seen.add(frozenset(pair))


def _clusters(
    alerts: AlertPolicy, dimensions: list[str], source: Source
) -> Iterator[ProgrammeFault]:
    name, accepted = alerts.cluster_by, [*dimensions, CUSTOMER]
    if name is not None and name not in accepted:
        fault = f"there is no dimension {name!r}{nearest(name, accepted)}"
        yield source.fault(("cluster_by",), fault, one_of(accepted))


def _survey_texts(words: list[str], survey: Survey, source: Source) -> Iterator[ProgrammeFault]:
    for path, texts in _page_texts(survey):
        yield from _places(texts, words, source, (survey.key, *path))
    yield from _mail_texts(words, survey.mail, source, (survey.key, "mail"))


def _variant_texts(words: list[str], draft: Draft, source: Source) -> Iterator[ProgrammeFault]:
    for key, trigger in draft.triggers.items():
        variants = trigger.experiment.variants if trigger.experiment is not None else {}
        for name, variant in variants.items():
            if variant.mail is not None:
                path = (key, "experiment", "variants", name, "mail")
                yield from _mail_texts(words, variant.mail, source, path)


def _mail_texts(
    words: list[str], mail: Mail, source: Source, path: tuple[str, ...]
) -> Iterator[ProgrammeFault]:
    for name, texts in mail:
        if texts is not None:
            yield from _places(texts, [*words, *NAMES], source, (*path, name))


def _page_texts(survey: Survey) -> Iterator[tuple[tuple[str, ...], Texts]]:
    yield ("question",), survey.question
    yield ("thanks",), survey.thanks
    for klass, texts in survey.follow_up:
        yield ("follow_up", klass), texts
    for reason, texts in survey.reasons.items():
        yield ("reasons", reason), texts


def _places(
    texts: Texts, words: list[str], source: Source, path: tuple[str, ...]
) -> Iterator[ProgrammeFault]:
    for language, names in texts.places():
        for name in sorted(names - set(words)):
            fault = f"{{{name}}} stands for nothing here{nearest(name, words)}"
            accepted = one_of(f"{{{word}}}" for word in words)
            yield source.fault((*path, language), fault, accepted)
