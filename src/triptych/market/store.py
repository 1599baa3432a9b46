"""The candle store: Parquet by venue, symbol and timeframe, merged without loss and read lazily.

    ROOT/VENUE/SYMBOL/TIMEFRAME/PERIOD.parquet       zstd, canonical columns, rows in time order
    ROOT/VENUE/SYMBOL/instrument.json                price and quantity steps, only where they are not the defaults

A history lies in one file (`all`) for candles of a day or longer, one file a year from 15 minutes, and one file a
month below, so that a merge rewrites only the periods it touches: at most some 45,000 candles of a minute each.
A period's file is replaced at once. A merge that is killed half way leaves every file whole and some periods merged;
the same merge again completes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Literal

import filelock
import polars as pl

from triptych.domain import CandleSeries, Timeframe, utc
from triptych.domain.errors import CandleError, DataError, NotEnoughData, StorageError
from triptych.domain.files import remove_leftovers
from triptych.market.files import from_file_name, to_file_name
from triptych.market.frames import TIME_TYPE, TIMESTAMP, to_frame, to_series
from triptych.market.partitions import (
    Plan,
    period_bounds,
    plan_merge,
    read_instrument,
    split_by_period,
    write_instrument,
    write_partition,
)

Moment = int | datetime | date | str
"""A time: UTC milliseconds, a datetime (UTC when it has no zone), a date, or ISO text such as 2023-01-31T09:30."""
OnConflict = Literal["keep", "replace", "error"]

_LOCK: Final = ".lock"
_LIST_SCHEMA: Final = {
    "venue": pl.String(), "symbol": pl.String(), "timeframe": pl.String(), "rows": pl.Int64(),
    "first": TIME_TYPE, "last": TIME_TYPE, "files": pl.Int64(), "bytes": pl.Int64(),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeReport:
    """What a merge did, in candles: `new` ones added, `changed` ones replaced, `same` ones already there,

    `kept` ones that differ from the stored ones, which stayed (`on_conflict="keep"`).
    """

    new: int = 0
    changed: int = 0
    same: int = 0
    kept: int = 0

    def __str__(self) -> str:
        kept = f", {self.kept:,} different and kept as stored" if self.kept else ""
        return f"{self.new:,} new, {self.changed:,} changed, {self.same:,} already there{kept}"


class CandleStore:
    """Candles on disk under one folder, for several processes at once: merges of a history wait for one another."""

    def __init__(self, root: str | Path, *, lock_timeout_s: float = 60.0) -> None:
        self.root = Path(root)
        self._lock_timeout_s = lock_timeout_s

    def merge(self, series: CandleSeries, *, on_conflict: OnConflict = "keep") -> MergeReport:
        """Add candles to the history of the series' venue, symbol and timeframe.

        Merging the same candles again changes no byte. Where a stored candle of the same time differs, `on_conflict`
        decides: keep the stored one, replace it, or refuse the whole merge before anything is written.

        Raises CandleError for a refused conflict, StorageError when the disk refuses or another process holds the
        history too long.
        """
        Timeframe.parse(str(series.timeframe))  # a timeframe that cannot be read back must not become a folder
        folder = self._folder(series.instrument.venue, series.symbol, series.timeframe)
        with self._locked(folder):
            remove_leftovers(folder)
            parts = split_by_period(to_frame(series), series.timeframe)
            plans = [plan_merge(folder / f"{period}.parquet", part, on_conflict) for period, part in parts.items()]
            _refuse_conflicts(plans, series, on_conflict)
            write_instrument(folder.parent, series.instrument)
            for plan in plans:
                if plan.merged is not None:
                    write_partition(plan.path, plan.merged)
        return MergeReport(
            new=sum(plan.new for plan in plans), changed=sum(plan.changed for plan in plans),
            same=sum(plan.same for plan in plans), kept=sum(plan.kept for plan in plans),
        )  # fmt: skip

    def scan(
        self,
        venue: str,
        symbol: str,
        timeframe: str | Timeframe,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> pl.LazyFrame:
        """Candles that open from `start` on and before `end`, lazily, in time order, in canonical columns.

        Only the files of periods in between are looked at. Raises DataError that lists what is there for an unknown
        history.
        """
        length = Timeframe.parse(timeframe)
        start_ms = None if start is None else to_ms(start)
        end_ms = None if end is None else to_ms(end)
        files = self._files(venue, symbol, length)
        wanted = [path for path in files if _overlaps(path.stem, start_ms, end_ms)] or [files[0]]
        lazy = pl.scan_parquet(wanted, glob=False)
        if start_ms is not None:
            lazy = lazy.filter(pl.col(TIMESTAMP) >= pl.lit(start_ms, dtype=pl.Int64).cast(TIME_TYPE))
        if end_ms is not None:
            lazy = lazy.filter(pl.col(TIMESTAMP) < pl.lit(end_ms, dtype=pl.Int64).cast(TIME_TYPE))
        return lazy

    def load(
        self,
        venue: str,
        symbol: str,
        timeframe: str | Timeframe,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> CandleSeries:
        """Candles that open from `start` on and before `end`, as a series.

        Raises DataError for an unknown history, NotEnoughData when it has no candle in between, StorageError for a
        damaged file.
        """
        length = Timeframe.parse(timeframe)
        frame = self._collect(self.scan(venue, symbol, length, start, end), venue, symbol, length)
        if frame.is_empty():
            whole = self._collect(self.scan(venue, symbol, length).select(TIMESTAMP), venue, symbol, length)
            times = whole[TIMESTAMP].cast(pl.Int64)
            raise NotEnoughData(
                f"{venue} {symbol} {length}: no candle in the time asked for.",
                remedy=f"Stored from {utc(times[0])} to {utc(times[-1])} UTC.",
            )
        instrument = read_instrument(self._folder(venue, symbol, length).parent, venue=venue, symbol=symbol)
        return to_series(frame, instrument=instrument, timeframe=length)

    def list(self) -> pl.DataFrame:
        """What is there, one row per history: venue, symbol, timeframe, rows, first and last time, files, bytes."""
        rows = []
        for venue, symbol, timeframe in self._histories():
            files = self._files(venue, symbol, timeframe)
            ends = pl.min(TIMESTAMP).alias("first"), pl.max(TIMESTAMP).alias("last")
            lazy = pl.scan_parquet([*files], glob=False).select(pl.len().cast(pl.Int64).alias("rows"), *ends)
            counted = self._collect(lazy, venue, symbol, timeframe)
            sizes = [path.stat().st_size for path in files]
            names = {"venue": venue, "symbol": symbol, "timeframe": str(timeframe)}
            rows.append({**names, **counted.row(0, named=True), "files": len(files), "bytes": sum(sizes)})
        return pl.DataFrame(rows, schema=_LIST_SCHEMA)

    def _histories(self) -> Iterator[tuple[str, str, Timeframe]]:
        found = []
        for folder in self.root.glob("*/*/*/") if self.root.is_dir() else ():
            if folder.is_dir() and any(_is_partition(path) for path in folder.iterdir()):
                venue, symbol = from_file_name(folder.parent.parent.name), from_file_name(folder.parent.name)
                found.append((venue, symbol, Timeframe.parse(folder.name)))
        yield from sorted(found)

    def _folder(self, venue: str, symbol: str, timeframe: Timeframe) -> Path:
        return self.root / to_file_name(venue) / to_file_name(symbol) / str(timeframe)

    def _files(self, venue: str, symbol: str, timeframe: Timeframe) -> Sequence[Path]:
        folder = self._folder(venue, symbol, timeframe)
        files = sorted(path for path in folder.iterdir() if _is_partition(path)) if folder.is_dir() else []
        if not files:
            known = [f"{v} {s} {t}" for v, s, t in self._histories()]
            there = (
                f"It holds {', '.join(known[:20])}{' and more' if len(known) > 20 else ''}."
                if known
                else "It is empty."
            )
            raise DataError(f"The store {self.root} holds no {venue} {symbol} {timeframe}.", remedy=there)
        return files

    @staticmethod
    def _collect(lazy: pl.LazyFrame, venue: str, symbol: str, timeframe: Timeframe) -> pl.DataFrame:
        try:
            return lazy.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise StorageError(
                f"The stored candles of {venue} {symbol} {timeframe} cannot be read: {str(error).splitlines()[0]}.",
                remedy="Delete the damaged file and import its source again.",
            ) from error

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        """One writer at a time per history. The system frees the lock of a process that dies."""
        lock = filelock.FileLock(folder / _LOCK, timeout=self._lock_timeout_s)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except filelock.Timeout as error:
            raise StorageError(
                f"Another process has been writing to {folder} for more than {self._lock_timeout_s:g} seconds.",
                remedy="Wait until it has finished, or end it.",
            ) from error
        except OSError as error:
            raise StorageError(
                f"{folder} cannot be written: {error.strerror}.",
                remedy="Check the permissions, or choose another folder.",
            ) from error
        try:
            yield
        finally:
            lock.release()


def to_ms(moment: Moment) -> int:
    """A time in UTC milliseconds. Raises DataError for text that is no time."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment.strip())
        except ValueError as error:
            raise DataError(
                f"{moment!r} is not a time.", remedy="Write it like 2023-01-31 or 2023-01-31T09:30."
            ) from error
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000)
    if isinstance(moment, date):
        return round(datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp() * 1000)
    return int(moment)


def _is_partition(path: Path) -> bool:
    return path.suffix == ".parquet" and not path.name.startswith(".")


def _overlaps(period: str, start_ms: int | None, end_ms: int | None) -> bool:
    first, after = period_bounds(period)
    return (end_ms is None or first is None or first < end_ms) and (
        start_ms is None or after is None or after > start_ms
    )


def _refuse_conflicts(plans: Sequence[Plan], series: CandleSeries, on_conflict: OnConflict) -> None:
    conflicts = [plan for plan in plans if plan.first_conflict_ms is not None]
    if on_conflict == "error" and conflicts:
        count = sum(plan.changed + plan.kept for plan in conflicts)
        first = utc(int(conflicts[0].first_conflict_ms or 0))
        differ = "candle differs" if count == 1 else "candles differ"
        raise CandleError(
            f"{series.symbol} {series.timeframe}: {count:,} {differ} from the stored history, first at {first} UTC. "
            "Nothing was written.",
            remedy="Merge with on_conflict='replace' to take the new candles, or 'keep' to leave the stored ones.",
        )
