"""The secrets that Compose mounts are drawn once, and are what the services read."""

import sys
from pathlib import Path
from subprocess import PIPE, run

import pytest
import yaml

from shared.errors import Forbidden, Unauthorised
from shared.keys import KeyFile
from shared.senders.smtp import MailServer
from shared.senders.webhook import Destination
from shared.tokens import Tokens
from tests.support.tools import ROOT, run_tool

SCRIPT = "deploy/compose/write_secrets.py"


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "secrets"
    said = run_tool(sys.executable, "-I", SCRIPT, str(folder))
    return folder, said.split()[-1]


def test_every_file_that_compose_mounts_is_written(drawn: tuple[Path, str]) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounted = {Path(secret["file"]).name for secret in compose["secrets"].values()}

    assert {path.name for path in drawn[0].iterdir()} == mounted


def test_the_operators_key_opens_everything(drawn: tuple[Path, str]) -> None:
    folder, key = drawn

    assert KeyFile(folder / "api_keys").check(f"Bearer {key}", "scores:read") == "operator"


def test_ingests_key_opens_suppressions_alone(drawn: tuple[Path, str]) -> None:
    keys = KeyFile(drawn[0] / "api_keys")
    bearer = "Bearer " + (drawn[0] / "trigger_key").read_text()

    assert keys.check(bearer, "suppressions:write") == "ingest"
    with pytest.raises(Forbidden):
        keys.check(bearer, "scores:read")


def test_no_key_stands_in_the_keys_file(drawn: tuple[Path, str]) -> None:
    folder, key = drawn

    assert key not in (folder / "api_keys").read_text()
    with pytest.raises(Unauthorised):
        KeyFile(folder / "api_keys").check(f"Bearer {key}x", "scores:read")


def test_the_token_key_is_long_enough_to_sign(drawn: tuple[Path, str]) -> None:
    Tokens([(drawn[0] / "token_keys").read_text().strip()])


def test_the_folder_is_closed_to_others(drawn: tuple[Path, str]) -> None:
    assert drawn[0].stat().st_mode & 0o777 == 0o700


def test_what_was_drawn_is_never_overwritten(drawn: tuple[Path, str]) -> None:
    folder = drawn[0]
    before = {path.name: path.read_text() for path in folder.iterdir()}

    assert run_tool(sys.executable, "-I", SCRIPT, str(folder)) == ""
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_what_is_missing_is_drawn_and_the_rest_stays(drawn: tuple[Path, str]) -> None:
    folder = drawn[0]
    before = {path.name: path.read_text() for path in folder.iterdir()}
    (folder / "grafana_password").unlink()

    said = run_tool(sys.executable, "-I", SCRIPT, str(folder))

    after = {path.name: path.read_text() for path in folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"grafana_password"}
    assert "key" not in said.removeprefix(f"written to {folder}")


def test_a_password_that_lost_its_other_half_is_told(drawn: tuple[Path, str]) -> None:
    folder = drawn[0]
    (folder / "database_url").unlink()

    again = run([sys.executable, "-I", SCRIPT, str(folder)], cwd=ROOT, stderr=PIPE, check=False)

    assert again.returncode == 1
    assert b"database_url is missing, but belongs to database_password" in again.stderr


@pytest.mark.parametrize("name", ["webhook_secret", "alerts_webhook_secret"])
def test_a_webhooks_secret_signs(drawn: tuple[Path, str], name: str) -> None:
    Destination("https://example.org/hook", (drawn[0] / name).read_text().strip())


def test_mail_goes_where_the_file_says(drawn: tuple[Path, str]) -> None:
    server = MailServer.read((drawn[0] / "smtp_url").read_text().strip())

    assert (server.host, server.port, server.tls) == ("mailpit", 1025, False)
