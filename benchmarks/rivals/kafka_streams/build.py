"""What runs the Kafka Streams contenders: built once into `.rivals/` by Java 17 and Maven."""

import hashlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.scoring.contenders import Missing
from shared.embedded.files import hold_lock
from shared.embedded.kraft.jars import run_tool
from shared.embedded.processes import StartFailed

_HERE: Final = Path(__file__).resolve().parent
_POM: Final = _HERE / "pom.xml"
_ROOT: Final = _HERE.parents[2]
_BUILT: Final = _ROOT / ".rivals" / "kafka-streams"
_VERSION: Final = (
    r"<groupId>org.apache.kafka</groupId>\s*"
    r"<artifactId>kafka-streams</artifactId>\s*<version>(.+?)</version>"
)
_BUILD_S: Final = 300.0
# a heap of one size, and the logs of Kafka's clients only where something fails
_JVM: Final = ("-Xms512m", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")


def command(way: str = "streams") -> Sequence[str]:
    """What runs `streams` or `streams-local`, built where it is not yet.

    Raises Missing where this machine lacks Java 17 or Maven, or where they fail.
    """
    java, javac, maven = (_found(tool) for tool in ("java", "javac", "mvn"))
    sources = sorted(_HERE.glob("src/main/java/**/*.java"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in (_POM, *sources))).hexdigest()
    lib, classes, done = _BUILT / "lib", _BUILT / "classes", _BUILT / "built-from"
    _BUILT.mkdir(parents=True, exist_ok=True)
    with hold_lock(_BUILT / "build.lock", patience=_BUILD_S):
        if not done.exists() or done.read_text() != digest:
            for folder in (lib, classes):
                shutil.rmtree(folder, ignore_errors=True)
            try:
                goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
                at = f"-DoutputDirectory={lib}"
                run_tool([maven, "-q", "-B", "-f", str(_POM), *goal, at], _BUILD_S)
                target = ["--release", "17", "-cp", f"{lib}/*", "-d", str(classes)]
                run_tool([javac, *target, *map(str, sources)], _BUILD_S)
            except StartFailed as fault:
                raise Missing(str(fault)) from None
            done.write_text(digest)
    return [java, *_JVM, "-cp", f"{classes}:{lib}/*", "earshot.rival.Main", way]


def version() -> str:
    """The version of Kafka Streams that is built."""
    found = re.search(_VERSION, _POM.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _found(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        raise Missing(f"Kafka Streams is built by Java 17 and Maven: no `{tool}` here")
    return path
