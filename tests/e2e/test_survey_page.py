"""The survey page in a real browser: phone and desktop, keyboard, four languages, no JavaScript.

EARSHOT_SCREENSHOTS names a folder in which the pictures are kept; without it they are not.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Page

from tests.support.ingest import PROGRAMME, Rig, survey_token, unsubscribe_token

pytestmark = pytest.mark.browser

LANGUAGES = ("en", "de", "ko", "th")
PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 800}


@pytest.fixture
async def rig() -> Rig:
    return Rig()


@pytest.fixture
async def address(rig: Rig) -> AsyncIterator[str]:
    config = uvicorn.Config(rig.web(), port=0, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    with suppress(asyncio.CancelledError):
        await serving


async def open_page(browser: Browser, size: dict[str, int], *, dark: bool = False) -> Page:
    context = await browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        java_script_enabled=False,
        color_scheme="dark" if dark else "light",
    )
    return await context.new_page()


async def keep(page: Page, name: str) -> None:
    folder = os.environ.get("EARSHOT_SCREENSHOTS")
    if folder is not None:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def assert_fits(page: Page) -> None:
    """Nothing is wider than the screen, and what is touched is 44 px or more."""
    size = page.viewport_size
    assert size is not None
    for element in await page.locator("label, button, textarea, main *").all():
        box = await element.bounding_box()
        assert box is None or box["x"] + box["width"] <= size["width"] + 0.5
    for element in await page.locator(".scale label, .choice, button").all():
        box = await element.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["width"] >= 44


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desktop", DESKTOP)])
async def test_a_survey_is_answered_in_two_steps(
    rig: Rig, address: str, browser: Browser, language: str, name: str, size: dict[str, int]
) -> None:
    page = await open_page(browser, size)
    token = survey_token("post-delivery", language)

    await page.goto(f"{address}/s/{token}?score=9")
    assert await page.locator("html").get_attribute("lang") == language
    assert await page.locator("#score-9").is_checked()
    await assert_fits(page)
    await keep(page, f"survey-{language}-{name}")
    await page.locator("label:has(#score-3)").click()
    await page.get_by_role("button").click()

    await page.wait_for_url(f"{address}/s/{token}/thanks")
    survey = PROGRAMME.surveys["post-delivery"]
    assert survey.follow_up.detractor.text(language) in await page.inner_text("main")
    await assert_fits(page)
    await keep(page, f"follow-up-{language}-{name}")
    await page.locator(".choice").first.click()
    await page.locator("textarea").fill("Zu spät. 늦었어요. ช้ามาก <b>&")
    await page.get_by_role("button").click()

    await page.wait_for_url(f"{address}/s/{token}/thanks")
    assert await page.get_by_role("status").is_visible()
    await keep(page, f"thanks-{language}-{name}")
    first, last = rig.producer.answers()
    assert (first.answers.score, first.answers.comment) == (3, None)
    assert last.answers.comment == "Zu spät. 늦었어요. ช้ามาก <b>&"
    assert last.answers.reasons == (next(iter(survey.reasons)),)
    assert (last.language, last.channel) == (language, "web")


async def test_the_keyboard_is_enough(rig: Rig, address: str, browser: Browser) -> None:
    page = await open_page(browser, DESKTOP)
    await page.goto(f"{address}/s/{survey_token('post-call')}")

    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowRight")
    await keep(page, "focus-desktop")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/thanks")

    (answer,) = rig.producer.answers()
    assert answer.answers.score == 2


async def test_changing_the_score_later_keeps_the_comment(
    rig: Rig, address: str, browser: Browser
) -> None:
    page = await open_page(browser, PHONE)
    token = survey_token("post-call")
    await page.goto(f"{address}/s/{token}?score=2")
    await page.get_by_role("button").click()
    await page.locator("textarea").fill("Nobody answered")
    await page.get_by_role("button").click()

    await page.get_by_role("link").click()
    assert await page.locator("#score-2").is_checked()
    await page.locator("label:has(#score-5)").click()
    await page.get_by_role("button").click()

    await page.wait_for_url("**/thanks")
    assert await page.locator("textarea").input_value() == "Nobody answered"
    last = rig.producer.answers()[-1]
    assert (last.answers.score, last.answers.comment) == (5, "Nobody answered")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_can_go_wrong_is_said_in_the_customers_language(
    rig: Rig, address: str, browser: Browser, language: str
) -> None:
    page = await open_page(browser, PHONE, dark=True)
    token = survey_token("effort", language)

    await page.goto(f"{address}/s/{token}")
    await page.get_by_role("button").click()
    assert await page.get_by_role("alert").is_visible()
    await assert_fits(page)
    await keep(page, f"no-score-{language}-dark")
    rig.producer.away = True
    await page.locator("label:has(#score-2)").click()
    await page.get_by_role("button").click()
    assert await page.get_by_role("alert").is_visible()
    assert await page.locator("#score-2").is_checked()
    await keep(page, f"away-{language}-dark")

    await page.goto(f"{address}/u/{unsubscribe_token(language)}")
    await keep(page, f"unsubscribe-{language}-dark")
    await page.get_by_role("button").click()
    assert rig.optouts.recorded
    await keep(page, f"unsubscribed-{language}-dark")


async def test_the_policy_blocks_nothing_that_the_page_needs(
    address: str, browser: Browser
) -> None:
    context = await browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    await page.goto(f"{address}/s/{survey_token()}")
    await page.get_by_role("button").click()

    assert [text for text in said if "422" not in text] == []
    colour = await page.locator("button").evaluate("e => getComputedStyle(e).backgroundColor")
    assert colour == "rgb(11, 79, 179)"
