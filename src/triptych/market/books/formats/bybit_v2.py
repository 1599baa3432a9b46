"""Captures of Bybit's protocol before v5: `<receive seconds>: <json>` a line, topics orderBookL2_25 and trade.

A snapshot is a list of levels, or on linear contracts an object with `order_book`; a delta has the lists delete, update
and insert. `cross_seq` rises but not by one, so a loss cannot be seen. Sizes of linear contracts went through 32-bit
floats at the venue and are written that way (13.329999); of inverse ones they are US dollars.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from triptych.domain import BookUpdate
from triptych.market.books.formats.lines import (
    MESSAGE_ERRORS,
    bad_message,
    is_message,
    numbered_lines,
    parse_json,
    tell_unreadable,
)

Levels = tuple[tuple[Decimal, Decimal], ...]


def read_updates(path: Path, unreadable: list[int] | None = None) -> Iterator[BookUpdate]:
    """Order-book messages of all instruments in the order of the file. DataError names the line.

    Lines that are no messages at all are told by a warning, and their numbers added to `unreadable`.
    """
    for number, receive_ns, message in _messages(path, "orderBookL2_25.", unreadable):
        try:
            yield parse_message(message, local_time_ns=receive_ns)
        except MESSAGE_ERRORS as error:
            raise bad_message(path, number, error) from error


def read_trade_messages(path: Path) -> Iterator[tuple[str, int, float, float, int]]:
    """Trades as (symbol, time in ms, price, size, side of the aggressor). DataError names the line."""
    for number, _, message in _messages(path, "trade."):
        try:
            for trade in message["data"]:
                side = {"Buy": 1, "Sell": -1}[trade["side"]]
                yield trade["symbol"], int(trade["trade_time_ms"]), float(trade["price"]), float(trade["size"]), side
        except MESSAGE_ERRORS as error:
            raise bad_message(path, number, error) from error


def parse_message(message: dict[str, Any], *, local_time_ns: int | None) -> BookUpdate:
    """A message of `orderBookL2_25.{symbol}`."""
    data = message["data"]
    is_snapshot = {"snapshot": True, "delta": False}[message["type"]]
    if is_snapshot:
        entries = data["order_book"] if isinstance(data, dict) else data
    else:
        gone = [{**entry, "size": 0} for entry in data["delete"]]
        entries = [*gone, *data["update"], *data["insert"]]
    return BookUpdate(
        symbol=message["topic"].partition(".")[2], is_snapshot=is_snapshot,
        bids=_side(entries, "Buy"), asks=_side(entries, "Sell"), sequence=int(message["cross_seq"]),
        exchange_time_ns=int(message["timestamp_e6"]) * 1_000, local_time_ns=local_time_ns,
    )  # fmt: skip


def _side(entries: list[dict[str, Any]], side: str) -> Levels:
    return tuple((Decimal(x["price"]), Decimal(str(x["size"]))) for x in entries if x["side"] == side)


def _messages(path: Path, topic: str, unreadable: list[int] | None = None) -> Iterator[tuple[int, int, dict[str, Any]]]:
    strange: list[int] = []
    for number, line in numbered_lines(path):
        receive, _, text = line.partition(": ")
        if f'"topic":"{topic}' in line:
            message = parse_json(text, path, number)
            try:
                receive_ns = int(Decimal(receive).scaleb(9))
            except MESSAGE_ERRORS as error:
                raise bad_message(path, number, error) from error
            yield number, receive_ns, message
        elif not (receive.replace(".", "", 1).isdigit() and is_message(text)):
            strange.append(number)
    tell_unreadable(path, strange)
    if unreadable is not None:
        unreadable.extend(strange)
