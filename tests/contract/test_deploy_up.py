"""`make up` writes what is missing, starts Compose, waits for every page and says where it is."""

import shutil
import stat
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.tools import ROOT, run_tool

FAKE = """#!{python}
import sys
with open("{log}", "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "port":
    print("127.0.0.1:{port}")
"""


class Pages(BaseHTTPRequestHandler):
    """Every page of every service: 200, or 503 where `away` says so."""

    away: str = ""

    def do_GET(self) -> None:
        self.send_response(503 if self.path == self.away else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing is said."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def compose(tmp_path: Path, port: int) -> Path:
    """A program that is called like Compose, and writes down how."""
    fake = tmp_path / "docker-compose"
    log = tmp_path / "called"
    fake.write_text(FAKE.format(python=sys.executable, log=log, port=port))
    fake.chmod(stat.S_IRWXU)
    return fake


@pytest.fixture
def up(tmp_path: Path) -> Any:
    """deploy/compose/up.py in a folder of its own, where it writes its secrets."""
    shutil.copytree(ROOT / "deploy/compose", tmp_path / "deploy/compose")
    spec = spec_from_file_location("up", tmp_path / "deploy/compose/up.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everything_is_started_and_said(
    up: Any, compose: Path, port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert up.main([str(compose)]) == 0

    first, *ports = (tmp_path / "called").read_text().splitlines()
    assert first == "up --build --detach"
    said = capsys.readouterr().out
    for line in ports:
        assert f"{line.split()[1]:<13}http://127.0.0.1:{port}" in said
    assert (tmp_path / "secrets" / "grafana_password").exists()


def test_every_published_port_is_waited_for(up: Any) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    published = {
        (name, int(port.rpartition(":")[2]))
        for name, service in services.items()
        for port in service.get("ports", [])
    }

    waited = {(service, port) for service, port, *_ in up.PAGES}
    # what speaks no HTTP is waited for by those who need it
    assert published - waited == {("kafka", 19092), ("postgres", 5432)}
    assert waited <= published


def test_what_does_not_answer_is_named(
    up: Any, compose: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(up, "PATIENCE_S", 0.0)
    monkeypatch.setattr(Pages, "away", "/api/health")

    assert up.main([str(compose)]) == 1
    assert f"grafana is not ready: {compose} logs grafana" in capsys.readouterr().err


@pytest.mark.parametrize(("asked", "done"), [((), "down"), (("VOLUMES=1",), "down --volumes")])
def test_down_keeps_the_data_unless_told_otherwise(
    compose: Path, tmp_path: Path, asked: tuple[str, ...], done: str
) -> None:
    run_tool("make", "--no-print-directory", "down", f"COMPOSE={compose}", *asked)

    assert (tmp_path / "called").read_text().strip() == done
