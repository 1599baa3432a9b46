"""One recording as training sees it: rows, times, stretches that nothing may cross, moves or labels, and the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import RecipeError
from triptych.market.books import BookTape, Fi2010, queue_imbalance
from triptych.market.books.formats.fi2010 import HORIZONS, LEVELS
from triptych.market.books.sampling import DAY_MS
from triptych.market.books.tape import RHYTHM_SHARE
from triptych.training.books.labels import UNKNOWN, Config, classes_of, future_moves


@dataclass(frozen=True, kw_only=True, slots=True)
class BookHistory:
    """Rows of one instrument in time order. Every array has the length n.

    Attributes:
        symbol: instrument, or the name of a file of FI-2010.
        time_ms: int64, UTC ms; of FI-2010 the number of the event, there being no times.
        rows: float32 of shape (n, 4 * levels), in the order of `book_columns(levels)`.
        stretch: int64, never falling: no window and no label reaches from one stretch to the next. A gap begins a new
            one and, unless allowed, midnight.
        moves_bp: float64, see `future_moves`; NaN throughout where `labels` were given.
        labels: int64, classes that came with the file; UNKNOWN throughout where they follow from the moves.
        queue: float64, the queue imbalance of the best level; of FI-2010, whose sizes are scores, the difference of
            the two scores. NaN where a book was empty.
    """

    symbol: str
    time_ms: NDArray[np.int64]
    rows: NDArray[np.float32]
    stretch: NDArray[np.int64]
    moves_bp: NDArray[np.float64]
    labels: NDArray[np.int64]
    queue: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def has_labels(self) -> bool:
        """Whether the labels came with the file."""
        return bool((self.labels != UNKNOWN).any())

    def classes(self, threshold_bp: float) -> NDArray[np.int64]:
        """The class of every row, int64 of shape (n,); UNKNOWN where there is none."""
        return self.labels if self.has_labels else classes_of(self.moves_bp, threshold_bp)

    def windows_end(self, length: int) -> NDArray[np.bool_]:
        """At which rows a window of `length` rows of one stretch ends, each with a mid; bool of shape (n,)."""
        ends = np.zeros(len(self), dtype=bool)
        if len(self) >= length:
            unknown = np.concatenate(([0], np.cumsum(np.isnan(self.queue))))
            ends[length - 1 :] = (self.stretch[length - 1 :] == self.stretch[: len(self) - length + 1]) & (
                unknown[length:] == unknown[: len(self) - length + 1]
            )
        return ends


def history_of_tape(tape: BookTape, config: Config, *, levels: int, across_days: bool = False) -> BookHistory:
    """A tape with the moves that follow each of its rows.

    `across_days` lets windows and labels contain 00:00 UTC, for markets that never close.

    Raises NotEnoughData when the tape has fewer levels.
    """
    stretch = tape.segment
    if not across_days:
        # As in `book_windows`, a book at midnight belongs to the day that ends.
        days = np.concatenate(([0], np.cumsum(np.diff((tape.time_ms - 1) // DAY_MS) > 0)))
        stretch = stretch + days
    # A book with one side has no mid, and nothing is foretold from it.
    queue = np.where(np.isnan(tape.mid), np.nan, queue_imbalance(tape))
    return BookHistory(
        symbol=tape.symbol, time_ms=tape.time_ms, rows=tape.rows(levels).astype(np.float32), stretch=stretch,
        moves_bp=future_moves(tape.mid, stretch, config.horizon), labels=np.full(len(tape), UNKNOWN), queue=queue,
    )  # fmt: skip


def history_of_fi2010(data: Fi2010, config: Config, *, name: str, levels: int, first_event: int = 0) -> BookHistory:
    """A file of FI-2010 with the labels it brings; `first_event` numbers on behind the file before.

    Raises RecipeError for a horizon that the set has no labels for, or more levels than its ten.
    """
    if config.horizon not in HORIZONS:
        raise RecipeError(
            f"FI-2010 has no labels {config.horizon} events ahead.",
            remedy=f"Set target.horizon to one of {', '.join(map(str, HORIZONS))}.",
        )
    if levels > LEVELS:
        raise RecipeError(f"FI-2010 has {LEVELS} levels a side, asked for were {levels}.", remedy="Set levels to 10.")
    n, horizon = len(data.rows), config.horizon
    blocks = data.rows.reshape(n, 4, LEVELS)
    labels = np.full(n, UNKNOWN)
    ends = np.arange(n - horizon)
    inside = data.segment[ends] == data.segment[ends + horizon]
    labels[ends[inside]] = data.labels[ends[inside], HORIZONS.index(horizon)]
    return BookHistory(
        symbol=name, time_ms=first_event + np.arange(n, dtype=np.int64),
        rows=blocks[:, :, :levels].reshape(n, -1).astype(np.float32), stretch=data.segment,
        moves_bp=np.full(n, np.nan), labels=labels, queue=blocks[:, 1, 0] - blocks[:, 3, 0],
    )  # fmt: skip


def rhythm_of(histories: Sequence[BookHistory], every_ms: int | None) -> int | None:
    """Milliseconds from one row to the next; None where rows come at no fixed distance in time, or have no times.

    Args:
        histories: what a network learns from.
        every_ms: the distance that was asked for; it holds where the recordings were streams.
    """
    if not histories or any(one.has_labels for one in histories):
        return None
    steps = np.concatenate([np.diff(one.time_ms)[np.diff(one.stretch) == 0] for one in histories])
    usual = float(np.median(steps)) if steps.size else 0.0
    if usual < 1 or np.mean(np.abs(steps - usual) <= 0.5 * usual) < RHYTHM_SHARE:
        return every_ms
    return every_ms if every_ms is not None and abs(every_ms - usual) <= 0.5 * usual else round(usual)
