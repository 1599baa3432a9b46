"""From what a user names - a file of candles, a file of order books, a recipe - to histories that can be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.rendering.histories import History
from triptych.domain import AbstractClock, CandleSeries, SystemClock, Timeframe
from triptych.domain.errors import DataError
from triptych.market import EpochUnit, read_candles, resample
from triptych.settings import Recipe, load_recipe, shipped_recipes


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a source is read.

    Attributes:
        symbols: instruments to take; empty takes all there are.
        timeframe: candles are resampled to it; None keeps theirs.
        columns: roles of columns that are not recognised, such as {"close": "Last"}.
        timezone: of times that carry none.
        timestamp_unit: of epoch numbers; None tells it by their size.
        book: file of order books that stand beside the candles.
    """

    symbols: tuple[str, ...] = ()
    timeframe: str | None = None
    columns: Mapping[str, str] | None = None
    timezone: str = "UTC"
    timestamp_unit: EpochUnit | None = None
    book: Path | None = None


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
    """Read a source: a recipe (a .toml file or the name of a shipped one), or a file.

    Raises DataError (and its kinds) and RecipeError with what to do.
    """
    path = Path(source).expanduser()
    if path.suffix == ".toml" or (source in shipped_recipes() and not path.exists()):
        return _from_recipe(source, reading)
    if not path.exists():
        raise DataError(
            f"There is no file {source}, and no recipe of that name.",
            remedy=f"Bring candles (CSV, Parquet, Arrow), order books, or a recipe: {', '.join(shipped_recipes())}.",
        )
    found = read_candles(
        path,
        symbol=reading.symbols[0] if len(reading.symbols) == 1 else None,
        columns=reading.columns,
        timezone=reading.timezone,
        timestamp_unit=reading.timestamp_unit,
        now_ms=(clock or SystemClock()).now_ms(),
    )
    chosen = _chosen({one.symbol: one for one in found.series}, reading.symbols, path.name)
    histories = tuple(_history(one, reading, path.name) for one in chosen)
    return Opened(histories=histories, notes=found.notes, recipe=None)


def _from_recipe(source: str, reading: Reading) -> Opened:
    changes: dict[str, Any] = {}
    if reading.symbols:
        changes["data.symbols"] = list(reading.symbols)
    if reading.timeframe is not None:
        changes["data.timeframe"] = reading.timeframe
    recipe = load_recipe(source, (), changes)
    candles = load_candles(recipe)
    place = f"the recipe {recipe.name}"
    histories = tuple(_history(one, reading, place) for one in candles.series)
    return Opened(histories=histories, notes=candles.notes, recipe=recipe)


def _chosen(by_symbol: Mapping[str, CandleSeries], symbols: tuple[str, ...], place: str) -> list[CandleSeries]:
    missing = [symbol for symbol in symbols if symbol not in by_symbol]
    if missing:
        raise DataError(f"{place} holds no symbol {missing[0]!r}.", remedy=f"It holds {', '.join(by_symbol)}.")
    return [by_symbol[symbol] for symbol in symbols] if symbols else list(by_symbol.values())


def _history(one: CandleSeries, reading: Reading, place: str) -> History:
    if reading.timeframe is not None and Timeframe.parse(reading.timeframe) != one.timeframe:
        one = resample(one, reading.timeframe)
    return History(
        symbol=one.symbol,
        timeframe=str(one.timeframe),
        close_time_ms=one.close_time_ms,
        candles=one,
        books=None,
        place=place,
    )
