"""Texts in several languages, with `{names}` that stand for something else."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from shared.programme.faults import NotAccepted, nearest, one_of

_PLACE = re.compile(r"\{([^{}]*)\}")
LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Texts:
    """One text per language; a language without one gets the programme's first language."""

    by_language: Mapping[str, str]
    fallback: str

    def text(self, language: str) -> str:
        """The text for `de` or `de-AT`, else the fallback."""
        short = language.replace("_", "-").partition("-")[0].lower()
        return self.by_language.get(short) or self.by_language[self.fallback]

    @property
    def languages(self) -> frozenset[str]:
        """The languages that have a text of their own."""
        return frozenset(self.by_language)

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
        raise NotAccepted("is not a text per language", f"a text for each of {one_of(languages)}")
    texts = {str(key): _one_text(str(key), text, languages) for key, text in value.items()}
    fallback = languages[0] if languages else next(iter(texts))
    if fallback not in texts:
        raise NotAccepted(f"has no text in {fallback!r}, the fallback", one_of(languages))
    return Texts(texts, fallback)


def _one_text(language: str, text: object, languages: tuple[str, ...]) -> str:
    if languages and language not in languages:
        fault = f"{language!r} is not a language of the programme{nearest(language, languages)}"
        raise NotAccepted(fault, one_of(languages), at=language)
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= LONGEST_TEXT:
        fault = "is not a text" if not isinstance(text, str) else "is empty or too long"
        raise NotAccepted(fault, f"1 to {LONGEST_TEXT} characters", at=language)
    return text.strip()


def languages_of(info: ValidationInfo) -> tuple[str, ...]:
    """The programme's languages as the loader passes them; empty when they are not known."""
    context: Mapping[str, tuple[str, ...]] = info.context or {}
    return context.get("languages", ())


MultilingualText = Annotated[
    Texts,
    BeforeValidator(_read),
    PlainSerializer(lambda texts: dict(texts.by_language), return_type=dict[str, str]),
]
