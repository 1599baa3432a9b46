"""A stream for logs that never raises: what cannot be written is counted, dropped, and told of once it works again."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TextIO


class Unfailing:
    """Passes text on to a stream, whatever becomes of it: a full disk, a closed pipe, a letter that cannot be encoded.

    Attributes:
        lost: writes that have failed since the last one that worked.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`, which must not keep back what it could not write; see `open_log`."""
        self._stream, self.lost = stream, 0

    def write(self, text: str) -> int:
        """Write, behind a line that says how many writes were lost if any were. Returns the length of `text`."""
        told = ""
        if self.lost:
            words = f"{self.lost} lines could not be written to this log"
            told = f'\n{{"level": "error", "event": "{words}"}}\n'  # a line may have been torn
        try:
            self._stream.write(told + text)
            self._stream.flush()
        except (OSError, ValueError):
            self.lost += 1
        else:
            self.lost = 0
        return len(text)

    def flush(self) -> None:
        """Every write flushes."""


def open_log(path: Path) -> TextIO:
    """A file to append to, line by line and unbuffered: a line that a full disk has refused is not tried again.

    Raises OSError when it cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return io.TextIOWrapper(path.open("ab", buffering=0), encoding="utf-8", write_through=True)
