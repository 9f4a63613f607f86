"""A logger in the place of a module's own, whatever an earlier test made of structlog."""

from typing import Any

import pytest


class Heard:
    """What was logged: the values of each line, its words as `event`."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **values: Any) -> None:
        self.lines.append({"event": event, **values})

    error = warning = info


def hear(monkeypatch: pytest.MonkeyPatch, module: str) -> Heard:
    """Hear what the module logs from now on."""
    heard = Heard()
    monkeypatch.setattr(f"{module}._log", heard)
    return heard
