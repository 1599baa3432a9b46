"""LOBSTER (NASDAQ) files: orderbook_K (one row a book) and message_K (what changed it), row by row beside each other.

Neither has a header. Prices are in 1e-4 US dollars; times are seconds after midnight in New York, the date stands in
the file's name. A level that does not exist has the price +-9999999999.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain.errors import DataError
from triptych.market.books.formats.tables import integers, numbers, read_csv
from triptych.market.books.tape import BookTape, segments_of

PRICES_PER_DOLLAR: Final = 10_000
NO_LEVEL: Final = 9_999_999_999
_NEW_YORK: Final = ZoneInfo("America/New_York")
_NAME: Final = re.compile(
    r"(?P<symbol>[^_]+)_(?P<date>\d{4}-\d{2}-\d{2})_.*(?P<kind>orderbook|message)_\d+\.csv(\.gz)?"
)
_EXECUTIONS: Final = (4, 5)
"""Executions of a visible and of a hidden order."""


def kind_of(path: Path) -> str | None:
    """`orderbook` or `message` for the name of a LOBSTER file, else None."""
    match = _NAME.fullmatch(path.name)
    return match["kind"] if match else None


def read_tape(path: Path, *, symbol: str | None = None) -> BookTape:
    """An orderbook file together with the message file beside it, which has the times.

    Raises DataError when that file is missing or has another number of rows, or for a field that is no number.
    """
    messages = path.with_name(path.name.replace("_orderbook_", "_message_"))
    if not messages.exists():
        raise DataError(
            f"{path}: the times of a LOBSTER order book stand in {messages.name}, which is not beside it.",
            remedy="Put both files into one folder.",
        )
    books, times = read_csv(path, has_header=False), _times_ms(messages)
    if len(books) != len(times):
        raise DataError(
            f"{path} has {len(books)} rows, {messages.name} has {len(times)}.",
            remedy="Use the two files of one download.",
        )
    if books.width % 4:
        raise DataError(
            f"{path}: expected four columns a level, was {books.width} columns.", remedy="Use the file as downloaded."
        )
    values = np.stack([integers(books, name, path, header_rows=0) for name in books.columns], axis=1)
    values = values.reshape(len(books), -1, 4)
    missing = np.abs(values[:, :, [2, 0]]) == NO_LEVEL
    prices = np.where(missing, np.nan, values[:, :, [2, 0]] / PRICES_PER_DOLLAR)
    sizes = np.where(missing, np.nan, values[:, :, [3, 1]])
    return BookTape(
        symbol=symbol or _match(path)["symbol"], time_ms=times, segment=segments_of(times),
        bid_prices=prices[:, :, 0], bid_sizes=sizes[:, :, 0], ask_prices=prices[:, :, 1], ask_sizes=sizes[:, :, 1],
    )  # fmt: skip


def read_trade_columns(
    path: Path, *, symbol: str | None = None
) -> tuple[str, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Executions in a message file: symbol, times in ms, prices, sizes, sides of the aggressor.

    The direction of a message is that of the order that rested, so the aggressor's is the opposite.
    """
    table = _messages(path)
    kinds = integers(table, table.columns[1], path, header_rows=0)
    chosen = np.isin(kinds, _EXECUTIONS)
    sizes, prices, direction = (integers(table, table.columns[i], path, header_rows=0)[chosen] for i in (3, 4, 5))
    return (
        symbol or _match(path)["symbol"], _times_ms(path)[chosen], prices / PRICES_PER_DOLLAR, sizes.astype(float),
        -direction,
    )  # fmt: skip


def _times_ms(path: Path) -> NDArray[np.int64]:
    """UTC milliseconds, rounded up."""
    table = _messages(path)
    seconds = numbers(table, table.columns[0], path, header_rows=0)
    midnight = datetime.strptime(_match(path)["date"], "%Y-%m-%d").replace(tzinfo=_NEW_YORK)
    # Wall-clock seconds: on the two days of a clock change New York's trading hours still begin at 09:30.
    opening = datetime.combine(midnight.date(), datetime.min.time().replace(hour=9, minute=30), tzinfo=_NEW_YORK)
    offset = int(opening.timestamp()) - (9 * 3600 + 30 * 60)
    return offset * 1_000 + np.ceil(np.round(seconds * 1_000, 6)).astype(np.int64)


def _messages(path: Path) -> pl.DataFrame:
    table = read_csv(path, has_header=False)
    if table.width < 6:
        raise DataError(
            f"{path}: expected six columns (time, type, order id, size, price, direction), was {table.width}.",
            remedy="Use the file as downloaded.",
        )
    return table


def _match(path: Path) -> re.Match[str]:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise DataError(
            f"{path}: a LOBSTER file is named SYMBOL_YYYY-MM-DD_.._orderbook_K.csv or _message_K.csv.",
            remedy="Give it the name it was downloaded with.",
        )
    return match
