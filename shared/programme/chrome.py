"""What stands around the questions on pages and in mails, per language."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

FALLBACK = "en"
# Beside {brand}: what the pages and mails fill in themselves.
PLACES = frozenset({"brand", "low", "high", "most", "subject", "until"})


def chrome(language: str) -> Mapping[str, str]:
    """Key to text for `de` or `de-AT`; English where the language has no texts.

    Texts may hold `{brand}` and the other names of `PLACES`: pass them through `texts.render`.
    """
    short = language.replace("_", "-").partition("-")[0].lower()
    spoken = _spoken()
    return spoken.get(short, spoken[FALLBACK])


def chrome_languages() -> frozenset[str]:
    """The languages that have such texts."""
    return frozenset(_spoken())


@cache
def _spoken() -> Mapping[str, Mapping[str, str]]:
    file = Path(__file__).with_name("chrome.yaml")
    spoken = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
    return {language: MappingProxyType(texts) for language, texts in spoken.items()}
