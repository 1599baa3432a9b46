"""Figures read off the last rows of a book at each close: from a recording, and live as the rows come.

A row is the book at a multiple of `every_ms` since 1970, the last one at or before that time; one that was last seen
longer before than is allowed is none, and a stretch that lacks a row is not read. Nor is one whose rows lie on both
sides of a gap: it is no window that a network learned from, however short the gap was. What is read at a close depends
on the last `rows` of them and on nothing before: a recording that begins earlier, or a restart, changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.market.books.sampling import sample_at
from triptych.market.books.tape import BookTape

CHUNK: Final = 50_000
"""Rows that are laid out at a time."""


class AbstractRowReader(ABC):
    """Reads figures off an unbroken stretch of rows.

    Attributes:
        names: of the figures.
        every_ms: milliseconds between rows.
        rows: how many of them are read.
        levels: levels a side of each.
        identity: what it is: two readers of one identity read alike.
    """

    names: tuple[str, ...]
    every_ms: int
    rows: int
    levels: int
    identity: str

    @abstractmethod
    def read(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The figures at the last of these rows.

        Args:
            rows: float64 of shape (rows, 4 * levels), in the order of `book_columns`, oldest first; each has a best bid
                and a best ask.

        Returns:
            float64 of shape (n_names,).
        """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbstractRowReader) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def times(self, close_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Times of the rows that are read at each close, int64 of shape (n_closes, rows), oldest first."""
        last = np.asarray(close_ms, dtype=np.int64) // self.every_ms * self.every_ms
        return last[:, None] + np.arange(1 - self.rows, 1, dtype=np.int64) * self.every_ms


def times_read(readers: Sequence[AbstractRowReader], close_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """All times at which a book is looked at, rising: the closes, and the rows of every reader."""
    return np.unique(np.concatenate([close_ms, *(one.times(close_ms).ravel() for one in readers)]))


def notes_of(
    tape: BookTape, close_ms: NDArray[np.int64], readers: Sequence[AbstractRowReader], max_age_ms: int
) -> dict[str, NDArray[np.float64]]:
    """What readers say at each close, by name; float64 of shape (n_closes,), NaN where a row is missing or stale, or
    where a gap of the recording lies between the rows.

    Args:
        tape: books of one instrument, with at least the levels that are read; every row that it knew at `times_read`.
        close_ms: int64 of shape (n_closes,), rising.
        readers: who reads.
        max_age_ms: a book last seen longer before a row's time is none.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for reader in readers:
        said = np.full((len(close_ms), len(reader.names)), np.nan)
        step = max(1, CHUNK // reader.rows)
        for start in range(0, len(close_ms), step):
            times = reader.times(close_ms[start : start + step])
            every, place = np.unique(times, return_inverse=True)
            sampled = sample_at(tape, every, max_age_ms).tape
            rows = sampled.rows(reader.levels)
            for i, where in enumerate(place.reshape(times.shape)):
                stretch = rows[where]
                if sampled.segment[where[0]] == sampled.segment[where[-1]] and is_whole(stretch):
                    said[start + i] = reader.read(stretch)
        found |= dict(zip(reader.names, said.T, strict=True))
    return found


def is_whole(rows: NDArray[np.float64]) -> bool:
    """Whether each of the rows, of shape (n, 4 * levels), has a best bid and a best ask."""
    return not np.isnan(rows[:, [0, rows.shape[1] // 2]]).any()


class BookAt(NamedTuple):
    """A live book as it stood from a time on: its row, of shape (4 * levels,), and the unbroken stretch it belongs to.

    A tuple: there are thousands a second.
    """

    time_ms: int
    stretch: int
    row: NDArray[np.float64]


class RecentRows:
    """The rows of one reader as they become known, live; as many are kept as are needed for the next close."""

    def __init__(self, reader: AbstractRowReader, *, kept: int) -> None:
        """Keep rows for a reader; `kept` is how many more of them than the reader's own, for closes told late."""
        self.reader = reader
        self._kept = reader.rows + kept
        self._rows: OrderedDict[int, tuple[int, NDArray[np.float64]]] = OrderedDict()

    def remember(self, book: BookAt, before_ms: int, max_age_ms: int) -> None:
        """The book stood until `before_ms`, and is not too old until `max_age_ms` after it changed."""
        step = self.reader.every_ms
        time_ms = -(-book.time_ms // step) * step
        if time_ms >= before_ms:
            return
        cut = self._cut(book.row)
        while time_ms < before_ms and time_ms - book.time_ms <= max_age_ms:
            self._rows[time_ms] = book.stretch, cut
            time_ms += step
        while len(self._rows) > self._kept:
            self._rows.popitem(last=False)

    def read(self, close_ms: int, last: BookAt | None, max_age_ms: int) -> NDArray[np.float64]:
        """The figures at a close, NaN where a row is missing or a gap lies between the rows.

        `last`: the newest book, which stands for rows that nothing later was said of.
        """
        rows, stretches = [], set()
        for time_ms in self.reader.times(np.array([close_ms]))[0].tolist():
            found = self._rows.get(time_ms)
            if found is None and last is not None and 0 <= time_ms - last.time_ms <= max_age_ms:
                found = last.stretch, self._cut(last.row)
            if found is None:
                return np.full(len(self.reader.names), np.nan)
            stretches.add(found[0])
            rows.append(found[1])
        read = np.stack(rows)
        if len(stretches) > 1 or not is_whole(read):
            return np.full(len(self.reader.names), np.nan)
        return self.reader.read(read)

    def _cut(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        levels, kept = self.reader.levels, len(row) // 4
        return row if levels == kept else np.concatenate([side[:levels] for side in np.split(row, 4)])
