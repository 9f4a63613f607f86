"""A customer answers the mail's link in a browser, and the score of its frozen segment moves."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.support.asked import call_ended, link_in, mail_to
from tests.support.kafka import whole_on_both
from tests.support.system import System, open_system

pytestmark = [pytest.mark.browser, pytest.mark.system]

SEGMENT = {"queue": "billing", "agent": "ana"}


@whole_on_both
async def test_an_answer_in_the_browser_moves_the_score_within_a_second(
    browser: Browser, tmp_path: Path, kafka: dict[str, str]
) -> None:
    async with open_system(tmp_path / "var", **kafka) as system:
        await system.start()
        await system.post("ingest", "/v1/events", call_ended(1, locale="th-TH"))
        (message,) = await mail_to(system)
        page = await browser.new_page(java_script_enabled=False)
        await page.goto(f"{system.urls['ingest']}{link_in(message)}?score=4")
        assert await page.locator("html").get_attribute("lang") == "th"
        assert await page.locator("input[name=score][value='4']").is_checked()

        await page.locator("label:has(input[value='2'])").click()
        answered = time.monotonic()
        await page.locator("button[type=submit]").first.click()
        await page.wait_for_url("**/thanks")
        async with asyncio.timeout(5):
            while not (groups := await billing(system)):
                await asyncio.sleep(0.01)
        seconds = time.monotonic() - answered

        assert groups[0]["segment"] == SEGMENT
        assert groups[0]["counts"] == {"promoters": 0, "passives": 0, "detractors": 1}
        assert seconds < 1


async def billing(system: System) -> list[dict[str, Any]]:
    reply = await system.get("scoring", "/v1/scores", metric="csat", by="queue,agent")
    return [group for group in reply["groups"] if group["n"]]
