"""List the settings with meaning and default."""

import argparse
from collections.abc import Sequence

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from services.commands.run import SETTINGS
from shared.settings import PREFIX


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services settings", description=__doc__)
    parser.parse_args(arguments)
    fields: dict[str, FieldInfo] = {}
    for model in SETTINGS:
        fields |= model.model_fields
    print("Each can also be given as …_FILE, the path of a file that holds the value.\n")
    for name, field in sorted(fields.items()):
        print(f"{PREFIX}{name.upper():<28} {field.description} [{_default(field)}]")
    return 0


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=False)
    if isinstance(value, SecretStr) or value in (None, ""):
        return "none"
    return str(value)
