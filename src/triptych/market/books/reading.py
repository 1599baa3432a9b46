"""The front door: order books of every known format, recognised by what is in the file::

    what it is                              recognised by                       read into
    recording of ours (a folder)            chunks events-*.parquet             events
    tape of `triptych data record`          the folder's tape.json              events
    sampled books, Parquet                  columns bid_price_0 .. or _1 ..     tape
    Bitstamp orders, Parquet                columns id, action, volume_1e8      events
    Binance futures capture                 lines `<ns> {"...`                  events
    Bybit v2 capture                        lines `<seconds>: {"...`            events
    Bybit v5 messages or REST reply         JSON with orderbook topic, result   events
    Tardis book_snapshot_N, CSV             its header                          tape
    Tardis incremental_book_L2, CSV         its header                          events
    LOBSTER orderbook_K, CSV                its name                            tape

A folder is a recording or a tape of ours; a single file is told by its first bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from triptych.domain import BookUpdate
from triptych.domain.errors import DataError, NotEnoughData
from triptych.market.books.events import BookEvents, events_of, join_events
from triptych.market.books.formats import (
    binance,
    bitstamp,
    bybit,
    bybit_v2,
    fi2010,
    flat,
    lobster,
    tapes,
    tardis,
)
from triptych.market.books.formats.lines import read_head
from triptych.market.books.recording import is_recording, read_events
from triptych.market.books.replaying import Clock, replay
from triptych.market.books.sequence import Protocol
from triptych.market.books.tape import BookTape, join_tapes
from triptych.market.books.thinning import thinned
from triptych.market.tapes import is_tape

Format = Literal[
    "recording", "data tape", "flat", "bitstamp orders", "binance capture", "bybit v2 capture", "bybit v5",
    "tardis snapshots", "tardis incremental", "tardis trades", "lobster orderbook", "lobster message", "fi2010",
    "trades",
]  # fmt: skip
DEFAULT_LEVELS: Final = 20
"""Levels a side of tapes made from streams, which keep the whole book."""
_PROTOCOLS: Final[dict[Format, Protocol]] = {
    "binance capture": "binance_usdm", "bybit v2 capture": "rising", "bybit v5": "bybit",
}  # fmt: skip
_BYBIT_V5: Final = re.compile(
    r'^\{.*?("topic"\s*:\s*"(orderbook|publicTrade|kline|tickers)\.|"result"\s*:\s*\{\s*"s"\s*:)', re.DOTALL
)
_EVENT_FORMATS: Final = ("recording", "data tape", "bitstamp orders", "tardis incremental", *_PROTOCOLS)
_TAPE_FORMATS: Final = ("flat", "tardis snapshots", "lobster orderbook")


def read_books(
    path: Path | Sequence[Path],
    *,
    symbol: str | None = None,
    levels: int | None = None,
    every_ms: int | None = None,
    at_ms: NDArray[np.int64] | None = None,
    clock: Clock | None = None,
) -> BookTape:
    """Order books of a file, or of several that follow one another.

    Args:
        path: a file or the folder of a recording. Files of one stream are joined before they are replayed, so a capture
            without a snapshot can be read together with the one before it.
        symbol: which instrument, where the file holds several; also the name of one that the file does not name.
        levels: levels a side. None: as many as the file has, of a stream 20.
        every_ms: one row at every multiple of so many milliseconds since 1970, the last book at or before it. Of a
            file that is sampled already a multiple of its own step, see `thinned`. None: one row a message, or the rows
            of the file.
        at_ms: of a stream, only the rows that `sample_at` finds at these times, and the first and the last one; spares
            the memory of a row a message. A file that is sampled already stays as it is.
        clock: of a stream, whose times to show: the venue's ("exchange") or those of receipt ("local"). None: the
            venue's where they were recorded.

    Raises DataError for a file that is no order book, is damaged, or holds several instruments when none was named, or
    for an `every_ms` that its own step does not allow; it says file, row or line, and what to do. NotEnoughData for too
    few levels, a stream without snapshot, or a recording shorter than `every_ms`.
    """
    paths = _paths(path)
    if all(detect(item) in _TAPE_FORMATS for item in paths):
        tapes = [_read_tape(item, symbol) for item in paths]
        tape = tapes[0] if len(tapes) == 1 else join_tapes(tapes)
        tape = tape if levels is None else tape.top(levels)
        return tape if every_ms is None else thinned(tape, every_ms)
    events = read_book_events(paths, symbol=symbol)
    if clock is None:
        clock = "exchange" if (events.exchange_time_ns >= 0).any() else "local"
    return replay(events, levels=levels or DEFAULT_LEVELS, every_ms=every_ms, at_ms=at_ms, clock=clock).tape


def read_book_events(path: Path | Sequence[Path], *, symbol: str | None = None) -> BookEvents:
    """The messages of a stream, of one file or of several that follow one another; see `read_books`.

    Raises DataError for a file that is no stream of order-book messages.
    """
    paths = _paths(path)
    kinds = [detect(item) for item in paths]
    for item, kind in zip(paths, kinds, strict=True):
        if kind not in _EVENT_FORMATS:
            raise _not_a_stream(item, kind)
    if len(set(kinds)) > 1:
        named = ", ".join(f"{item.name} ({kind})" for item, kind in zip(paths, kinds, strict=True))
        raise DataError(
            f"Files of different formats cannot be joined: {named}.",
            remedy="Read them one by one.",
        )
    kind = kinds[0]
    if kind in _PROTOCOLS:
        return _from_messages(paths, kind, symbol)
    if kind == "recording":
        parts = [read_events(item) for item in paths]
    elif kind == "data tape":
        parts = [tapes.read_tape_events(item, symbol=symbol) for item in paths]
    elif kind == "bitstamp orders":
        parts = [bitstamp.read_orders(item, symbol=symbol)[0] for item in paths]
    else:
        parts = [tardis.read_incremental(item, symbol=symbol) for item in paths]
    for item, part in zip(paths, parts, strict=True):
        if symbol is not None and part.symbol != symbol:
            raise tardis.unknown_symbol(item, symbol, [part.symbol])
    return parts[0] if len(parts) == 1 else join_events(parts)


def detect(path: Path) -> Format:
    """The format of a file or folder. Raises DataError when it is none that is known."""
    if path.is_dir():
        if is_recording(path):
            return "recording"
        if is_tape(path):
            return "data tape"
        raise DataError(
            f"{path} is a folder without a recorded book stream.", remedy="Give a file, or the folder of a recording."
        )
    if not path.exists():
        raise DataError(f"{path} does not exist.", remedy="Check the name.")
    found = _detect_parquet(path) if path.suffix == ".parquet" else _detect_text(path)
    if found is None:
        raise DataError(
            f"{path} is no order-book file of a known format.",
            remedy="Known are: " + ", ".join((*_TAPE_FORMATS, *_EVENT_FORMATS)) + ".",
        )
    return found


def is_sampled(path: Path) -> bool:
    """Whether a file holds books at times of its own instead of the messages of a stream. Raises as `detect` does."""
    return detect(path) in _TAPE_FORMATS


def _detect_parquet(path: Path) -> Format | None:
    try:
        columns = pq.read_schema(path).names
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.", remedy="Restore it from a copy.") from error
    if flat.is_flat(columns):
        return "flat"
    if {"id", "action", "volume_1e8"} <= set(columns):
        return "bitstamp orders"
    return "trades" if {"price", "size", "side"} <= set(columns) else None


def _detect_text(path: Path) -> Format | None:
    lobster_kind = lobster.kind_of(path)
    if lobster_kind is not None:
        return "lobster orderbook" if lobster_kind == "orderbook" else "lobster message"
    head = read_head(path).lstrip()
    if re.match(r"\d{16,19} \{", head):
        return "binance capture"
    if re.match(r"\d{9,10}\.\d+: \{", head):
        return "bybit v2 capture"
    if _BYBIT_V5.search(head):
        return "bybit v5"
    tardis_kind = tardis.kind_of(head.split("\n", 1)[0].strip().split(","))
    if tardis_kind is not None:
        return f"tardis {tardis_kind}"  # type: ignore[return-value]  # one of three, see `tardis.kind_of`
    return "fi2010" if fi2010.looks_like_fi2010(head) else None


def _read_tape(path: Path, symbol: str | None) -> BookTape:
    kind = detect(path)
    if kind == "flat":
        return flat.read_tape(path, symbol=symbol)
    if kind == "tardis snapshots":
        return tardis.read_snapshots(path, symbol=symbol)
    return lobster.read_tape(path, symbol=symbol)


def _from_messages(paths: Sequence[Path], kind: Format, symbol: str | None) -> BookEvents:
    unreadable: list[int] = []
    updates = [update for path in paths for update in _updates(path, kind, unreadable)]
    found = list(dict.fromkeys(update.symbol for update in updates if update.symbol))
    if not updates:
        raise NotEnoughData(f"{paths[0]} holds no order-book messages.", remedy="Give a capture of an order book.")
    if symbol is None and len(found) > 1:
        raise tardis.several_symbols(paths[0], found)
    chosen = symbol or (found[0] if found else flat.symbol_in_name(paths[0]))
    if found and chosen not in found:
        raise tardis.unknown_symbol(paths[0], chosen, found)
    if len(found) > 1 and any(not update.symbol for update in updates):
        raise DataError(
            f"{paths[0]} holds several instruments and snapshots that do not say whose they are.",
            remedy="Split the capture by instrument.",
        )
    own = [replace(update, symbol=chosen) for update in updates if update.symbol in ("", chosen)]
    events = events_of(own, symbol=chosen, protocol=_PROTOCOLS[kind])
    return replace(events, n_unreadable_lines=len(unreadable))


def _updates(path: Path, kind: Format, unreadable: list[int]) -> Iterator[BookUpdate]:
    if kind == "binance capture":
        return binance.read_updates(path, unreadable)
    return bybit_v2.read_updates(path, unreadable) if kind == "bybit v2 capture" else bybit.read_updates(path)


def _not_a_stream(path: Path, kind: Format) -> DataError:
    remedies = {
        "trades": "Read trades with `read_trades`.",
        "tardis trades": "Read trades with `read_trades`.",
        "lobster message": "Give the orderbook file beside it; it is read together with this one.",
        "fi2010": "Read it with `read_fi2010`: its prices are normalised.",
    }
    return DataError(
        f"{path} ({kind}) is not a stream of order-book messages.",
        remedy=remedies.get(kind, "Read it with `read_books`: it is sampled already."),
    )


def _paths(path: Path | Sequence[Path]) -> list[Path]:
    paths = [path] if isinstance(path, Path) else list(path)
    if not paths:
        raise DataError("No file was given.", remedy="Name at least one.")
    return paths
