"""List the settings with meaning and default."""

import argparse
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from services.commands.run import SETTINGS
from shared.db import SCHEMAS
from shared.durations import format_duration
from shared.settings import PREFIX

# Read by name, not as a field: one a service, or the verbs' alone.
_BESIDE: Final = {
    **{
        f"{service.upper()}_DATABASE_URL": f"{service}'s own; default: EARSHOT_DATABASE_URL [none]"
        for service in SCHEMAS
    },
    "FAILPOINT": "tests only: name[:count[:stop]] of the step to end or stand still at [none]",
    "API_KEY": "API key that replay and demo use, where the services ask for one [none]",
    "SCORING_URL": "where replay and demo find scoring; default: loopback with its port [none]",
    "INGEST_URL": "where replay and demo find ingest; default: loopback with its port [none]",
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services settings", description=__doc__)
    parser.parse_args(arguments)
    fields: dict[str, FieldInfo] = {}
    for model in SETTINGS:
        fields |= model.model_fields
    print("Each can also be given as …_FILE, the path of a file that holds the value.\n")
    lines = {n.upper(): f"{f.description} [{_default(f)}]" for n, f in fields.items()}
    for name, text in sorted((_BESIDE | lines).items()):
        print(f"{PREFIX}{name:<28} {text}")
    return 0


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=False)
    if isinstance(value, SecretStr) or value in (None, ""):
        return "none"
    return format_duration(value) if isinstance(value, timedelta) else str(value)
