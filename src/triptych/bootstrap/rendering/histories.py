"""What pictures are drawn from: candles, order books, factors of candles, each row with the time it may be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.rendering.catalogue import BOOK, CANDLES, FACTORS, Offer, reads
from triptych.bootstrap.rendering.layout import Layout, by_trading_days, holes, with_missing_candles
from triptych.domain import CANDLE_FIELDS, CandleSeries, book_columns, is_book_column
from triptych.domain.errors import DataError, NotEnoughData
from triptych.images import AbstractEncoding
from triptych.images.jkx import LeavesBlank
from triptych.inference import FactorRows
from triptych.inference.inputs import Config as FactorConfig
from triptych.market.books import BookTape, sample_at


def usual_factors() -> FactorRows:
    """The 56 factors of the factor grid, of the instrument alone."""
    return FactorRows(FactorConfig(names=("grid56",)))


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """Rows of one instrument, from which windows are cut.

    Attributes:
        symbol: of the instrument.
        timeframe: of the rows, as a word for people and file names.
        close_time_ms: int64 of shape (n_rows,): when each row may first be used, UTC milliseconds, rising.
        candles: the candles, if there are any; a row each.
        books: the order books: a row each where there are no candles, else as they stood when each candle closed,
            unless that is longer ago than a candle.
        place: name of the source, for messages.
        factors: makes factors of the candles.
        companions: candles of other instruments, by symbol, whose factors may stand beside.
        layout: where the candles stand, if some rows have none; `close_time_ms` is then that of the rows.
    """

    symbol: str
    timeframe: str
    close_time_ms: NDArray[np.int64]
    candles: CandleSeries | None
    books: BookTape | None
    place: str
    factors: FactorRows = field(default_factory=usual_factors)
    companions: Mapping[str, CandleSeries] = field(default_factory=dict)
    layout: Layout | None = None

    def laid_for(self, encoding: AbstractEncoding) -> History:
        """This history with the rows that an encoding draws: of factors whole trading days where they are declared, and
        of an encoding that leaves a missing candle blank a row for it.
        """
        if self.candles is None:
            return self
        if reads(encoding.columns) == (FACTORS,) and self.factors.day.hours:
            layout = by_trading_days(self.candles, self.factors.day)
        elif isinstance(encoding, LeavesBlank) and holes(self.candles).any():
            layout = with_missing_candles(self.candles, encoding.length)
        else:
            return self
        return replace(self, layout=layout, close_time_ms=layout.close_time_ms)

    def panels(self, channels: int) -> tuple[str, ...]:
        """Whose factors each of so many channels shows; nothing where the channels are not instruments."""
        own = (self.symbol, *self.factors.beside(self.symbol))
        periods = self.factors.periods
        names = tuple(one if period == 1 else f"{one} x{period}" for period in periods for one in own)
        return names if 1 < len(names) == channels else ()

    @property
    def offer(self) -> Offer:
        """What encodings can be fitted to."""
        beside = self.factors.beside(self.symbol)
        return Offer(
            levels=None if self.books is None else self.books.levels,
            factors=len(self.factors.columns),
            instruments=1 + len(beside),
        )

    @property
    def closes_exactly(self) -> bool:
        """Whether rows have times of their own that a user can name (candles), or are simply the state at a time."""
        return self.candles is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        """What encodings can read here."""
        if self.candles is None:
            return (BOOK,)
        return (CANDLES, FACTORS) if self.books is None else (CANDLES, BOOK, FACTORS)

    def rows(self, name: str, columns: Sequence[str]) -> NDArray[np.float32]:
        """The columns that the encoding `name` reads, float32 of shape (n_rows, n_columns); NaN where unknown.

        Raises DataError when the source has no such columns or others, NotEnoughData when it is too short for factors.
        """
        missing = [kind for kind in reads(columns) if kind not in self.kinds]
        if missing:
            raise DataError(
                f"{name} reads {' and '.join(reads(columns))}; {self.place} holds {_and(self.kinds)}.",
                remedy=_REMEDIES[missing[0]],
            )
        found: dict[str, NDArray[np.floating]] = {}
        if self.candles is not None:
            found |= {field: self.candles.values[:, i] for i, field in enumerate(CANDLE_FIELDS)}
        asked_levels = [int(c.rsplit("_", 1)[1]) for c in columns if is_book_column(c)]
        if asked_levels and self.books is not None:
            found |= self._book(name, self.books, max(asked_levels))
        factors = [c for c in columns if c not in found]
        if factors and self.candles is not None:
            found |= self._factors(name, self.candles, factors)
        stacked = np.stack([found[column] for column in columns], axis=1).astype(np.float32)
        return stacked if self.layout is None else self.layout.lay(stacked)

    def can_end(
        self, columns: Sequence[str], rows: NDArray[np.float32], length: int, *, across_holes: bool = False
    ) -> NDArray[np.bool_]:
        """Which rows end a window of `length` rows, shape (n_rows,).

        A window holds nothing unknown (a book may have fewer levels than asked, but not none) and crosses no hole: no
        break of a stream of books, no gap of the candles that is not their calendar's, unless the layout has rows for
        what is missing. Of several books of one time only the last one ends a window. `across_holes` allows holes.
        """
        full = np.zeros(len(rows), dtype=bool)
        if len(rows) < length:
            return full
        if self.layout is not None and np.isnan(self.layout.empty):
            full[length - 1 :] = self.layout.ends[length - 1 :]
            return full
        needed = [i for i, c in enumerate(columns) if not is_book_column(c) or c.endswith("_price_1")]
        unknown = np.concatenate(([0], np.cumsum(~np.isfinite(rows[:, needed]).all(axis=1))))
        full[length - 1 :] = unknown[length:] == unknown[: len(unknown) - length]
        if self.candles is None:
            full[:-1] &= self.close_time_ms[:-1] < self.close_time_ms[1:]
        if self.layout is not None:
            return full & self.layout.ends
        if not across_holes:
            segment = self.segments()
            full[length - 1 :] &= segment[length - 1 :] == segment[: len(segment) - length + 1]
        return full

    def segments(self) -> NDArray[np.int64]:
        """Number of the unbroken stretch of each candle, or of each book where there are no candles, shape (n,)."""
        if self.candles is not None:
            return np.cumsum(holes(self.candles) > 0)
        return np.zeros(len(self.close_time_ms), np.int64) if self.books is None else self.books.segment

    def first_hole(self) -> int:
        """Close of the last candle, or time of the last book, before the first hole, UTC milliseconds."""
        times = self.close_time_ms if self.candles is None else self.candles.close_time_ms
        return int(times[max(0, int(np.argmax(np.diff(self.segments()) > 0)))])

    def by_candle(self, of_rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """What holds of rows, for each candle, or each book where there are no candles."""
        return of_rows if self.layout is None else of_rows[self.layout.at]

    def _book(self, name: str, books: BookTape, levels: int) -> Mapping[str, NDArray[np.float64]]:
        if levels > books.levels:
            raise DataError(
                f"{name} reads {levels} levels of order book a side; {self.place} holds {books.levels}.",
                remedy=f"Say --set {name}.levels={books.levels}.",
            )
        if self.candles is not None:
            books = sample_at(books, self.candles.close_time_ms, self.candles.timeframe.milliseconds).tape
        return dict(zip(book_columns(levels), books.rows(levels).T, strict=True))

    def _factors(self, name: str, candles: CandleSeries, columns: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        factors = self.factors
        beside = factors.beside(candles.symbol)
        have = len(factors.columns) * (1 + len(beside))
        if have != len(columns):
            raise DataError(
                f"{name} reads {len(columns)} columns of factors; there are {have}: {len(factors.columns)} factors of "
                f"{' and '.join((candles.symbol, *beside))}.",
                remedy=f"Leave out what --set says of {name}'s size, or choose others by --factors and --companion.",
            )
        try:
            rows = factors.rows(candles, self.companions)
        except NotEnoughData as error:
            raise NotEnoughData(
                f"{name}: {error.message}", remedy=f"Bring at least {factors.warm_up + 1} candles and a window more."
            ) from error
        return dict(zip(columns, rows.T, strict=True))


_REMEDIES = {
    CANDLES: "Bring a file of candles as SOURCE.",
    FACTORS: "Bring a file of candles as SOURCE: factors are computed from them.",
    BOOK: "Bring a file of order books as SOURCE, or beside the candles with --book FILE.",
}


def _and(words: Sequence[str]) -> str:
    return " and ".join(words)
