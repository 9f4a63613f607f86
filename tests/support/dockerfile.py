"""The Dockerfile as its engine reads it, and what .dockerignore lets it see."""

import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.tools import ROOT

# what python:3.11-slim sets
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Stage:
    """The instructions behind one FROM, in order: (RUN, words)."""

    instructions: Sequence[tuple[str, str]]

    def of(self, name: str) -> list[str]:
        """What stands behind each instruction of that name."""
        return [words for instruction, words in self.instructions if instruction == name]

    @cached_property
    def environment(self) -> dict[str, str]:
        """What ENV sets, on top of what the base image has."""
        found = {"PATH": PATH}
        for words in self.of("ENV"):
            for word in shlex.split(words):
                key, _, value = word.partition("=")
                found[key] = value.replace("$PATH", found["PATH"])
        return found

    @property
    def healthcheck(self) -> list[str]:
        """The command of HEALTHCHECK, in its exec form."""
        (words,) = self.of("HEALTHCHECK")
        command: list[str] = json.loads(words.partition("CMD")[2])
        return command


@dataclass
class _Reading:
    stages: list[list[tuple[str, str]]] = field(default_factory=list)

    def take(self, line: str) -> None:
        name, _, words = line.partition(" ")
        if name == "FROM":
            self.stages.append([])
        elif self.stages:
            self.stages[-1].append((name, words.strip()))


def read_dockerfile(path: Path = ROOT / "Dockerfile") -> list[Stage]:
    """The stages, the last of which is the image."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    reading = _Reading()
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line:
            reading.take(line)
    return [Stage(instructions) for instructions in reading.stages]


def sent_files(root: Path = ROOT) -> Iterator[Path]:
    """The files of the context, relative to it, that .dockerignore does not keep back."""
    rules = [
        (line.startswith("!"), _pattern(line.removeprefix("!")))
        for line in (root / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]

    def sent(path: Path) -> bool:
        kept = True
        for again, pattern in rules:
            if any(pattern.fullmatch(str(step)) for step in (path, *path.parents)):
                kept = again
        return kept

    for top in sorted(root.iterdir()):
        if not sent(top.relative_to(root)):
            continue
        for folder, _, names in os.walk(top) if top.is_dir() else [(str(root), [], [top.name])]:
            paths = [(Path(folder) / name).relative_to(root) for name in names]
            yield from (path for path in paths if sent(path))


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*)", text.strip("/"))
    meant: dict[str, Any] = {"**/": "(?:.*/)?", "*": "[^/]*"}
    escaped = [meant.get(part, re.escape(part)) for part in parts]
    return re.compile("".join(escaped).replace(r"\[", "[").replace(r"\]", "]"))
