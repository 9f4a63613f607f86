"""Make an API key: prints it once, and the entry for EARSHOT_KEYS_FILE."""

import argparse
import json
import sys
from collections.abc import Sequence

from shared.keys import SCOPES, new_key


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services keys", description=__doc__)
    parser.add_argument("id", help="a name for its holder, such as shop-eu")
    parser.add_argument("scope", nargs="+", help=f"of {', '.join(SCOPES)}, or *")
    parser.add_argument("--expires", help="RFC 3339; default: never")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.scope) - {*SCOPES, "*"})
    if unknown:
        sys.stderr.write(f"no such scope: {', '.join(unknown)}; there are {', '.join(SCOPES)}\n")
        return 2
    text, digest = new_key(asked.id)
    entry = {"id": asked.id, "sha256": digest, "scopes": asked.scope, "expires": asked.expires}
    print(f"key (shown once): {text}\nentry for the list in the keys file:\n{json.dumps(entry)}")
    return 0
