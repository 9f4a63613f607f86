"""What is made once and takes long: the image, and a Kafka that insists on who one is."""

from collections.abc import Iterator

import pytest

from shared.stream.kafka import create_topics
from tests.support.container import Image, build_image, needs_namespaces
from tests.support.kafka import draw_prefix
from tests.support.secured import Site, open_site


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    needs_namespaces()
    return build_image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("secured")) as site:
        yield site


@pytest.fixture
async def at_site(site: Site) -> str:
    """The prefix of topics of this test's own."""
    found = draw_prefix()
    await create_topics(site.ground.kafka.bootstrap, prefix=found)
    return found
