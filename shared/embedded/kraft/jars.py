"""What Kafka needs of this machine: Java 17, and the jars that Maven fetches once."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shared.embedded.files import hold_lock
from shared.embedded.processes import StartFailed

_ROOT: Final = Path(__file__).resolve().parents[3]
_POM: Final = _ROOT / "deploy" / "kafka" / "pom.xml"
JARS: Final = _ROOT / ".kafka" / "lib"
_FETCH_S: Final = 300.0
_JAVA: Final = 17


class ToolMissing(StartFailed):
    """Kafka needs what this machine lacks; the text names it."""


def fetch() -> str:
    """Have what Kafka is run by: its jars, and Java, whose path is returned.

    Raises ToolMissing where this machine lacks Java or Maven, StartFailed where Maven fails.
    """
    java = _find_java()
    _fetch_jars()
    return java


def _find_java() -> str:
    java = shutil.which("java")
    if java is None:
        raise ToolMissing(f"Kafka runs on Java {_JAVA} or newer: `java` is not on this machine")
    said = run_tool([java, "-version"], 30.0)
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < _JAVA:
        raise ToolMissing(f"Kafka runs on Java {_JAVA} or newer; {java} is:\n{said.strip()}")
    return java


def _fetch_jars() -> None:
    """What the pom names, once."""
    JARS.parent.mkdir(exist_ok=True)
    done = JARS.parent / "fetched.xml"
    with hold_lock(JARS.parent / "fetch.lock", patience=_FETCH_S):
        if done.exists() and done.read_bytes() == _POM.read_bytes():
            return
        maven = shutil.which("mvn")
        if maven is None:
            raise ToolMissing("Kafka's jars are fetched by Maven: `mvn` is not on this machine")
        shutil.rmtree(JARS, ignore_errors=True)
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
        run_tool([maven, "-q", "-B", "-f", str(_POM), *goal, f"-DoutputDirectory={JARS}"], _FETCH_S)
        done.write_bytes(_POM.read_bytes())


def run_tool(command: Sequence[str], within_s: float) -> str:
    """What the command said. Raises StartFailed, with that, where it fails."""
    try:
        ended = subprocess.run(  # noqa: S603 - the command is ours # nosec B603
            command, capture_output=True, text=True, timeout=within_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise StartFailed(f"{command[0]}: {fault}") from fault
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr).splitlines()[-8:]
        raise StartFailed(f"{' '.join(command[:6])} …: exit {ended.returncode}\n" + "\n".join(said))
    return ended.stdout + ended.stderr
