"""The decisions one learns most from: those that a run was surest of, on candles it was tested on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.files import read_frame
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.windowing import reach
from triptych.domain import CLASSES, CandleSeries
from triptych.domain.errors import DataError, RunError
from triptych.settings import members_of

PROBABILITIES = tuple(f"probability_{name}" for name in CLASSES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sure:
    """A decision of the test part.

    Attributes:
        symbol, time_ms, fold: instrument, close of the last candle that was known, and whose model decided.
        side: the class that it was sure of.
        probability: of that class.
        is_likeliest: whether that class was the likeliest.
    """

    symbol: str
    time_ms: int
    fold: int
    side: str
    probability: float
    is_likeliest: bool


@dataclass(frozen=True, kw_only=True)
class Apart:
    """How far decisions of an instrument lie from one another, counted in its candles: nights are none.

    Attributes:
        candles: that are between two decisions at least.
        closes: rising closes of every instrument's candles, UTC milliseconds.
    """

    candles: int
    closes: Mapping[str, NDArray[np.int64]]

    def holds(self, one: Sure, other: Sure) -> bool:
        """Whether two decisions are far enough apart; those of different instruments always are."""
        if one.symbol != other.symbol:
            return True
        first, second = np.searchsorted(self.closes[one.symbol], (one.time_ms, other.time_ms))
        return bool(abs(int(first) - int(second)) >= self.candles)


def windows_apart(run: Run, series: Sequence[CandleSeries]) -> Apart:
    """So far apart that the longest windows of a run's models share no candle."""
    recipes = list(members_of(run.recipe).values()) or [run.recipe]
    return Apart(candles=max(reach(one) for one in recipes), closes={one.symbol: one.close_time_ms for one in series})


def judged_decisions(run: Run, symbol: str | None = None) -> pl.DataFrame:
    """Every decision of the test part: time, symbol, fold, the three probabilities, `likeliest` and `certainty`.

    Raises DataError for an instrument that is not traded, RunError where nothing was decided.
    """
    frame = read_frame(run.folder / "predictions.parquet", ("time", "symbol", "fold", *PROBABILITIES))
    known = frame.filter(pl.all_horizontal(pl.col(PROBABILITIES).is_finite()))
    if symbol is not None:
        traded = known["symbol"].unique().sort().to_list()
        if symbol not in traded:
            raise DataError(f"The run does not trade {symbol}.", remedy=f"It trades {', '.join(traded)}.")
        known = known.filter(pl.col("symbol") == symbol)
    if known.is_empty():
        raise RunError(f"{run.folder} holds no decision of its test part.", remedy="Train again with --fresh.")
    return with_likeliest(known)


def with_likeliest(frame: pl.DataFrame) -> pl.DataFrame:
    """Known probabilities with the `likeliest` class and `certainty`, its probability."""
    likeliest = pl.concat_list(PROBABILITIES).list.arg_max().cast(pl.Int64)
    return frame.with_columns(
        likeliest=likeliest.replace_strict(dict(enumerate(CLASSES))), certainty=pl.max_horizontal(PROBABILITIES)
    )


def surest(frame: pl.DataFrame, side: str, *, count: int = 1, apart: Apart | None = None) -> list[Sure]:
    """The decisions of a frame as `judged_decisions` gives it that were surest of a class.

    They are as far apart as `apart` says: windows that share most of their candles would say the same thing twice.
    """
    found: list[Sure] = []
    for one in _by_certainty(frame, side):
        if _is_apart(one, found, apart):
            found.append(one)
        if len(found) >= count:
            break
    return found


def surest_of_all(frame: pl.DataFrame, count: int, apart: Apart | None) -> list[Sure]:
    """The surest decisions, by turns one of each class among those where it is the likeliest; apart as in `surest`.

    Fewer than `count` where there are not so many.
    """
    queues = {side: _by_certainty(frame.filter(pl.col("likeliest") == side), side) for side in CLASSES}
    found: list[Sure] = []
    while queues and len(found) < count:
        for side in tuple(queues):
            one = next((one for one in queues[side] if _is_apart(one, found, apart)), None)
            if one is None:
                del queues[side]
            elif len(found) < count:
                found.append(one)
    return found


def _by_certainty(frame: pl.DataFrame, side: str) -> Iterator[Sure]:
    column = f"probability_{side}"
    ordered = frame.sort(column, "time", "symbol", descending=[True, False, False])
    times = ordered["time"].cast(pl.Int64).to_list()
    rows = zip(
        ordered["symbol"].to_list(), times, ordered["fold"].to_list(), ordered[column].to_list(),
        (ordered["likeliest"] == side).to_list(), strict=True,
    )  # fmt: skip
    for symbol, time_ms, fold, probability, is_likeliest in rows:
        yield Sure(
            symbol=symbol, time_ms=time_ms, fold=fold, side=side, probability=probability, is_likeliest=is_likeliest
        )


def _is_apart(one: Sure, others: list[Sure], apart: Apart | None) -> bool:
    return apart is None or all(apart.holds(one, other) for other in others)
