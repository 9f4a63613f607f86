"""Lints of texts: what customers of a language would read in another one."""

from collections.abc import Iterator

from services.trigger.domain.lint.findings import PROGRAMME, SURVEYS, TRIGGERS, Found, Path, Subject
from shared.programme.chrome import chrome_languages
from shared.programme.models import Mail, Survey, Texts


def missing_translation(subject: Subject) -> Iterator[Found]:
    """A text that is not written in one of the programme's languages."""
    languages = subject.programme.languages
    for file, path, texts in _texts(subject):
        missing = [code for code in languages if code not in texts.by_language]
        if missing:
            what = f"has no text in {', '.join(missing)}"
            why = f"customers who speak it read {languages[0]}; translate it"
            yield Found(file, path, what, why)


def foreign_frame(subject: Subject) -> Iterator[Found]:
    """A language in which buttons, errors and the mail's usual texts are not there."""
    known = chrome_languages()
    for place, code in enumerate(subject.programme.languages):
        if code not in known:
            what = f"what stands around the questions is not translated to {code!r}"
            why = f"it is English there; translated are {', '.join(sorted(known))}"
            yield Found(PROGRAMME, ("languages", str(place)), what, why)


def _texts(subject: Subject) -> Iterator[tuple[str, Path, Texts]]:
    for survey in subject.programme.surveys.values():
        for path, texts in _of_survey(survey):
            yield SURVEYS, (survey.key, *path), texts
    for trigger in subject.programme.triggers.values():
        variants = trigger.experiment.variants if trigger.experiment else {}
        for name, variant in variants.items():
            above = (trigger.key, "experiment", "variants", name, "mail")
            for key, texts in _of_mail(variant.mail or Mail()):
                yield TRIGGERS, (*above, key), texts


def _of_survey(survey: Survey) -> Iterator[tuple[Path, Texts]]:
    yield ("question",), survey.question
    for klass, texts in survey.follow_up:
        yield ("follow_up", klass), texts
    for reason, texts in survey.reasons.items():
        yield ("reasons", reason), texts
    yield ("thanks",), survey.thanks
    for key, texts in _of_mail(survey.mail):
        yield ("mail", key), texts


def _of_mail(mail: Mail) -> Iterator[tuple[str, Texts]]:
    for key, texts in mail:
        if texts is not None:
            yield key, texts
