"""Texts in several languages, with `{names}` that stand for something else."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from shared.programme.chrome import chrome_languages
from shared.programme.faults import NotAccepted, nearest, one_of, refuse

_PLACE = re.compile(r"\{([^{}]*)\}")
LONGEST_TEXT = 2_000
PER_LANGUAGE = "a text per language, such as {en: …, de: …}"


@dataclass(frozen=True, slots=True)
class Texts:
    """One text per language; a language without one gets the programme's first language."""

    by_language: Mapping[str, str]
    fallback: str

    def text(self, language: str) -> str:
        """The text for `de` or `de-AT`, else the fallback."""
        short = language.replace("_", "-").partition("-")[0].lower()
        return self.by_language.get(short) or self.by_language[self.fallback]

    def places(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Each language with the names that stand in braces in its text."""
        for language, text in self.by_language.items():
            yield language, frozenset(_PLACE.findall(text))


def render(text: str, words: Mapping[str, object]) -> str:
    """Put the words in the place of `{names}`; one that is unknown or None leaves nothing."""

    def word(match: re.Match[str]) -> str:
        value = words.get(match[1])
        return "" if value is None else str(value)

    return _PLACE.sub(word, text)


def _read(value: object, info: ValidationInfo) -> Texts:
    if isinstance(value, Texts):
        return value
    languages = languages_of(info)
    if not isinstance(value, Mapping) or not value:
        raise NotAccepted(f"{value!r} is not a text per language", PER_LANGUAGE)
    fallback = languages[0] if languages else next(iter(value))
    faults = [fault for key, text in value.items() for fault in _faults(key, text, languages)]
    if fallback not in value:
        faults.append(NotAccepted(f"has no text in {fallback!r}, the fallback", one_of(languages)))
    refuse(faults)
    spoken = {key: text.strip() for key, text in value.items() if key in (languages or value)}
    return Texts(spoken, fallback)


def _faults(language: str, text: object, languages: tuple[str, ...]) -> Iterator[NotAccepted]:
    # What stands ready in a language that the programme does not speak just now may stay.
    if languages and language not in languages and language not in chrome_languages():
        fault = f"{language!r} is not a language of the programme{nearest(language, languages)}"
        yield NotAccepted(fault, one_of(languages), at=language)
    elif not isinstance(text, str):
        yield NotAccepted("is not a text", "a text", at=language)
    elif not 1 <= len(text.strip()) <= LONGEST_TEXT:
        yield NotAccepted(f"has {len(text)} characters", f"1 to {LONGEST_TEXT}", at=language)


def languages_of(info: ValidationInfo) -> tuple[str, ...]:
    """The programme's languages as the loader passes them; empty when they are not known."""
    context: Mapping[str, tuple[str, ...]] = info.context or {}
    return context.get("languages", ())


MultilingualText = Annotated[
    Texts,
    BeforeValidator(_read),
    PlainSerializer(lambda texts: dict(texts.by_language), return_type=dict[str, str]),
]
