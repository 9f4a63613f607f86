"""The image, made once: it takes a minute."""

import pytest

from tests.support.container import Image, build_image, needs_namespaces


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    needs_namespaces()
    return build_image(tmp_path_factory.mktemp("image"))
