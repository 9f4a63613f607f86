"""YAML files as plain values that remember their lines.

Read by the YAML 1.2 core schema, in which `on` and `no` are words, not booleans.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from shared.programme.faults import ProgrammeFault

LARGEST_FILE = 1024 * 1024
MOST_NODES = 50_000
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_BROKEN = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.?[0-9]*)([eE][-+]?[0-9]{1,3})?")

Path_ = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its values, the line of each key, the first line of each text."""

    file: Path
    values: Any
    lines: Mapping[Path_, int] = field(default_factory=dict)
    text_lines: Mapping[Path_, int] = field(default_factory=dict)
    faults: tuple[ProgrammeFault, ...] = ()

    def line_of(self, path: Path_) -> int:
        """The line of a key, else of the nearest key above it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def fault(self, path: Path_, fault: str, accepted: str = "", line: int = 0) -> ProgrammeFault:
        """A fault at a key."""
        return ProgrammeFault(
            self.file, line or self.line_of(path), ".".join(path), fault, accepted
        )


def read_source(file: Path) -> Source:
    """Read one file; its faults stand beside the values that could be read."""
    try:
        content = file.read_bytes()
    except OSError as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else str(error.strerror)
        return _broken(file, 0, reason, "a file that can be read")
    if len(content) > LARGEST_FILE:
        return _broken(file, 0, f"has {len(content)} bytes", f"at most {LARGEST_FILE}")
    try:
        node = yaml.compose(content.decode("utf-8-sig"), Loader=yaml.CBaseLoader)
    except UnicodeDecodeError as error:
        return _broken(file, content.count(b"\n", 0, error.start) + 1, "is not UTF-8", "UTF-8")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        return _broken(file, line, f"is not YAML: {error.problem or error.context}", "YAML")
    except yaml.YAMLError as error:
        return _broken(file, 0, f"is not YAML: {error}", "YAML")
    walk = _Walk(file)
    values = walk.value(node, ()) if node is not None else {}
    return Source(file, values, walk.lines, walk.text_lines, tuple(walk.faults))


def _broken(file: Path, line: int, fault: str, accepted: str) -> Source:
    return Source(file, None, faults=(ProgrammeFault(file, line, "", fault, accepted),))


class _Walk:
    """Turns nodes into values and notes where each stood."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines: dict[Path_, int] = {}
        self.text_lines: dict[Path_, int] = {}
        self.faults: list[ProgrammeFault] = []
        self._seen = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: Path_) -> Any:
        self._seen += 1
        line = node.start_mark.line + 1
        if self._seen > MOST_NODES or id(node) in self._open:
            if self._seen <= MOST_NODES + 1:
                self._fault(line, path, "repeats itself without end", "a tree of values")
            return None
        self.lines.setdefault(path, line)
        if isinstance(node, yaml.ScalarNode):
            self.text_lines[path] = line + (node.style in {"|", ">"})
            return scalar(node)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return [self.value(item, (*path, str(i))) for i, item in enumerate(node.value)]
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(line, path, "has a key that is not a text", "a text")
                continue
            key = str(key_node.value)
            below = (*path, key)
            if key in found:
                first = self.lines[below]
                self._fault(line, below, f"stands twice, first in line {first}", "each key once")
                continue
            self.lines[below] = line
            found[key] = self.value(value_node, below)
        return found

    def _fault(self, line: int, path: Path_, fault: str, accepted: str) -> None:
        self.faults.append(ProgrammeFault(self.file, line, ".".join(path), fault, accepted))


def scalar(node: yaml.ScalarNode) -> Any:
    """A plain scalar by the core schema; a quoted or block one is always a text."""
    text: str = node.value
    if node.style:
        return text
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _BROKEN.fullmatch(text) else text
