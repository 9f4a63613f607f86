"""Rendering: a survey's texts in one language, and every page with the headers that protect it."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from services.ingest.domain.fields import LONGEST_COMMENT
from services.ingest.pages.memory import Memory
from shared.programme.chrome import chrome
from shared.programme.models import Programme, Survey
from shared.programme.texts import render

_YEAR_S: Final = 31_536_000


@dataclass(frozen=True, slots=True)
class Problem:
    """What a person must know before going on; `href` leads to the field."""

    text: str
    title: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class SurveyPage:
    """Everything a survey's pages show, in one language."""

    language: str
    chrome: Mapping[str, str]
    question: str
    low: str
    high: str
    points: Sequence[int]
    follow_up: str
    reasons: Mapping[str, str]
    thanks: str
    action: str
    longest: int = LONGEST_COMMENT


class Views:
    """Renders pages. `public_path` stands before every link, `secure` says whether it is https."""

    def __init__(self, programme: Programme, *, public_path: str, secure: bool) -> None:
        self.programme = programme
        self.public_path = public_path
        self.secure = secure
        self._templates = Environment(
            loader=PackageLoader("services.ingest.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        loader = self._templates.loader
        assert loader is not None
        css = loader.get_source(self._templates, "style.css")[0]
        self._css = Markup(css)  # noqa: S704 - our own file # nosec B704
        self._headers = _headers(css, secure=secure)

    def words(self, language: str, **places: object) -> dict[str, str]:
        """The chrome texts of a language, with the brand, the constants and `places` in them."""
        words = {**self.programme.words, "most": LONGEST_COMMENT, **places}
        spoken = self.programme.language_for(language)
        return {key: render(text, words) for key, text in chrome(spoken).items()}

    def survey(self, survey: Survey, language: str, action: str, score: int | None) -> SurveyPage:
        """A survey's texts; the follow-up question is that of the score's class."""
        spoken = self.programme.language_for(language)
        texts = self.words(spoken)
        follow_up = ""
        if score is not None:
            klass = survey.rules.class_of(score)
            follow_up = self._say(survey.follow_up.of(klass).text(spoken))
        return SurveyPage(
            language=spoken,
            chrome=texts,
            question=self._say(survey.question.text(spoken)),
            low=texts[f"{survey.metric}_low"],
            high=texts[f"{survey.metric}_high"],
            points=survey.rules.points,
            follow_up=follow_up,
            reasons={key: self._say(t.text(spoken)) for key, t in survey.reasons.items()},
            thanks=self._say(survey.thanks.text(spoken)),
            action=action,
        )

    def survey_html(
        self, template: str, page: SurveyPage, memory: Memory, problems: Sequence[Problem]
    ) -> str:
        return self._templates.get_template(template).render(
            page=page,
            memory=memory,
            problems=problems,
            language=page.language,
            title=page.chrome["page_title"],
            brand=self.programme.brand,
            css=self._css,
        )

    def message(
        self, status: int, language: str, name: str, *, action: str = "", button: str = ""
    ) -> HTMLResponse:
        """A page that says one thing: the chrome texts `<name>_title` and `<name>_text`."""
        spoken = self.programme.language_for(language)
        texts = self.words(spoken)
        html = self._templates.get_template("message.html").render(
            language=spoken,
            title=texts[f"{name}_title"],
            text=texts[f"{name}_text"],
            action=action,
            button=texts[button] if button else "",
            brand=self.programme.brand,
            css=self._css,
        )
        return self.page(html, status)

    def page(self, html: str, status: int = 200) -> HTMLResponse:
        return HTMLResponse(html, status, headers=self._headers)

    def headers(self) -> dict[str, str]:
        """What protects every page, redirects included."""
        return dict(self._headers)

    def _say(self, text: str) -> str:
        return render(text, self.programme.words)


def _headers(css: str, *, secure: bool) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex",
    }
    if secure:
        headers["Strict-Transport-Security"] = f"max-age={_YEAR_S}"
    return headers
