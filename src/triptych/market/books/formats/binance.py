"""Raw captures of Binance USD-margined futures: `<receive ns> <json>` a line, as hftbacktest's collector writes them.

Lines are diff-depth messages (`depthUpdate`), REST depth snapshots (`lastUpdateId`), trades and others. A snapshot does
not name its instrument: it belongs to the one the file is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from triptych.domain import BookUpdate
from triptych.market.books.formats.lines import (
    MESSAGE_ERRORS,
    bad_message,
    is_message,
    numbered_lines,
    pairs,
    parse_json,
    tell_unreadable,
)

NS_PER_MS: Final = 1_000_000


def read_updates(path: Path, unreadable: list[int] | None = None) -> Iterator[BookUpdate]:
    """Depth messages and snapshots in the order of the file; a snapshot's symbol is empty. DataError names the line.

    Lines that are no messages at all are told by a warning, and their numbers added to `unreadable`.
    """
    for number, receive_ns, message in _messages(path, ("depthUpdate", "lastUpdateId"), unreadable):
        try:
            if "lastUpdateId" in message:
                yield parse_snapshot(message, symbol="", local_time_ns=receive_ns)
            else:
                yield parse_depth(message["data"], local_time_ns=receive_ns)
        except MESSAGE_ERRORS as error:
            raise bad_message(path, number, error) from error


def read_trade_messages(path: Path) -> Iterator[tuple[str, int, float, float, int]]:
    """Trades as (symbol, time in ms, price, size, side of the aggressor). DataError names the line."""
    for number, _, message in _messages(path, ('"e":"trade"', '"e":"aggTrade"')):
        try:
            trade = message["data"]
            if trade.get("X", "MARKET") != "MARKET":  # insurance fund and auto-deleveraging are no trades in the book
                continue
            side = -1 if trade["m"] else 1
            yield trade["s"], int(trade["T"]), float(trade["p"]), float(trade["q"]), side
        except MESSAGE_ERRORS as error:
            raise bad_message(path, number, error) from error


def parse_depth(data: dict[str, Any], *, local_time_ns: int | None) -> BookUpdate:
    """The `data` of a diff-depth message.

    The venue's time is `E`, when it sent the message; at `T`, when the match happened, nobody could know of it yet.
    """
    return BookUpdate(
        symbol=data["s"], is_snapshot=False, bids=pairs(data["b"]), asks=pairs(data["a"]), update_id=int(data["u"]),
        first_update_id=int(data["U"]), previous_update_id=int(data["pu"]),
        exchange_time_ns=int(data["E"]) * NS_PER_MS, local_time_ns=local_time_ns,
    )  # fmt: skip


def parse_snapshot(message: dict[str, Any], *, symbol: str, local_time_ns: int | None) -> BookUpdate:
    """The reply of `GET /fapi/v1/depth`."""
    return BookUpdate(
        symbol=symbol, is_snapshot=True, bids=pairs(message["bids"]), asks=pairs(message["asks"]),
        update_id=int(message["lastUpdateId"]), exchange_time_ns=int(message["E"]) * NS_PER_MS,
        local_time_ns=local_time_ns,
    )  # fmt: skip


def _messages(
    path: Path, kinds: tuple[str, ...], unreadable: list[int] | None = None
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    strange: list[int] = []
    for number, line in numbered_lines(path):
        receive, _, text = line.partition(" ")
        if any(kind in line for kind in kinds):
            message = parse_json(text, path, number)
            try:
                receive_ns = int(receive)
            except ValueError as error:
                raise bad_message(path, number, error) from error
            yield number, receive_ns, message
        elif not (receive.isdigit() and is_message(text)):
            strange.append(number)
    tell_unreadable(path, strange)
    if unreadable is not None:
        unreadable.extend(strange)
