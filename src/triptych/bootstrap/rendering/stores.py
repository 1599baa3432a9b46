"""Candles for pictures from a candle store: the folder that `triptych data import` and `triptych data fetch` fill."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from triptych.domain import CandleSeries, Timeframe
from triptych.domain.errors import DataError
from triptych.market import CandleStore
from triptych.market.files import to_file_name


def read_store(root: Path, *, symbols: Sequence[str], timeframe: str | None) -> tuple[CandleSeries, ...]:
    """Whole histories of a store, in order of their symbols.

    Args:
        root: the folder, or that of one venue in it.
        symbols: instruments to read; empty: all there are.
        timeframe: of the pictures: histories of it are taken, else the finest, to be resampled.

    Raises DataError where the folder is no store, an instrument is not there, or has candles of several venues, or of
    several lengths among which nobody chose; StorageError for a damaged file.
    """
    store = CandleStore(root)
    rows = store.list().sort("symbol").to_dicts()
    if not rows and any(root.glob("*/*/*.parquet")):
        store = CandleStore(root.absolute().parent)
        rows = [row for row in store.list().sort("symbol").to_dicts() if to_file_name(row["venue"]) == root.name]
    if not rows:
        raise DataError(
            f"The folder {root} holds no candles.",
            remedy="Name a file, or a candle store: `triptych data import FILE --store FOLDER` fills one.",
        )
    wanted, there = set(symbols), list(dict.fromkeys(row["symbol"] for row in rows))
    for symbol in symbols:
        if symbol not in there:
            raise DataError(f"{root.name} holds no symbol {symbol!r}.", remedy=f"It holds {', '.join(there)}.")
    found = []
    for symbol in there:
        own = [row for row in rows if row["symbol"] == symbol]
        if wanted and symbol not in wanted:
            continue
        venues = sorted({row["venue"] for row in own})
        if len(venues) > 1:
            raise DataError(
                f"{root.name} holds {symbol} of several venues: {', '.join(venues)}.",
                remedy=f"Name the folder of one of them: {root / venues[0]}.",
            )
        stored = sorted((row["timeframe"] for row in own), key=lambda text: Timeframe.parse(text).milliseconds)
        found.append(store.load(venues[0], symbol, _length(symbol, stored, timeframe, root)))
    return tuple(found)


def _length(symbol: str, stored: list[str], timeframe: str | None, root: Path) -> str:
    if timeframe is not None:
        asked = str(Timeframe.parse(timeframe))
        return asked if asked in stored else stored[0]
    if len(stored) > 1:
        raise DataError(
            f"{root.name} holds {symbol} in candles of {' and '.join(stored)}.",
            remedy=f"Say which to draw: --timeframe {stored[0]}.",
        )
    return stored[0]
