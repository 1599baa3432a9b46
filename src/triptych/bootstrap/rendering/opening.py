"""From what a user names - candles, order books, trades, a recipe - to histories that can be drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from triptych.bootstrap.candle_books import max_age_ms, recorded, refuse_strangers, tape_of
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.rendering.histories import History, usual_factors
from triptych.bootstrap.rendering.stores import read_store
from triptych.domain import AbstractClock, CandleSeries, SystemClock, Timeframe
from triptych.domain.errors import DataError, NotEnoughData
from triptych.inference import BookNeed, FactorRows
from triptych.inference.inputs import Config as FactorConfig
from triptych.market import EpochUnit, read_candles, resample
from triptych.market.books import BookTape, candles_from_trades, read_books, read_trades, sample_at
from triptych.market.books.reading import DEFAULT_LEVELS, detect, is_sampled
from triptych.market.synthetic import SyntheticMarket, synthesise
from triptych.settings import Recipe, load_recipe, shipped_recipes

OLDEST_BOOK_MS: Final = 1_000
"""A book last seen longer before its time than this, or than the step, is not drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a source is read.

    Attributes:
        symbols: instruments to take; empty takes all there are.
        timeframe: candles are resampled to it, books sampled at it; None keeps them as they are.
        columns: roles of columns that are not recognised, such as {"close": "Last"}.
        timezone: of times that carry none.
        timestamp_unit: of epoch numbers; None tells it by their size.
        book: file of order books that stand beside the candles.
        factors: factors and sets of factors, for encodings that read them; None: the recipe's, else grid56.
        companions: other instruments of the source whose factors stand beside, each a channel.
    """

    symbols: tuple[str, ...] = ()
    timeframe: str | None = None
    columns: Mapping[str, str] | None = None
    timezone: str = "UTC"
    timestamp_unit: EpochUnit | None = None
    book: Path | None = None
    factors: tuple[str, ...] | None = None
    companions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """What a source holds.

    Attributes:
        histories: one an instrument, in the order of the source.
        notes: what was assumed, sorted, removed, in words.
        recipe: the recipe, where the source is one.
    """

    histories: tuple[History, ...]
    notes: tuple[str, ...]
    recipe: Recipe | None


def open_source(source: str, reading: Reading, *, clock: AbstractClock | None = None) -> Opened:
    """Read a source: a recipe (a .toml file or the name of a shipped one), a file, or a candle store.

    Raises DataError (and its kinds) and RecipeError with what to do.
    """
    path = Path(source).expanduser()
    if path.suffix == ".toml" or (source in shipped_recipes() and not path.exists()):
        return _from_recipe(source, reading)
    if not path.exists():
        raise DataError(
            f"There is no file {source}, and no recipe of that name.",
            remedy="Bring candles (CSV, Parquet, Arrow; or a candle store), order books, or a recipe: "
            f"{', '.join(shipped_recipes())}.",
        )
    holds = _kind(path)
    if holds == "books":
        return _from_books(path, reading)
    books = None if reading.book is None else _books(reading.book, reading)
    if holds == "trades":
        return _from_trades(path, reading, books)
    if path.is_dir():
        asked = (*reading.symbols, *reading.companions) if reading.symbols else ()
        series = read_store(path, symbols=asked, timeframe=reading.timeframe)
        return _from_candles(series, (), path, reading, books)
    found = read_candles(
        path,
        symbol=reading.symbols[0] if len(reading.symbols) == 1 and not reading.companions else None,
        columns=reading.columns,
        timezone=reading.timezone,
        timestamp_unit=reading.timestamp_unit,
        now_ms=(clock or SystemClock()).now_ms(),
    )
    return _from_candles(found.series, found.notes, path, reading, books)


def _from_candles(
    series: Iterable[CandleSeries], notes: tuple[str, ...], path: Path, reading: Reading, books: BookTape | None
) -> Opened:
    by_symbol = {one.symbol: _resampled(one, reading) for one in series}
    companions = {one.symbol: one for one in _chosen(by_symbol, reading.companions, path.name)}
    chosen = _chosen(by_symbol, reading.symbols, path.name)
    if books is not None and len(chosen) > 1:
        raise DataError(
            f"{path.name} holds {len(chosen)} symbols, the books are of {books.symbol}.",
            remedy="Say which candles belong to the books: --symbol NAME.",
        )
    rows = _factors(reading, None)
    histories = tuple(
        _history(one, path.name, books, factors=rows, companions=companions if reading.companions else {})
        for one in chosen
    )
    return Opened(histories=histories, notes=notes, recipe=None)


def _kind(path: Path) -> Literal["candles", "books", "trades"]:
    try:
        found = detect(path)
    except DataError:
        return "candles"
    return "trades" if found in ("trades", "tardis trades") else "books"


def _books(path: Path, reading: Reading, *, every_ms: int | None = None) -> BookTape:
    return read_books(path, symbol=reading.symbols[0] if reading.symbols else None, every_ms=every_ms)


def _from_books(path: Path, reading: Reading) -> Opened:
    if reading.book is not None:
        raise DataError(
            f"{path.name} holds order books already.", remedy="Leave out --book, or bring a file of candles as SOURCE."
        )
    every = None if reading.timeframe is None else Timeframe.parse(reading.timeframe)
    # Of a stream a row a message would fill the memory; sampled books are there, and older ones are blanked below.
    every_ms = None if every is None or is_sampled(path) else every.milliseconds
    tape = _books(path, reading, every_ms=every_ms)
    if every is not None:
        tape = _sampled(tape, every)
    history = History(
        symbol=tape.symbol,
        timeframe=_step(tape),
        close_time_ms=tape.time_ms,
        candles=None,
        books=tape,
        place=path.name,
    )
    return Opened(histories=(history,), notes=(), recipe=None)


def _from_trades(path: Path, reading: Reading, books: BookTape | None) -> Opened:
    if reading.timeframe is None:
        raise DataError(f"{path.name} holds trades.", remedy="Say of what length their candles are: --timeframe 1s.")
    trades = read_trades(path, symbol=reading.symbols[0] if reading.symbols else None)
    series = candles_from_trades(trades, reading.timeframe)
    history = _history(series, path.name, books, factors=_factors(reading, None), companions={})
    return Opened(histories=(history,), notes=(), recipe=None)


def _sampled(tape: BookTape, every: Timeframe) -> BookTape:
    """The books as they stood at every multiple of `every` within their time."""
    first, last = int(tape.time_ms[0]), int(tape.time_ms[-1])
    grid = np.arange(-(-first // every.milliseconds), last // every.milliseconds + 1) * every.milliseconds
    if not len(grid):
        raise NotEnoughData(
            f"{tape.symbol}: the books span {last - first} ms, less than one step of {every}.",
            remedy="Choose a shorter --timeframe, or leave it out.",
        )
    return sample_at(tape, grid, max(every.milliseconds, OLDEST_BOOK_MS)).tape


def _step(tape: BookTape) -> str:
    """The time between books as a word, if it is always the same; else `book`."""
    steps = np.unique(np.diff(tape.time_ms))
    return str(Timeframe(int(steps[0]))) if len(steps) == 1 and steps[0] > 0 else "book"


def _from_recipe(source: str, reading: Reading) -> Opened:
    changes: dict[str, Any] = {}
    if reading.symbols:
        changes["data.symbols"] = list(reading.symbols)
    if reading.timeframe is not None:
        changes["data.timeframe"] = reading.timeframe
    recipe = load_recipe(source, (), changes)
    candles = load_candles(recipe)
    place = f"the recipe {recipe.name}"
    books: dict[str, BookTape | None] = {}
    if recipe.features.names and recipe.features.day.hours:
        pass  # candles of whole trading days have no books beside them: the embedded market never closes
    elif recipe.data.source == "synthetic":
        market = synthesise(recipe.data.synthetic)
        books = {one.symbol: invented_history(market, one.symbol).books for one in candles.series}
    elif recipe.data.books.path is not None:
        need = BookNeed(levels=DEFAULT_LEVELS, max_age_ms=max_age_ms(recipe.data.books, candles.timeframe))
        books = {one.symbol: recorded(recipe, one, need) for one in candles.series}
    rows = _factors(reading, recipe)
    companions = {one.symbol: one for one in _chosen(candles.by_symbol, rows.companions, place)}
    histories = tuple(
        _history(one, place, books.get(one.symbol), factors=rows, companions=companions) for one in candles.series
    )
    return Opened(histories=histories, notes=candles.notes, recipe=recipe)


def _chosen(by_symbol: Mapping[str, CandleSeries], symbols: tuple[str, ...], place: str) -> list[CandleSeries]:
    missing = [symbol for symbol in symbols if symbol not in by_symbol]
    if missing:
        raise DataError(f"{place} holds no symbol {missing[0]!r}.", remedy=f"It holds {', '.join(by_symbol)}.")
    return [by_symbol[symbol] for symbol in symbols] if symbols else list(by_symbol.values())


def invented_history(market: SyntheticMarket, symbol: str) -> History:
    """An instrument of the embedded market: its candles, and its order book at every close."""
    tape = tape_of(market, symbol)
    return _history(market[symbol], "the embedded market", tape, factors=usual_factors(), companions={})


def _factors(reading: Reading, recipe: Recipe | None) -> FactorRows:
    """What makes the factors: as asked for, else the recipe's, else the usual ones."""
    own = recipe.features if recipe is not None and recipe.features.names else FactorConfig(names=("grid56",))
    changes: dict[str, Any] = {} if reading.factors is None else {"names": reading.factors}
    if reading.companions:
        changes["companions"] = reading.companions
    return FactorRows(own.model_copy(update=changes))


def _resampled(one: CandleSeries, reading: Reading) -> CandleSeries:
    if reading.timeframe is None or Timeframe.parse(reading.timeframe) == one.timeframe:
        return one
    return resample(one, reading.timeframe)


def _history(
    one: CandleSeries,
    place: str,
    books: BookTape | None,
    *,
    factors: FactorRows,
    companions: Mapping[str, CandleSeries],
) -> History:
    if books is not None:
        age = one.timeframe.milliseconds
        sample = sample_at(books, one.close_time_ms, age)
        refuse_strangers(one, books, sample, age, remedy="make the candles longer by --timeframe")
    return History(
        symbol=one.symbol,
        timeframe=str(one.timeframe),
        close_time_ms=one.close_time_ms,
        candles=one,
        books=books,
        place=place,
        factors=factors,
        companions=companions,
    )
