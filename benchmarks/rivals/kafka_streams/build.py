"""The Kafka Streams contenders, built once into `.rivals/`: Java 17 and Maven, a minute at first.

python -m benchmarks.rivals.kafka_streams.build
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shared.embedded.files import hold_lock
from shared.embedded.kraft import ToolMissing
from shared.embedded.kraft.jars import run_tool

_HERE: Final = Path(__file__).resolve().parent
_POM: Final = _HERE / "pom.xml"
_ROOT: Final = _HERE.parents[2]
BUILT: Final = _ROOT / ".rivals" / "kafka-streams"
_BUILD_S: Final = 300.0
# a heap of one size, and the logs of Kafka's clients only where something fails
_JVM: Final = ("-Xms512m", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")


def command(way: str) -> Sequence[str]:
    """What runs `streams` or `streams-local`, built where it is not yet.

    Raises ToolMissing where this machine lacks Java 17 or Maven, StartFailed where a build fails.
    """
    java, javac, maven = (_found(tool) for tool in ("java", "javac", "mvn"))
    sources = sorted(_HERE.glob("src/main/java/**/*.java"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in (_POM, *sources))).hexdigest()
    lib, classes, done = BUILT / "lib", BUILT / "classes", BUILT / "built-from"
    BUILT.mkdir(parents=True, exist_ok=True)
    with hold_lock(BUILT / "build.lock", patience=_BUILD_S):
        if not done.exists() or done.read_text() != digest:
            for folder in (lib, classes):
                shutil.rmtree(folder, ignore_errors=True)
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
            at = f"-DoutputDirectory={lib}"
            run_tool([maven, "-q", "-B", "-f", str(_POM), *goal, at], _BUILD_S)
            target = ["--release", "17", "-cp", f"{lib}/*", "-d", str(classes)]
            run_tool([javac, *target, *map(str, sources)], _BUILD_S)
            done.write_text(digest)
    return [java, *_JVM, "-cp", f"{classes}:{lib}/*", "earshot.rival.Main", way]


def _found(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        raise ToolMissing(f"Kafka Streams is built by Java 17 and Maven: no `{tool}` here")
    return path


def main() -> None:
    print(*command("streams"))


if __name__ == "__main__":
    main()
