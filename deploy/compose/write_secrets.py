"""Draw the passwords and keys that docker-compose.yml mounts, into `secrets/`.

    python deploy/compose/write_secrets.py [FOLDER]

Needs nothing but Python 3.11. Writes what is missing and never overwrites. Prints the operator's
key when it is drawn; it is stored nowhere.
"""

# ruff: noqa: INP001  (a script, run by its path)

import json
import secrets
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[2] / "secrets"
OPERATOR: Final = "the operator's key"
Files = Mapping[str, str]


class Incomplete(Exception):
    """Some files that belong together are there, and others of them are not."""


def draw_key(name: str, scopes: list[str]) -> tuple[str, dict[str, object]]:
    """One API key, and its entry in the keys file."""
    key = f"esk_{name}_{secrets.token_urlsafe(32)}"
    digest = sha256(key.encode()).hexdigest()
    return key, {"id": name, "sha256": digest, "scopes": scopes, "expires": None}


def draw_database() -> Files:
    password = secrets.token_urlsafe(32)
    url = f"postgresql://earshot:{password}@postgres:5432/earshot"
    return {"database_password": password, "database_url": url}


def draw_keys() -> Files:
    """Ingest's key and the operator's; of the latter the file has the hash alone."""
    trigger_key, trigger_entry = draw_key("ingest", ["suppressions:write"])
    operator_key, operator_entry = draw_key("operator", ["*"])
    return {
        "trigger_key": trigger_key,
        "api_keys": json.dumps([trigger_entry, operator_entry], indent=1),
        OPERATOR: operator_key,
    }


def draw_webhook_secret() -> str:
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


# What is drawn together is missing together. Mail goes to the catcher, and Slack is told nothing,
# until somebody writes another address there.
DRAWN: Final[tuple[Callable[[], Files], ...]] = (
    draw_database,
    draw_keys,
    lambda: {"token_keys": secrets.token_urlsafe(32)},
    lambda: {"webhook_secret": draw_webhook_secret()},
    lambda: {"alerts_webhook_secret": draw_webhook_secret()},
    lambda: {"grafana_password": secrets.token_urlsafe(16)},
    lambda: {"smtp_url": "smtp://mailpit:1025"},
    lambda: {"slack_url": ""},
)


def write_secrets(folder: Path) -> dict[str, str]:
    """Write the files that are missing, and return what was written by name.

    The folder is closed to others; the files in it are readable, because a container sees them
    under their own mode and reads them as its own user. Raises Incomplete.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    written: dict[str, str] = {}
    for draw in DRAWN:
        files = draw()
        names = [name for name in files if name != OPERATOR]
        there = [name for name in names if (folder / name).exists()]
        if len(there) == len(names):
            continue
        if there:
            gone = ", ".join(sorted({*names} - {*there}))
            raise Incomplete(f"{folder}: {gone} is missing, but belongs to {', '.join(there)}")
        for name in names:
            (folder / name).write_text(files[name] + "\n", encoding="utf-8")
            (folder / name).chmod(0o644)
        written |= files
    return written


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    try:
        written = write_secrets(folder)
    except Incomplete as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    if written:
        sys.stdout.write(f"written to {folder}\n")
    if OPERATOR in written:
        sys.stdout.write(f"{OPERATOR}, shown this once: {written[OPERATOR]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
