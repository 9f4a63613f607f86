"""JSON log lines, one event each: `ts`, `level`, `event` and named values. Never a secret."""

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from opentelemetry.trace import get_current_span

_LONGEST: Final = 300
# What JSON leaves as it is and a terminal or a pager obeys: C1 controls, line and paragraph
# separators, and what turns the direction of writing.
_OBEYED: Final = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_QUIET: Final = ("aiokafka", "httpx", "httpcore", "alembic", "sqlalchemy", "uvicorn")


def _name_trace(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Say which trace the line belongs to, where its request or record belongs to one."""
    context = get_current_span().get_span_context()
    if context.is_valid:
        event.setdefault("trace_id", f"{context.trace_id:032x}")
    return event


def _shorten(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Cut long texts: a customer's comment is not to fill a disk."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > _LONGEST and key != "exception":
            event[key] = f"{value[:_LONGEST]}…"
    return event


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """One line, whatever the values hold: nobody forges a second one, or moves a cursor."""
    text = json.dumps(event, ensure_ascii=False, default=repr)
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_SHARED: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    structlog.processors.format_exc_info,
    _name_trace,
    _shorten,
]


def configure(level: str = "info") -> None:
    """Send structlog and the standard library's logging to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
