"""What a recipe's network reads of a history: tables of factors, where windows end, and the labels beside them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.candle_books import columns_of
from triptych.domain import CandleSeries, utc
from triptych.domain.errors import DataError, NotEnoughData, RecipeError
from triptych.features import days
from triptych.features.targets import Targets, label
from triptych.inference import FactorRows, WindowRows
from triptych.settings import Recipe
from triptych.training.splits import Config as SplitConfig


def factor_rows(recipe: Recipe) -> FactorRows | None:
    """What makes the rows that a recipe's network reads; None when it reads raw candles."""
    drawn = columns_of(recipe)
    if not (recipe.features.makes_rows or drawn.levels):
        return None
    return FactorRows(recipe.features, drawn.names if drawn.are_mixed else ())


def split_of(recipe: Recipe) -> SplitConfig:
    """How history is cut; pictures of whole days have a place for every missing candle, and no hole to leave out."""
    if recipe.features.names and recipe.features.day.hours and recipe.split.exclude_gaps == "calendar":
        return recipe.split.model_copy(update={"exclude_gaps": "none"})
    return recipe.split


def labels_of(recipe: Recipe, series: CandleSeries) -> Targets:
    """The labels of a history; with a trading day, the horizon counts places of it, so that short days are days too.

    Raises DataError when candles stand outside the hours of the trading day.
    """
    day = recipe.features.day
    if not (recipe.features.names and day.hours):
        return label(series, recipe.target)
    return label(series, recipe.target, places_of(series, day).at)


def places_of(series: CandleSeries, day: days.Config) -> days.Places:
    """Places of the candles on trading days. Raises DataError when some stand outside the hours."""
    found = days.places(series.open_time_ms, series.timeframe.milliseconds, day)
    if found.outside:
        first = int(series.open_time_ms[np.flatnonzero(found.at < 0)[0]])
        raise DataError(
            f"{series.symbol}: {found.outside:,} of {len(series):,} candles open outside the trading hours "
            f"{', '.join(day.hours)} ({day.timezone}), the first at {utc(first)} UTC.",
            remedy="Set features.day.hours and features.day.timezone to those of the venue.",
        )
    return found


def tables_of(
    recipe: Recipe, series: tuple[CandleSeries, ...], companions: Mapping[str, CandleSeries]
) -> tuple[WindowRows, ...] | None:
    """What the network reads of each series; None when that is the candles themselves.

    Raises RecipeError when the encoding draws another number of columns, NotEnoughData when no window is known.
    """
    maker = factor_rows(recipe)
    if maker is None:
        return None
    drawn = len(columns_of(recipe).names)
    found = []
    for one in series:
        table = maker.table(one, companions)
        rows = table.values
        if rows.shape[1] != drawn:
            raise RecipeError(
                f"{one.symbol}: {len(maker.columns)} factors of {1 + len(maker.beside(one.symbol))} instruments"
                f"{'' if len(maker.periods) == 1 else f' in {len(maker.periods)} timeframes'} make "
                f"{rows.shape[1]} columns, and the encoding {recipe.encoding.name} draws {drawn}.",
                remedy="Set encoding.factors and encoding.channels to these numbers"
                f"{'' if len(maker.periods) == 1 else ', channels to instruments times timeframes'}.",
            )
        if table.step > 1 and recipe.window.length % table.step:
            raise RecipeError(
                f"A window of {recipe.window.length} candles does not hold whole days of {table.step}.",
                remedy=f"Set window.length to {max(1, recipe.window.length // table.step) * table.step}, or empty "
                "features.day.hours.",
            )
        if not table.known(recipe.window.length).any():
            raise _no_window(recipe, one, companions, maker)
        found.append(table)
    return tuple(found)


def _no_window(
    recipe: Recipe, one: CandleSeries, companions: Mapping[str, CandleSeries], maker: FactorRows
) -> NotEnoughData:
    """Why no window of a history is known: too few candles of its own, or a companion that is not there beside it."""
    length, needed = recipe.window.length, maker.candles(recipe.window.length)
    if len(one) < needed:
        return NotEnoughData(
            f"{one.symbol}: {len(one):,} candles hold no window of {length} in which every factor is known: they "
            f"settle after {needed - length:,}, so the first window ends with candle {needed:,}.",
            remedy=f"Bring at least {needed:,} candles, or shorten window.length or "
            f"features.{'window' if maker.period == 1 else 'period'}.",
        )
    if maker.levels and one.unheard.any():
        more = ", or set the distance of the books between the closes to the recording's" if one.notes else ""
        return NotEnoughData(
            f"{one.symbol}: no window of {length} candles has an order book beside every one of them: "
            f"{np.count_nonzero(one.unheard):,} of {len(one):,} have none that is fresh enough.",
            remedy="Bring recordings without holes, raise data.books.max_age_ms, or shorten window.length or "
            f"features.window{more}.",
        )
    beside = [companions[symbol] for symbol in maker.beside(one.symbol)]
    held = [
        f"{other.symbol} from {utc(int(other.open_time_ms[0]))[:10]} to {utc(int(other.open_time_ms[-1]))[:10]} "
        f"({len(other):,} candles)"
        for other in beside
    ]
    if held:
        return NotEnoughData(
            f"{one.symbol}: its own {len(one):,} candles would do, but there is no window of {length} in which the "
            f"factors of its companions are known too; each companion's settle after {maker.warm_up:,} candles of its "
            f"own. There are {'; '.join(held)}.",
            remedy="Leave out the companion that starts late or ends early, bring more of its candles, or shorten "
            "window.length or features.window.",
        )
    return NotEnoughData(
        f"{one.symbol}: {len(one):,} candles hold no window of {length} that ends with a trading day.",
        remedy="Set features.day.hours and features.day.timezone to those of the venue.",
    )


def windows_at(
    recipe: Recipe, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries]
) -> NDArray[np.float32]:
    """What the network reads at the closes of candles `ends`: float32 of shape (n, window length, columns).

    All NaN where no window is known.
    """
    tables = tables_of(recipe, (series,), companions)
    return cut_windows(series, None if tables is None else tables[0], ends, recipe.window.length)


def cut_windows(
    series: CandleSeries, table: WindowRows | None, ends: NDArray[np.int64], length: int
) -> NDArray[np.float32]:
    """Windows that end with candles `ends`, float32 of shape (n, length, columns); all NaN where none is known.

    Cut from a table, or from the candles themselves where there is none.
    """
    if table is None:
        return series.windows(ends, length).astype(np.float32)
    last = table.ends[ends]
    found: NDArray[np.float32] = table.windows(length)[np.maximum(last - (length - 1), 0)]
    found[~table.known(length)[ends]] = np.nan
    return found


def first_end(recipe: Recipe) -> int:
    """The first candle of a history at whose close a prediction can be made."""
    maker = factor_rows(recipe)
    return (recipe.window.length if maker is None else maker.candles(recipe.window.length)) - 1


def reach(recipe: Recipe) -> int:
    """Candles from the first that a window holds to the one at whose close it is read: what segments keep apart by."""
    maker = factor_rows(recipe)
    return recipe.window.length if maker is None else maker.reach(recipe.window.length)


def possible_ends(recipe: Recipe, series: CandleSeries) -> NDArray[np.int64]:
    """Candles at whose close a window may end, by its length and by the clock."""
    ends = np.arange(min(first_end(recipe), len(series)), len(series), dtype=np.int64)
    day = recipe.features.day
    if recipe.features.names and day.hours:
        ends = ends[days.places(series.open_time_ms, series.timeframe.milliseconds, day).closes[ends]]
    return ends
