"""Journals of live trading for people and their tools: what happened, in order, in a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import polars as pl

from triptych.bootstrap.files import write_frame
from triptych.domain import (
    CancelOrder,
    Command,
    FundingPaid,
    MoveStop,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
)
from triptych.domain.errors import DataError, JournalError
from triptych.domain.files import write_json, write_text
from triptych.live.journal import (
    AccountNamed,
    Entry,
    Journal,
    NoteWritten,
    OrderAnswered,
    StepRecorded,
    SwitchSet,
    place_of,
)
from triptych.live.journal.records import encode

SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "seq": pl.Int64, "time": pl.Datetime("ms", "UTC"), "token": pl.Int64, "kind": pl.String, "symbol": pl.String,
    "order_id": pl.String, "what": pl.String, "body": pl.String,
}  # fmt: skip


def journal_frame(
    where: str | Path, *, name: str | None = None, order_id: str = "", kinds: tuple[str, ...] = (), last: int = 0
) -> pl.DataFrame:
    """The entries of a journal, oldest first.

    Args:
        where: path or URL of the journal.
        name: instance; None where the journal holds only one.
        order_id: only what is told of this order.
        kinds: only these, such as StepRecorded or OrderFilled; empty for all.
        last: only the last so many; 0 for all.

    Returns:
        Frame of seq, time (UTC), token (of the writer), kind, symbol, order_id, what (in words), body (JSON).

    Raises JournalError when it cannot be read.
    """
    journal = open_journal(where, name)
    try:
        found = journal.entries(kinds=kinds, holding=order_id, limit=last or None, newest_first=bool(last))
        rows = [_row(entry) for entry in found]
    finally:
        journal.close()
    return pl.DataFrame(rows[::-1] if last else rows, schema=SCHEMA, orient="row")


def write_journal(frame: pl.DataFrame, path: Path) -> Path:
    """Write entries to .csv, .parquet or .json, atomically. Raises DataError for another ending."""
    if path.suffix == ".parquet":
        return write_frame(path, frame)
    if path.suffix == ".csv":
        return write_text(path, frame.write_csv())
    if path.suffix == ".json":
        return write_json(path, journal_rows(frame))
    raise DataError(f"Cannot write a journal to {path}.", remedy="Choose a name ending in .csv, .parquet or .json.")


def journal_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The entries as JSON-ready rows; times in ISO 8601, UTC."""
    written = frame.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    return [{**row, "body": json.loads(row["body"])} for row in written.to_dicts()]


def open_journal(where: str | Path, name: str | None) -> Journal:
    """The journal of an instance, for reading; `name` None where it holds only one. Raises JournalError."""
    return Journal.read(where, only_name(where, name))


def only_name(where: str | Path, name: str | None = None) -> str:
    """The instance that a journal is of, where it is not named. Raises JournalError when there are several."""
    if name is not None:
        return name
    journal = Journal.read(where, "")
    try:
        names = journal.names()
    finally:
        journal.close()
    if len(names) > 1:
        raise JournalError(
            f"{place_of(where)} holds {len(names)} instances: {', '.join(names)}.", remedy="Say which: `--name`."
        )
    return names[0] if names else ""


def _row(entry: Entry) -> tuple[Any, ...]:
    record = entry.record
    kind, body = encode(record)
    symbol, order_id = getattr(record, "symbol", ""), getattr(record, "order_id", "")
    return entry.seq, entry.time_ms, entry.token, kind, symbol, order_id, entry_words(entry), body


def entry_words(entry: Entry) -> str:
    """An entry in words, for people."""
    record = entry.record
    if isinstance(record, StepRecorded):
        said = [f"{one.symbol} {one.target:+.2f}: {one.reason}" for one in record.decisions]
        said += [f"sends {_command(one)}" for one in record.commands]
        said += [f"held back {one.order_id}: {one.reason}" for one in record.denials]
        return "; ".join(said) or "nothing to decide yet"
    if isinstance(record, OrderFilled):
        return f"{record.side} {record.quantity} at {record.price}, fee {record.fee} ({record.reason})"
    if isinstance(record, OrderAnswered):
        return f"{record.command}: {record.outcome}" + (f", {record.text}" if record.text else "")
    if isinstance(record, OrderRejected | OrderCancelled):
        return f"{'rejected' if isinstance(record, OrderRejected) else 'ended'}: {record.reason or 'as it was'}"
    if isinstance(record, FundingPaid):
        return f"funding {record.amount}"
    if isinstance(record, AccountNamed):
        return f"everything here happens on {record.world}, account {record.account or 'without a number'}"
    if isinstance(record, SwitchSet):
        return f"{record.by} set the switch to {record.switch}: {record.reason}"
    assert isinstance(record, NoteWritten)
    return f"{record.topic}: {record.text}"


def _command(command: Command) -> str:
    if isinstance(command, MoveStop):
        return f"the stop of {command.order_id} moved to {command.stop_loss}"
    if isinstance(command, CancelOrder):
        return f"a withdrawal of {command.order_id}"
    price = f" at {command.limit_price}" if command.limit_price is not None else ""
    stop = f", stop {command.stop_loss}" if command.stop_loss is not None else ""
    return f"{command.side} {command.quantity} {command.symbol}{price}{stop} ({command.order_id})"
