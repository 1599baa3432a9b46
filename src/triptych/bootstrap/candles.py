"""From a recipe's `[data]` to checked candles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triptych.bootstrap.provenance import data_hash
from triptych.domain import CandleSeries, SystemClock, Timeframe, utc
from triptych.domain.errors import DataError, NotEnoughData
from triptych.market import CandleStore, check_quality, read_candles, resample, synthetic
from triptych.market.store import to_ms
from triptych.settings import Recipe

Tell = Callable[[str], None]


def silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class Candles:
    """What a recipe works on.

    Attributes:
        series: one per instrument, all of one timeframe, in order of their symbols.
        notes: what was done to the data on its way in.
        quality: quality report of each instrument, JSON-ready.
        hash: SHA-256 of all of it.
    """

    series: tuple[CandleSeries, ...]
    notes: tuple[str, ...]
    quality: tuple[dict[str, Any], ...]
    hash: str

    @property
    def timeframe(self) -> Timeframe:
        """Length of the candles."""
        return self.series[0].timeframe

    @property
    def period(self) -> tuple[str, str]:
        """Open of the first and close of the last candle, UTC."""
        first = min(int(one.open_time_ms[0]) for one in self.series)
        last = max(int(one.close_time_ms[-1]) for one in self.series)
        return utc(first), utc(last)


def load_candles(recipe: Recipe, tell: Tell = silent) -> Candles:
    """Load, resample, cut and check the candles of a recipe.

    Raises DataError (and its kinds) with file, row and column where the data cannot be used.
    """
    series, notes = _source(recipe)
    if recipe.data.timeframe is not None:
        wanted = Timeframe.parse(recipe.data.timeframe)
        series = [one if one.timeframe == wanted else resample(one, wanted) for one in series]
    series = sorted((_between(one, recipe) for one in series), key=lambda one: one.symbol)
    timeframes = {str(one.timeframe) for one in series}
    if len(timeframes) > 1:
        raise DataError(
            f"The instruments have different timeframes: {', '.join(sorted(timeframes))}.",
            remedy="Set data.timeframe to the coarsest of them.",
        )
    quality = []
    for one in series:
        report = check_quality(one)
        tell(f"{one.symbol} {one.timeframe}: {len(one)} candles. {report.verdict}")
        quality.append(report.to_dict())
    for note in notes:
        tell(note)
    return Candles(series=tuple(series), notes=tuple(notes), quality=tuple(quality), hash=data_hash(series))


def _source(recipe: Recipe) -> tuple[list[CandleSeries], list[str]]:
    data = recipe.data
    if data.source == "synthetic":
        market = synthetic.synthesise(data.synthetic)
        return _chosen(list(market.series), data.symbols), []
    path = Path(data.path or "")
    if data.source == "store":
        store = CandleStore(path)
        known = store.list().filter(venue=data.venue)
        symbols = data.symbols or tuple(known["symbol"].unique().sort())
        if not symbols:
            raise DataError(
                f"The store {path} holds no candles of venue {data.venue!r}.", remedy="See `triptych data list`."
            )
        stored = {symbol: known.filter(symbol=symbol)["timeframe"].to_list() for symbol in symbols}
        return [store.load(data.venue, s, _best(frames, data.timeframe)) for s, frames in stored.items()], []
    symbol = data.symbols[0] if len(data.symbols) == 1 else None
    imported = read_candles(
        path, symbol=symbol, venue=data.venue, columns=data.columns or None, repair=data.repair,
        now_ms=SystemClock().now_ms(),
    )  # fmt: skip
    return _chosen(list(imported.series), data.symbols), list(imported.notes)


def _best(stored: list[str], wanted: str | None) -> str:
    """The timeframe to load: the wanted one where it is stored, else the finest, from which it can be made."""
    if not stored or wanted in stored:
        return wanted or "1h"
    return min(stored, key=lambda text: Timeframe.parse(text))


def _chosen(series: list[CandleSeries], symbols: tuple[str, ...]) -> list[CandleSeries]:
    if not symbols:
        return series
    by_symbol = {one.symbol: one for one in series}
    missing = [symbol for symbol in symbols if symbol not in by_symbol]
    if missing:
        raise DataError(f"There are no candles of {', '.join(missing)}.", remedy=f"There are: {', '.join(by_symbol)}.")
    return [by_symbol[symbol] for symbol in symbols]


def _between(one: CandleSeries, recipe: Recipe) -> CandleSeries:
    data = recipe.data
    start = 0 if data.start is None else int(np.searchsorted(one.open_time_ms, to_ms(data.start)))
    stop = len(one) if data.end is None else int(np.searchsorted(one.open_time_ms, to_ms(data.end)))
    if stop - start < recipe.window.length:
        raise NotEnoughData(
            f"{one.symbol}: {max(0, stop - start)} candles are left, fewer than the window of {recipe.window.length}.",
            remedy="Widen data.start and data.end, bring more candles, or shorten window.length.",
        )
    return one.between(start, stop)
