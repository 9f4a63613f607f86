"""JSON log lines, one event each: `ts`, `level`, `event` and named values. Never a secret."""

import logging
import sys
from typing import Any, Final

import structlog
from opentelemetry.trace import get_current_span

_LONGEST: Final = 300
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
                structlog.processors.JSONRenderer(ensure_ascii=False),
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
