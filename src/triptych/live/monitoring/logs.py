"""Structured logs: one JSON object a line, with the id of the decision it belongs to, and without secrets."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

from triptych.live.monitoring.masking import Masker
from triptych.live.monitoring.unfailing import Unfailing

Logger = structlog.typing.FilteringBoundLogger


def create_logger(stream: TextIO, masker: Masker, *, level: str = "info", **context: Any) -> Logger:
    """A logger that writes to `stream`, one line an event, flushed at once. It never raises for what the stream does.

    Each line holds `time` (UTC, ISO 8601), `level`, `event` and what the call adds, such as `decision` (symbol and
    close time of the candle decided on) or `order_id`. `context` stands in every line.
    """

    def mask(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: masker.value(value) for key, value in event.items()}

    logger: Logger = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, Unfailing(stream))),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            mask,
            structlog.processors.JSONRenderer(serializer=json.dumps, ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    return logger.bind(**context) if context else logger


def decision_id(symbol: str, close_time_ms: int) -> str:
    """What the lines of one decision have in common."""
    return f"{symbol}@{close_time_ms}"
