"""Trades of one instrument, from the files that come with order books."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.books.formats import binance, bybit, bybit_v2, flat, lobster, tardis
from triptych.market.books.formats.tables import integers, numbers, read_parquet
from triptych.market.books.reading import Format, detect


@dataclass(frozen=True, kw_only=True, slots=True)
class Trades:
    """Trades in time order.

    Attributes:
        symbol: instrument.
        time_ms: int64 of shape (n,), never falling, UTC, the venue's time.
        price: float64 of shape (n,), quote currency.
        size: float64 of shape (n,), base units (contracts on coin-margined instruments).
        side: int8 of shape (n,): 1 when the buyer was the aggressor, -1 the seller, 0 unknown.

    Raises DataError, naming the trade, for times that fall and prices or sizes that are not positive numbers.
    """

    symbol: str
    time_ms: NDArray[np.int64]
    price: NDArray[np.float64]
    size: NDArray[np.float64]
    side: NDArray[np.int8]

    def __post_init__(self) -> None:
        good = (self.price > 0) & (self.price < np.inf) & (self.size > 0) & (self.size < np.inf)
        problems = {
            "earlier than the one before it": np.flatnonzero(np.diff(self.time_ms) < 0) + 1,
            "price and size must be positive numbers": np.flatnonzero(~good),
        }
        for problem, where in problems.items():
            if where.size:
                row = int(where[0])
                raise DataError(
                    f"{self.symbol}: trade {row} ({self.size[row]} at {self.price[row]}): {problem}.",
                    remedy="Sort the file by time and remove such rows.",
                )

    def __len__(self) -> int:
        return len(self.time_ms)


def read_trades(path: Path, *, symbol: str | None = None) -> Trades:
    """Trades of a file.

    Known are Parquet (timestamp, price, size, side), Tardis CSV, LOBSTER messages, and the captures of Binance, Bybit
    v2 and v5, which hold books too. Trades of a capture are put in the order of the venue's time; equal times stay in
    the order of arrival.

    Args:
        path: the file.
        symbol: which instrument, where the file holds several; also the name of one that the file does not name.

    Raises DataError for a file without trades, a damaged one, or several instruments when none was named.
    """
    kind = detect(path)
    if kind == "trades":
        table = read_parquet(path)
        price, size = (numbers(table, column, path, header_rows=0) for column in ("price", "size"))
        side = integers(table, "side", path, header_rows=0)
        name, time_ms = symbol or flat.symbol_in_name(path), flat.times_ms(table, path)
    elif kind == "tardis trades":
        name, time_ms, price, size, side = tardis.read_trade_columns(path, symbol=symbol)
    elif kind == "lobster message":
        name, time_ms, price, size, side = lobster.read_trade_columns(path, symbol=symbol)
    else:
        return _from_capture(path, kind, symbol)
    return Trades(symbol=name, time_ms=time_ms, price=price, size=size, side=side.astype(np.int8))


def _from_capture(path: Path, kind: Format, symbol: str | None) -> Trades:
    rows = list(_messages(path, kind))
    found = list(dict.fromkeys(row[0] for row in rows))
    if not rows:
        raise NotEnoughData(f"{path} holds no trades.", remedy="Give a file of trades, or a capture with some.")
    if symbol is None and len(found) > 1:
        raise tardis.several_symbols(path, found)
    name = symbol or found[0]
    if name not in found:
        raise DataError(f"{path} holds no trades of {name}.", remedy=f"It holds: {', '.join(found)}.")
    own = sorted((row for row in rows if row[0] == name), key=lambda row: row[1])
    _, time_ms, price, size, side = zip(*own, strict=True)
    return Trades(
        symbol=name, time_ms=np.array(time_ms, dtype=np.int64), price=np.array(price), size=np.array(size),
        side=np.array(side, dtype=np.int8),
    )  # fmt: skip


def _messages(path: Path, kind: Format) -> Iterator[tuple[str, int, float, float, int]]:
    if kind == "binance capture":
        return binance.read_trade_messages(path)
    if kind == "bybit v2 capture":
        return bybit_v2.read_trade_messages(path)
    if kind == "bybit v5":
        return bybit.read_trade_messages(path)
    raise DataError(f"{path} ({kind}) holds no trades.", remedy="Give a file of trades, or a capture with some.")
