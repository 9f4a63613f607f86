"""The default programme and the texts around it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter

import pytest
import yaml

from shared.programme.chrome import PLACES, chrome, chrome_languages
from shared.programme.loading import load_programme
from shared.programme.metrics import METRICS, Klass
from shared.programme.models import Kind, Programme
from shared.programme.rules import event_view
from shared.programme.texts import Texts, render

SHIPPED = Path(__file__).parents[2] / "programme"
LANGUAGES = {"en", "de", "ko", "th"}
SCRIPT = {"ko": range(0xAC00, 0xD7A4), "th": range(0x0E00, 0x0E80)}


@pytest.fixture(scope="module")
def programme() -> Programme:
    return load_programme(SHIPPED)


def texts_of(programme: Programme) -> list[Texts]:
    found: list[Texts] = []
    for survey in programme.surveys.values():
        found += [survey.question, survey.thanks, *survey.reasons.values()]
        found += [survey.follow_up.of(klass) for klass in Klass]
        found += [texts for _, texts in survey.mail if texts is not None]
    return found


def test_it_serves_a_shop_and_a_contact_centre(programme: Programme) -> None:
    kinds = {(s.key, s.kind, s.metric, s.scale) for s in programme.surveys.values()}

    assert kinds == {
        ("post-call", Kind.IN_THE_MOMENT, "csat", (1, 5)),
        ("post-delivery", Kind.TRANSACTIONAL, "nps", (0, 10)),
        ("effort", Kind.TRANSACTIONAL, "ces", (1, 7)),
        ("relationship", Kind.RELATIONAL, "nps", (0, 10)),
    }
    assert {t.on for t in programme.triggers.values()} == {
        "support_call.ended",
        "transaction.delivered",
        "transaction.refunded",
    }


def test_after_call_asks_at_once_and_everybody(programme: Programme) -> None:
    trigger = programme.triggers["after-call"]

    assert programme.triggers_of["support_call.ended"] == (trigger,)
    assert (trigger.survey, trigger.sample) == ("post-call", 1.0)
    assert trigger.channels == ("email", "webhook")
    assert trigger.max_age == timedelta(hours=6)
    assert programme.delay_of(trigger) == timedelta(0)
    talk = {"time": datetime(2026, 11, 21, tzinfo=UTC)}
    assert trigger.when.matches(event_view(talk, {"call": {"talk_s": 30}}))
    assert not trigger.when.matches(event_view(talk, {"call": {"talk_s": 29.9}}))


def test_kinds_decide_delay_and_expiry(programme: Programme) -> None:
    times = {key: (s.delay, s.expires, s.every) for key, s in programme.surveys.items()}

    assert times["post-call"] == (timedelta(0), timedelta(hours=24), None)
    assert times["post-delivery"] == (timedelta(hours=1), timedelta(days=7), None)
    assert times["relationship"] == (timedelta(0), timedelta(days=14), timedelta(days=90))


def test_its_dimensions_are_those_of_the_contract(programme: Programme) -> None:
    assert programme.segments.paths == {
        "region": None,
        "product": None,
        "channel": None,
        "queue": "call.queue",
        "agent": "call.agent",
        "touchpoint": "touchpoint",
    }
    assert programme.segments.pairs == (("region", "product"), ("queue", "agent"))


def test_every_text_stands_in_four_languages_each_in_its_script(programme: Programme) -> None:
    for texts in texts_of(programme):
        assert texts.by_language.keys() == LANGUAGES
        for language, script in SCRIPT.items():
            assert any(ord(letter) in script for letter in texts.text(language))


def test_a_locale_means_its_language(programme: Programme) -> None:
    spoken = {"de-AT": "de", "KO_kr": "ko", "fr-FR": "en", "": "en", None: "en", "th": "th"}

    assert {locale: programme.language_for(locale) for locale in spoken} == spoken


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_frame_has_the_same_keys_and_places_in_every_language(language: str) -> None:
    english = {key: places(text) for key, text in chrome("en").items()}

    assert {key: places(text) for key, text in chrome(language).items()} == english
    assert set().union(*english.values()) <= PLACES
    assert chrome_languages() == LANGUAGES


def test_every_metric_has_words_for_the_ends_of_its_scale() -> None:
    for metric in METRICS:
        assert {f"{metric.name}_low", f"{metric.name}_high"} <= chrome("en").keys()


def test_the_frame_speaks_english_where_it_has_no_texts() -> None:
    assert chrome("fr") == chrome("en")
    assert chrome("de-AT") == chrome("de") != chrome("en")


def test_words_take_the_place_of_their_names() -> None:
    assert (
        render("Hello {brand}, {event.call.id}{x}!", {"brand": "A", "event.call.id": 7, "x": None})
        == "Hello A, 7!"
    )
    assert render("{a}", {"a": "{b}", "b": "c"}) == "{b}"


def test_a_language_without_a_text_gets_the_fallback() -> None:
    texts = Texts({"en": "yes", "de": "ja"}, "en")

    assert [texts.text(language) for language in ("de-CH", "ko", "")] == ["ja", "yes", "yes"]


def test_only_segments_names_dimensions() -> None:
    names = yaml.safe_load((SHIPPED / "segments.yaml").read_text())["dimensions"]

    for file in ("programme", "surveys", "alerts"):
        keys = set(yaml.safe_load((SHIPPED / f"{file}.yaml").read_text()))
        assert not keys & set(names)
