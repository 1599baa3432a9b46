"""The last rows of one stream, where it stands in time, and the rows before a doubtful one."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from triptych.inference.anomaly.course import Course


class Ring:
    """The last rows of one stream, each row twice so that any window is contiguous.

    Attributes:
        count: rows of the window, at most `memory`.
        bad_run: bad rows in a row, the newest ones.
        last: values of the last good row, unscaled; None where nothing can be bridged.
        known: what the detector gave for the window as it was before the last row, see `AbstractDetector.follow`.
    """

    def __init__(self, memory: int, channels: int) -> None:
        self._rows = np.zeros((2 * memory, channels), dtype=np.float32)
        self._memory = memory
        self._end = 0
        self.count = 0
        self.bad_run = 0
        self.last: NDArray[np.float64] | None = None
        self.known: object | None = None
        self._known_now: object | None = None

    def push(self, row: NDArray[np.float32]) -> None:
        self.known, self._known_now = self._known_now, None
        self._rows[self._end] = self._rows[self._end + self._memory] = row
        self._end = (self._end + 1) % self._memory
        self.count = min(self.count + 1, self._memory)

    def keep(self, known: object | None) -> None:
        """Keep what the detector gave for the window as it is, until the row after the next."""
        self._known_now = known

    def window(self) -> NDArray[np.float32]:
        return self._rows[self._end : self._end + self._memory]

    def newest(self) -> NDArray[np.float32]:
        """The rows of the window, (count, channels)."""
        return self.window()[self._memory - self.count :]

    def fill(self, rows: NDArray[np.float32]) -> None:
        """Hold `rows`, those of `newest`, and nothing else."""
        self.clear()
        for row in rows:
            self.push(row)

    def copy(self) -> Self:
        made = type(self)(self._memory, self._rows.shape[1])
        made._rows = self._rows.copy()
        made._end, made.count, made.bad_run, made.last = self._end, self.count, self.bad_run, self.last
        made.known, made._known_now = self.known, self._known_now
        return made

    def clear(self) -> None:
        self.count = self._end = self.bad_run = 0
        self.last = self.known = self._known_now = None


class History:
    """What is known of one symbol: its window, its times, and the window before the rows that are doubtful."""

    def __init__(self, memory: int, channels: int) -> None:
        self.ring = Ring(memory, channels)
        self.course = Course()
        self.beside: Ring | None = None
        self.rows = 0  # that have come
        self.stamp = ""  # of the row since which all are doubtful, as it came
        self.ahead = 0.0  # steps by which it was

    def copy(self) -> Self:
        """What it is now, which the next row leaves alone."""
        made = copy(self)
        made.ring, made.beside = self.ring.copy(), None if self.beside is None else self.beside.copy()
        made.course = replace(self.course)
        return made
