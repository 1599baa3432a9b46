"""Which columns an encoding reads, where each comes from, and which of them must be known.

A window holds fields of candles, prices and sizes of the order book at each close, and factors, in the order in which
its encoding names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CANDLE_FIELDS, CandleSeries, book_columns, is_book_column
from triptych.domain.errors import ArtifactError, NotEnoughData, RecipeError
from triptych.market.books.row_reading import AbstractRowReader


@dataclass(frozen=True, kw_only=True, slots=True)
class BookNeed:
    """What a model needs of order books.

    Attributes:
        levels: levels a side.
        max_age_ms: a book last seen longer before a close is none.
        companions: whether the books of instruments that are only looked at are read too.
        readers: who reads the rows between the closes.
    """

    levels: int
    max_age_ms: int
    companions: bool = False
    readers: tuple[AbstractRowReader, ...] = ()

    @classmethod
    def together(cls, needs: Iterable[BookNeed | None]) -> BookNeed | None:
        """What several models need: the deepest book, the strictest age, all readers; None where none reads any.

        Raises ArtifactError when two of them read other figures by the same names.
        """
        there = [one for one in needs if one is not None]
        if not there:
            return None
        by_names: dict[tuple[str, ...], AbstractRowReader] = {}
        for reader in (one for need in there for one in need.readers):
            if by_names.setdefault(reader.names, reader).identity != reader.identity:
                raise ArtifactError(
                    f"Two models read {reader.names[0]} and what goes with it off order books, each in its own way.",
                    remedy="Use models with one network of order books, and with the same features.book_rows.",
                )
        return cls(
            levels=max(one.levels for one in there),
            max_age_ms=min(one.max_age_ms for one in there),
            companions=any(one.companions for one in there),
            readers=tuple(by_names.values()),
        )


def no_whole_days() -> RecipeError:
    """What is said of order books and windows of whole trading days."""
    return RecipeError(
        "Windows of whole trading days and order books do not go together: a place without a candle has no book.",
        remedy="Empty features.day.hours, or choose an encoding and factors of candles.",
    )


class Columns:
    """The columns that an encoding reads.

    Attributes:
        names: in its order.
        levels: levels a side of order book among them; 0: none.
        factors: how many of them are factors.
        draws_candles: whether fields of candles are among them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.levels = max((int(one.rsplit("_", 1)[1]) for one in self.names if is_book_column(one)), default=0)
        self.draws_candles = any(one in CANDLE_FIELDS for one in self.names)
        self._factors = [i for i, one in enumerate(self.names) if one not in CANDLE_FIELDS and not is_book_column(one)]
        self.factors = len(self._factors)

    @property
    def are_mixed(self) -> bool:
        """Whether they are anything but the five fields of a candle alone, or factors alone."""
        return self.levels > 0 or (self.draws_candles and self.factors > 0)

    @property
    def needed(self) -> NDArray[np.int64]:
        """Which must be known: a book may have fewer levels than are read, but not none. int64 of shape (k,)."""
        kept = [i for i, one in enumerate(self.names) if not is_book_column(one) or one.endswith("_price_1")]
        return np.array(kept, dtype=np.int64)

    def rows(self, series: CandleSeries, factors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The columns at every candle, float32 of shape (n_candles, n_columns); NaN where unknown.

        Args:
            series: candles, with the books beside them where there are any.
            factors: float32 of shape (n_candles, n_factors), in the order in which the encoding draws them.

        Raises RecipeError for another number of factors, NotEnoughData when the books beside have too few levels.
        """
        if factors.shape[1] != self.factors:
            raise RecipeError(
                f"{series.symbol}: {factors.shape[1]} columns of factors are made, and the encoding draws "
                f"{self.factors} beside candles and books.",
                remedy="Set factors and channels of the encoding to the factors that are named and the instruments.",
            )
        found: dict[str, NDArray[np.floating]] = dict(zip(CANDLE_FIELDS, series.values.T, strict=True))
        if self.levels:
            found |= dict(zip(book_columns(self.levels), self._books(series).T, strict=True))
        found |= {self.names[place]: column for place, column in zip(self._factors, factors.T, strict=True)}
        return np.stack([found[one] for one in self.names], axis=1).astype(np.float32)

    def _books(self, series: CandleSeries) -> NDArray[np.float64]:
        if series.books is None:
            return np.full((len(series), 4 * self.levels), np.nan)
        kept = series.books.shape[1] // 4
        if kept < self.levels:
            raise NotEnoughData(
                f"{series.symbol}: the encoding reads {self.levels} levels of order book a side, and {kept} are there.",
                remedy=f"Bring books of more levels, or set the encoding's levels to {kept} or fewer.",
            )
        blocks = [block[:, : self.levels] for block in np.split(series.books, 4, axis=1)]
        return np.concatenate(blocks, axis=1)
