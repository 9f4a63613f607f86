"""A real browser, Debian's Chromium; and the Kafka of a whole system."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from shared.events import PARTITIONS
from tests.support.kafka import broker_on

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--headless=new"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make test` does not look here, so that nothing here may be left to it."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.thorough)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or pytest.fail("the browser tests need Debian's chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> dict[str, str]:
    """What the system is told of Kafka: nothing, and it starts the mock; or where a real one is."""
    if getattr(request, "param", "mock") == "mock":
        return {}
    broker = broker_on(request.getfixturevalue("kraft"), PARTITIONS)
    return {
        "EARSHOT_KAFKA_BOOTSTRAP": broker.bootstrap,
        "EARSHOT_KAFKA_TOPIC_PREFIX": broker.prefix,
        "EARSHOT_KAFKA_SESSION": "6s",
    }
