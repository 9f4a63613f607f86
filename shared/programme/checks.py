"""What no file can know alone: names that must exist elsewhere, limits that depend on others."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from shared.durations import format_duration
from shared.programme.faults import ProgrammeFault, nearest, one_of
from shared.programme.models import Programme
from shared.programme.rules import NAMES
from shared.programme.sources import Source
from shared.programme.surveys import Kind, Survey
from shared.programme.texts import Texts

Sources = Mapping[str, Source]


def crosscheck(
    programme: Programme, sources: Sources, dedupe: timedelta
) -> Iterator[ProgrammeFault]:
    """Every fault between the files."""
    yield from _triggers(programme, sources["triggers.yaml"], dedupe)
    yield from _pairs(programme, sources["segments.yaml"])
    for key, survey in programme.surveys.items():
        yield from _survey_texts(programme, survey, sources["surveys.yaml"], key)


def _triggers(programme: Programme, source: Source, dedupe: timedelta) -> Iterator[ProgrammeFault]:
    askable = [key for key, s in programme.surveys.items() if s.kind is not Kind.RELATIONAL]
    for key, trigger in programme.triggers.items():
        survey = programme.surveys.get(trigger.survey)
        if survey is None:
            fault = f"there is no survey {trigger.survey!r}{nearest(trigger.survey, askable)}"
            yield source.fault((key, "survey"), fault, one_of(askable))
        elif survey.kind is Kind.RELATIONAL:
            fault = f"{trigger.survey!r} is relational and goes out by its schedule only"
            yield source.fault((key, "survey"), fault, one_of(askable))
        if trigger.max_age >= dedupe:
            fault = f"{format_duration(trigger.max_age)} is not shorter than EARSHOT_DEDUPE"
            accepted = f"less than {format_duration(dedupe)}"
            yield source.fault((key, "max_age"), fault, accepted)


def _pairs(programme: Programme, source: Source) -> Iterator[ProgrammeFault]:
    names = list(programme.segments.dimensions)
    seen: set[frozenset[str]] = set()
    for place, pair in enumerate(programme.segments.pairs):
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


def _survey_texts(
    programme: Programme, survey: Survey, source: Source, key: str
) -> Iterator[ProgrammeFault]:
    words = list(programme.words)
    for path, texts in _page_texts(survey):
        yield from _places(texts, words, source, (key, *path))
    for name, mailed in survey.mail:
        if mailed is not None:
            yield from _places(mailed, [*words, *NAMES], source, (key, "mail", name))


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
