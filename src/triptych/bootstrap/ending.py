"""An end in order: a signal ends the wait for the next line of a stream, and never the work on one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class _Asked(BaseException):
    """A signal came while nothing was being done."""


class Ending:
    """Takes Ctrl-C and SIGTERM while it is entered; outside the main thread, where signals cannot be taken, nothing."""

    def __init__(self) -> None:
        self._asked = self._waits = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {name: signal.signal(name, self._ask) for name in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)

    def until_asked(self, lines: Iterable[str]) -> Iterator[str]:
        """The lines until they end or a signal comes."""
        source = iter(lines)
        while True:
            try:
                self._waits = True  # before the question: a signal between the two must not be waited over
                if self._asked:
                    return
                line = next(source)
                self._waits = False
            except (_Asked, StopIteration):
                return
            finally:
                self._waits = False
            yield line

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if self._waits:
            self._waits = False
            raise _Asked
