"""The files of one stored history: which period a candle belongs to, and how a file and new candles become one."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, Literal

import polars as pl

from triptych.domain import CANDLE_FIELDS, Instrument, Timeframe
from triptych.domain.errors import StorageError
from triptych.domain.files import write_bytes
from triptych.market.frames import SCHEMA, TIMESTAMP

_MONTHLY_BELOW: Final = Timeframe.parse("15m")
_ONE_FILE_FROM: Final = Timeframe.parse("1d")
_WHOLE: Final = "all"
_INSTRUMENT: Final = "instrument.json"


def split_by_period(frame: pl.DataFrame, timeframe: Timeframe) -> dict[str, pl.DataFrame]:
    """A canonical frame cut into the periods of its timeframe, `all`, `2023` or `2023-01`, in order."""
    if timeframe >= _ONE_FILE_FROM:
        return {_WHOLE: frame} if frame.height else {}
    form = "%Y-%m" if timeframe < _MONTHLY_BELOW else "%Y"
    keyed = frame.with_columns(period=pl.col(TIMESTAMP).dt.strftime(form))
    parts = keyed.partition_by("period", as_dict=True, include_key=False, maintain_order=True)
    return {str(key[0]): part for key, part in parts.items()}


def period_bounds(period: str) -> tuple[int | None, int | None]:
    """First UTC millisecond of a period and the first one after it; None where it has no bound."""
    match = re.fullmatch(r"(\d{4})(?:-(\d{2}))?", period)
    if match is None:
        return None, None
    year, month = int(match[1]), int(match[2] or 1)
    following = (year + month // 12, month % 12 + 1) if match[2] else (year + 1, 1)
    return _start_ms(year, month), _start_ms(*following)


def _start_ms(year: int, month: int) -> int:
    return round(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a merge would do to one file, counted in candles; `merged` is its new content, None when nothing changes."""

    path: Path
    merged: pl.DataFrame | None
    new: int
    changed: int
    same: int
    kept: int
    first_conflict_ms: int | None


def plan_merge(path: Path, part: pl.DataFrame, on_conflict: Literal["keep", "replace", "error"]) -> Plan:
    """Compare the candles of one period with the file that holds it. Nothing is written.

    Raises StorageError when the file is damaged.
    """
    stored = _read_partition(path)
    both = part.join(stored, on=TIMESTAMP, how="inner", suffix="_stored")
    equal = pl.all_horizontal([pl.col(name) == pl.col(f"{name}_stored") for name in CANDLE_FIELDS])
    conflicts = both.filter(~equal)
    fresh = part.join(stored, on=TIMESTAMP, how="anti")
    replaced = part.join(conflicts, on=TIMESTAMP, how="semi") if on_conflict == "replace" else part.clear()
    merged = None
    if fresh.height or replaced.height:
        staying = stored.join(replaced, on=TIMESTAMP, how="anti")
        merged = pl.concat([staying, fresh, replaced]).sort(TIMESTAMP)
    first = conflicts[TIMESTAMP].min() if conflicts.height else None
    return Plan(
        path=path, merged=merged, new=fresh.height, changed=replaced.height, same=both.height - conflicts.height,
        kept=conflicts.height - replaced.height,
        first_conflict_ms=None if first is None else round(first.timestamp() * 1000),  # type: ignore[union-attr]
    )  # fmt: skip


def _read_partition(path: Path) -> pl.DataFrame:
    if not path.exists():
        return pl.DataFrame(schema=SCHEMA)
    try:
        return pl.read_parquet(path, columns=list(SCHEMA), glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(
            f"{path} cannot be read: {str(error).splitlines()[0]}.",
            remedy="Delete the damaged file and import its source again.",
        ) from error


def write_partition(path: Path, frame: pl.DataFrame) -> None:
    """Write one file, whole or not at all. Equal candles give equal bytes."""
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(buffer, compression="zstd", statistics=True)
    write_bytes(path, buffer.getvalue())


def write_instrument(folder: Path, instrument: Instrument) -> None:
    """Keep the rules of an instrument beside its candles; defaults are not written and never replace what is there."""
    if instrument == Instrument(symbol=instrument.symbol, venue=instrument.venue):
        return
    rules = {field.name: getattr(instrument, field.name) for field in fields(Instrument)}
    content = {name: str(value) for name, value in rules.items() if value is not None}
    text = json.dumps(content, indent=2).encode() + b"\n"
    path = folder / _INSTRUMENT
    if not path.exists() or path.read_bytes() != text:
        write_bytes(path, text)


def read_instrument(folder: Path, *, venue: str, symbol: str) -> Instrument:
    """The stored instrument, or one with the default rules. Raises StorageError when its file is damaged."""
    path = folder / _INSTRUMENT
    if not path.exists():
        return Instrument(symbol=symbol, venue=venue)
    try:
        content = json.loads(path.read_bytes())
        rules = {name: Decimal(value) for name, value in content.items() if name not in ("symbol", "venue")}
        return Instrument(symbol=symbol, venue=venue, **rules)
    except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
        raise StorageError(f"{path} is damaged: {error}.", remedy="Delete it and import the candles again.") from error
