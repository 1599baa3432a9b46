"""Book streams on disk: a folder of Parquet chunks, one row a message.

A chunk appears whole or not at all, so a process that is killed loses at most the messages since the last chunk and
leaves nothing broken. Chunks are numbered without holes; a recorder that is started again goes on with the next number,
and the sequence rules find what was missed in between.
"""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from triptych.domain import BookUpdate, files
from triptych.domain.errors import DataError
from triptych.market.books.events import ABSENT, ID_FIELDS, TIME_FIELDS, BookEvents, events_of, join_events
from triptych.market.books.sequence import Protocol

_SYMBOL: Final = b"triptych.symbol"
_PROTOCOL: Final = b"triptych.protocol"
_DECIMALS: Final = b"triptych.price_decimals"
_CHUNK: Final = "events-{:08d}.parquet"


class BookRecorder:
    """Writes the messages of one book's stream; use it as a context manager.

    Args:
        folder: one folder a stream; made when it does not exist.
        symbol, protocol: of the stream. DataError when the folder holds another one.
        price_decimals: digits after the point that the instrument's prices have; None: as many as each chunk needs.
        chunk_messages: messages in a chunk. Call `flush` on a timer to bound what a crash can lose.
    """

    def __init__(
        self,
        folder: Path,
        *,
        symbol: str,
        protocol: Protocol,
        price_decimals: int | None = None,
        chunk_messages: int = 10_000,
    ) -> None:
        self.folder = folder
        self.symbol = symbol
        self.protocol: Protocol = protocol
        self.price_decimals = price_decimals
        self.chunk_messages = chunk_messages
        self._waiting: list[BookUpdate] = []
        files.remove_leftovers(folder)
        chunks = _chunks(folder)
        self._next = len(chunks)
        if chunks:
            found = _header(chunks[0])
            if found[:2] != (symbol, protocol):
                raise DataError(
                    f"{folder} holds the stream of {found[0]} ({found[1]}), not of {symbol} ({protocol}).",
                    remedy="Record every stream into a folder of its own.",
                )

    def append(self, update: BookUpdate) -> None:
        """Keep one message; a full chunk is written at once. StorageError when the disk refuses."""
        self._waiting.append(update)
        if len(self._waiting) >= self.chunk_messages:
            self.flush()

    def flush(self) -> None:
        """Write the messages that wait, if any, as a chunk. StorageError when the disk refuses; they then wait on."""
        if self._waiting:
            events = events_of(
                self._waiting, symbol=self.symbol, protocol=self.protocol, price_decimals=self.price_decimals
            )
            files.write_bytes(self.folder / _CHUNK.format(self._next), _parquet(events))
            self._next += 1
            self._waiting = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()


def write_events(folder: Path, events: BookEvents) -> Path:
    """Write a recording as the only chunk of a folder that holds none. DataError when it does."""
    if _chunks(folder):
        raise DataError(f"{folder} already holds a recording.", remedy="Choose a new folder.")
    files.write_bytes(folder / _CHUNK.format(0), _parquet(events))
    return folder


def read_events(folder: Path) -> BookEvents:
    """Read all chunks of a recording. Raises DataError for a folder without chunks, with a missing or a foreign one."""
    chunks = _chunks(folder)
    if not chunks:
        raise DataError(
            f"{folder} holds no recorded book stream.", remedy="Give the folder that a `BookRecorder` wrote to."
        )
    return join_events([_read_chunk(path) for path in chunks])


def is_recording(folder: Path) -> bool:
    """Whether a folder holds chunks of a recording."""
    return folder.is_dir() and any(folder.glob("events-*.parquet"))


def _chunks(folder: Path) -> list[Path]:
    found = sorted(folder.glob("events-*.parquet"))
    for number, path in enumerate(found):
        if path.name != _CHUNK.format(number):
            raise DataError(
                f"{folder}: expected the chunk {_CHUNK.format(number)}, found {path.name}.",
                remedy="Put the missing chunk back, or move the later ones elsewhere and renumber them.",
            )
    return found


def _parquet(events: BookEvents) -> bytes:
    columns: dict[str, pa.Array] = {"is_snapshot": pa.array(events.is_snapshot)}
    for name in (*ID_FIELDS, *TIME_FIELDS):
        values = getattr(events, name)
        columns[name] = pa.array(values, mask=values == ABSENT)
    messages = np.repeat(np.arange(len(events)), np.diff(events.level_start))
    for side, chosen in (("bid", ~events.is_ask), ("ask", events.is_ask)):
        offsets = np.concatenate([[0], np.cumsum(np.bincount(messages[chosen], minlength=len(events)))])
        starts = pa.array(offsets.astype(np.int32))
        columns[f"{side}_price_ticks"] = pa.ListArray.from_arrays(starts, pa.array(events.price_ticks[chosen]))
        columns[f"{side}_sizes"] = pa.ListArray.from_arrays(starts, pa.array(events.sizes[chosen]))
    header = {
        _SYMBOL: events.symbol.encode(),
        _PROTOCOL: events.protocol.encode(),
        _DECIMALS: str(events.price_decimals).encode(),
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata(header), buffer, compression="zstd")
    return buffer.getvalue()


def _header(path: Path) -> tuple[str, str, int]:
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.", remedy="Restore it from a copy.") from error
    if not {_SYMBOL, _PROTOCOL, _DECIMALS} <= set(metadata) or metadata[_PROTOCOL].decode() not in get_args(Protocol):
        raise DataError(f"{path} is not a chunk of a recorded book stream.", remedy="Remove it from the folder.")
    return metadata[_SYMBOL].decode(), metadata[_PROTOCOL].decode(), int(metadata[_DECIMALS])


def _read_chunk(path: Path) -> BookEvents:
    symbol, protocol, decimals = _header(path)
    table = pq.read_table(path)
    numbers = {
        name: table[name].combine_chunks().fill_null(ABSENT).to_numpy(zero_copy_only=False).astype(np.int64)
        for name in (*ID_FIELDS, *TIME_FIELDS)
    }
    sides = [_side(table, side) for side in ("bid", "ask")]
    # Within a message bids come before asks, as they were written.
    order = np.argsort(np.concatenate([messages for messages, _, _ in sides]), kind="stable")
    counts = sum(np.bincount(messages, minlength=len(table)) for messages, _, _ in sides)
    is_ask = np.concatenate([np.full(len(sides[0][0]), False), np.full(len(sides[1][0]), True)])
    return BookEvents(
        symbol=symbol,
        protocol=cast(Protocol, protocol),
        price_decimals=decimals,
        is_snapshot=table["is_snapshot"].to_numpy().astype(np.bool_),
        level_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        is_ask=is_ask[order],
        price_ticks=np.concatenate([ticks for _, ticks, _ in sides])[order],
        sizes=np.concatenate([sizes for _, _, sizes in sides])[order],
        **numbers,
    )


def _side(table: pa.Table, side: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Message, price in ticks and size of every level of one side."""
    ticks, sizes = (table[f"{side}_{what}"].combine_chunks() for what in ("price_ticks", "sizes"))
    counts = ticks.value_lengths().to_numpy(zero_copy_only=False)
    messages = np.repeat(np.arange(len(table)), counts)
    return messages, ticks.flatten().to_numpy(zero_copy_only=False), sizes.flatten().to_numpy(zero_copy_only=False)
