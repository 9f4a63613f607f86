"""Draw the passwords and keys that docker-compose.yml mounts, into `secrets/`.

    python deploy/compose/write_secrets.py [FOLDER]

Needs nothing but Python 3.11. Never overwrites. Prints the operator's key, which is stored nowhere.
"""

# ruff: noqa: INP001  (a script, run by its path)

import json
import secrets
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[2] / "secrets"


def draw_key(name: str, scopes: list[str]) -> tuple[str, dict[str, object]]:
    """One API key, and its entry in the keys file."""
    key = f"esk_{name}_{secrets.token_urlsafe(32)}"
    digest = sha256(key.encode()).hexdigest()
    return key, {"id": name, "sha256": digest, "scopes": scopes, "expires": None}


def write_secrets(folder: Path) -> str:
    """Write all files and return the operator's key. Raises FileExistsError where there are any.

    The folder is closed to others; the files in it are readable, because a container sees them
    under their own mode and reads them as its own user.
    """
    folder.mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    password = secrets.token_urlsafe(32)
    trigger_key, trigger_entry = draw_key("ingest", ["suppressions:write"])
    operator_key, operator_entry = draw_key("operator", ["*"])
    files = {
        "database_password": password,
        "database_url": f"postgresql://earshot:{password}@postgres:5432/earshot",
        "token_keys": secrets.token_urlsafe(32),
        "trigger_key": trigger_key,
        "api_keys": json.dumps([trigger_entry, operator_entry], indent=1),
    }
    for name, text in files.items():
        path = folder / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o644)
    return operator_key


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    try:
        key = write_secrets(folder)
    except FileExistsError:
        sys.stderr.write(f"{folder} exists already and stays as it is\n")
        return 1
    sys.stdout.write(f"written to {folder}\nthe operator's key, shown this once: {key}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
