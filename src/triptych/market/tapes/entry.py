"""One message of a tape, and the line it is written as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import orjson

STREAM: Final = "@stream"
"""Topic of the recorder's own entries: the connection came up, or was lost and why."""


class TapeEntry(NamedTuple):
    """One message.

    Attributes:
        time_ns: when it was received, our clock, UTC nanoseconds.
        topic: the venue's, such as `kline.1.BTCUSDT`, or `STREAM`.
        content: the message as the venue sent it, every field.
        via: `stream` for what was streamed; `rest` for what was asked for because the stream had not told it.
    """

    time_ns: int
    topic: str
    content: Mapping[str, Any]
    via: Literal["stream", "rest"] = "stream"


def to_line(entry: TapeEntry) -> bytes:
    """JSON in one line, ended."""
    row = {"t": entry.time_ns, "topic": entry.topic, "via": entry.via, "body": entry.content}
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def from_line(line: bytes) -> TapeEntry:
    """The entry of a line. Raises ValueError, KeyError or TypeError for anything else."""
    row = orjson.loads(line)
    return TapeEntry(row["t"], row["topic"], row["body"], row["via"])
