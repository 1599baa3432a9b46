"""From a recipe's `[data]` to checked candles."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from triptych.bootstrap.book_networks import pinned_book_network
from triptych.bootstrap.candle_books import with_books
from triptych.bootstrap.feature_detectors import pinned_detector
from triptych.bootstrap.other_markets import pinned_beginning
from triptych.bootstrap.pattern_networks import pinned
from triptych.bootstrap.provenance import History, data_hash, history_of
from triptych.bootstrap.taping import tape_series
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import CandleSeries, Instrument, SystemClock, Timeframe, utc
from triptych.domain.errors import DataError, NotEnoughData
from triptych.features import days
from triptych.market import CandleStore, check_quality, read_candles, resample, synthetic
from triptych.market.books import candles_from_trades, detect, read_trades
from triptych.market.store import to_ms
from triptych.market.tapes import is_tape
from triptych.settings import Recipe, members_of

MOST_LEVERAGE = 125
"""The most that `costs.leverage` may say."""


@dataclass(frozen=True, kw_only=True)
class Candles:
    """What a recipe works on.

    Attributes:
        series: one per instrument that is traded, all of one timeframe, in order of their symbols.
        companions: instruments that are only looked at.
        notes: what was done to the data on its way in.
        quality: quality report of each instrument, JSON-ready.
        hash: SHA-256 of all of it.
        history: what this has in common with the same source cut elsewhere, resampled or grown longer; trials are
            counted by it.
    """

    series: tuple[CandleSeries, ...]
    companions: tuple[CandleSeries, ...]
    notes: tuple[str, ...]
    quality: tuple[dict[str, Any], ...]
    hash: str
    history: History

    @property
    def by_symbol(self) -> dict[str, CandleSeries]:
        """All histories there are, traded or not."""
        return {one.symbol: one for one in (*self.series, *self.companions)}

    def beside(self, recipe: Recipe) -> dict[str, CandleSeries]:
        """The histories that a recipe's factors take from other instruments, by symbol."""
        found = self.by_symbol
        return {symbol: found[symbol] for symbol in recipe.features.companions if symbol in found}

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


def with_absolute_path(recipe: Recipe) -> Recipe:
    """The recipe with the place of its data spelt out, so that it is found from any working directory.

    Networks of patterns and of order books, detectors and first weights that it names are spelt out and pinned to what
    they are, see `pinned`, `pinned_book_network`, `pinned_detector` and `pinned_beginning`.
    """
    recipe = pinned_beginning(pinned_detector(pinned_book_network(pinned(recipe))))
    if recipe.data.source == "synthetic":
        return recipe

    def absolute(path: str) -> str:
        return str(Path(path).expanduser().absolute())

    data, books = recipe.data, recipe.data.books.path
    changes: dict[str, Any] = {} if data.path is None else {"path": absolute(data.path)}
    if books is not None:
        named = absolute(books) if isinstance(books, str) else {name: absolute(one) for name, one in books.items()}
        changes["books"] = data.books.model_copy(update={"path": named})
    return recipe.model_copy(update={"data": data.model_copy(update=changes)})


def load_candles(recipe: Recipe, tell: Tell = silent) -> Candles:
    """Load, resample, cut and check the candles of a recipe, with order books beside them where it reads any.

    Raises DataError (and its kinds) with file, row and column where the data cannot be used.
    """
    series, notes, market = _source(recipe)
    only_seen = set(_only_seen(recipe))
    # Before anything is cut or resampled: another start or timeframe is another trial on the same market.
    traded = [one for one in series if one.symbol not in only_seen]
    history = history_of(traded, is_invented=recipe.data.source == "synthetic")
    if recipe.data.timeframe is not None:
        wanted = Timeframe.parse(recipe.data.timeframe)
        finer = sorted({str(one.timeframe) for one in series if one.timeframe != wanted})
        series = [one if one.timeframe == wanted else resample(one, wanted) for one in series]
        notes += [f"resampled from {timeframe} to {wanted}" for timeframe in finer]
    series = sorted((_between(one, recipe) for one in series), key=lambda one: one.symbol)
    timeframes = {str(one.timeframe) for one in series}
    if len(timeframes) > 1:
        raise DataError(
            f"The instruments have different timeframes: {', '.join(sorted(timeframes))}.",
            remedy="Set data.timeframe to the coarsest of them.",
        )
    series, books = with_books(recipe, series, tuple(only_seen), market)
    notes += books
    quality = []
    for one in series:
        report = check_quality(one)
        tell(f"{one.symbol} {one.timeframe}: {len(one)} candles. {report.verdict}")
        quality.append(report.to_dict())
    for note in notes:
        tell(note)
    return Candles(
        series=tuple(one for one in series if one.symbol not in only_seen),
        companions=tuple(one for one in series if one.symbol in only_seen),
        notes=tuple(notes),
        quality=tuple(quality),
        hash=data_hash(series),
        history=history,
    )


def _only_seen(recipe: Recipe) -> tuple[str, ...]:
    """Companions that are not traded themselves. Without a choice of instruments, all there are are traded."""
    chosen = recipe.data.symbols
    recipes = (recipe, *members_of(recipe).values())
    companions = dict.fromkeys(symbol for one in recipes for symbol in one.features.companions)
    return tuple(symbol for symbol in companions if symbol not in chosen) if chosen else ()


def _source(recipe: Recipe) -> tuple[list[CandleSeries], list[str], synthetic.SyntheticMarket | None]:
    """The histories, what was done to them, and the embedded market where they are its own."""
    data = recipe.data
    wanted = data.symbols + _only_seen(recipe)
    if data.source == "synthetic":
        market = synthetic.synthesise(data.synthetic)
        series, notes = _in_session(_chosen(list(market.series), wanted), recipe)
        return [_unlimited(one) for one in series], notes, market
    path = Path(data.path or "").expanduser()
    if data.source == "store":
        store = CandleStore(path)
        known = store.list().filter(venue=data.venue)
        symbols = wanted or tuple(known["symbol"].unique().sort())
        if not symbols:
            raise DataError(
                f"The store {path} holds no candles of venue {data.venue!r}.", remedy="See `triptych data list`."
            )
        stored = {symbol: known.filter(symbol=symbol)["timeframe"].to_list() for symbol in symbols}
        loaded = [store.load(data.venue, s, _best(frames, data.timeframe)) for s, frames in stored.items()]
        return [_unlimited(one) for one in loaded], [], None
    if is_tape(path):
        wished = None if data.timeframe is None else Timeframe.parse(data.timeframe)
        return [_unlimited(one) for one in _chosen(tape_series(path, wished), wanted)], [], None
    if _holds_trades(path):
        return [_unlimited(one) for one in _chosen([_of_trades(path, recipe)], wanted)], [], None
    try:
        imported = read_candles(
            path,
            symbol=wanted[0] if len(wanted) == 1 else None,
            venue=data.venue,
            columns=data.columns or None,
            timezone=data.timezone,
            timestamp_unit=data.timestamp_unit,
            duplicates=data.duplicates,
            repair=data.repair,
            now_ms=SystemClock().now_ms(),
        )
    except DataError as error:
        raise type(error)(error.message, remedy=_in_a_recipe(error.remedy)) from error
    return [_unlimited(one) for one in _chosen(list(imported.series), wanted)], list(imported.notes), None


def _holds_trades(path: Path) -> bool:
    try:
        return detect(path) in ("trades", "tardis trades")
    except DataError:
        return False


def _of_trades(path: Path, recipe: Recipe) -> CandleSeries:
    """Candles of a file of trades, so that minutes of order book have candles beside them."""
    if recipe.data.timeframe is None:
        raise DataError(f"{path.name} holds trades.", remedy="Say of what length their candles are: data.timeframe.")
    symbols = recipe.data.symbols
    trades = read_trades(path, symbol=symbols[0] if len(symbols) == 1 else None)
    return candles_from_trades(trades, recipe.data.timeframe)


def _in_session(series: list[CandleSeries], recipe: Recipe) -> tuple[list[CandleSeries], list[str]]:
    """The embedded market never closes: where the recipe's trading day does, its candles are dealt out to the hours."""
    day = recipe.features.day
    if not (recipe.features.names and day.hours) or sum(b - a for a, b in day.sessions_ms) == days.DAY_MS:
        return series, []
    opens = [days.weekday_opens(len(one), int(one.open_time_ms[0]), one.timeframe.milliseconds, day) for one in series]
    note = f"the candles of the embedded market were dealt out to the trading hours {', '.join(day.hours)}"
    return [replace(one, open_time_ms=times) for one, times in zip(series, opens, strict=True)], [note]


_RECIPE_KEYS = {
    "--column": "data.columns = {ROLE = 'NAME'}",
    "--repair": "data.repair = true",
    "--duplicates": "data.duplicates = 'first'",
    "--timezone": "data.timezone = 'ZONE'",
    "--timestamp-unit": "data.timestamp_unit = 'ms'",
    "--symbol": "data.symbols = ['NAME']",
}
"""What stands in a recipe for an option of `triptych data import`, which remedies name."""


def _in_a_recipe(remedy: str) -> str:
    keys = [key for option, key in _RECIPE_KEYS.items() if re.search(rf"{option}\b", remedy)]
    return f"{remedy} In a recipe: {', '.join(keys)}." if keys else remedy


def _unlimited(one: CandleSeries) -> CandleSeries:
    """A file of candles does not know how much leverage its venue allows: the recipe's `[costs]` say."""
    plain = Instrument(symbol=one.symbol, venue=one.instrument.venue)
    if replace(one.instrument, price_step=plain.price_step, quantity_step=plain.quantity_step) != plain:
        return one  # rules of a real venue
    return replace(one, instrument=replace(one.instrument, maximum_leverage=Decimal(MOST_LEVERAGE)))


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
            remedy="Widen data.start and data.end, bring more candles, shorten window.length, or choose others by "
            "data.symbols.",
        )
    return one.between(start, stop)
