"""Bybit v5: captured stream messages (a JSON a line, or one in a file) and the reply of GET /v5/market/orderbook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from triptych.domain import BookUpdate
from triptych.market.books.formats.lines import (
    MESSAGE_ERRORS,
    bad_message,
    numbered_lines,
    pairs,
    parse_json,
    read_text,
)

NS_PER_MS: Final = 1_000_000


def read_updates(path: Path) -> Iterator[BookUpdate]:
    """Order-book messages in the order of the file; other topics are passed over. DataError names the line."""
    for number, message in _messages(path):
        try:
            if "result" in message:
                yield parse_reply(message)
            elif str(message.get("topic", "")).startswith("orderbook."):
                yield parse_message(message)
        except MESSAGE_ERRORS as error:
            raise bad_message(path, number, error) from error


def read_trade_messages(path: Path) -> Iterator[tuple[str, int, float, float, int]]:
    """Trades as (symbol, time in ms, price, size, side of the aggressor). DataError names the line."""
    for number, message in _messages(path):
        try:
            if str(message.get("topic", "")).startswith("publicTrade."):
                for trade in message["data"]:
                    side = {"Buy": 1, "Sell": -1}[trade["S"]]
                    yield trade["s"], int(trade["T"]), float(trade["p"]), float(trade["v"]), side
        except MESSAGE_ERRORS as error:
            raise bad_message(path, number, error) from error


def parse_message(message: dict[str, Any], *, local_time_ns: int | None = None) -> BookUpdate:
    """A message of `orderbook.{depth}.{symbol}`. The venue's time is `ts`, when it made the message."""
    data = message["data"]
    return BookUpdate(
        symbol=data["s"], is_snapshot={"snapshot": True, "delta": False}[message["type"]],
        bids=pairs(data["b"]), asks=pairs(data["a"]), update_id=int(data["u"]),
        sequence=None if data.get("seq") is None else int(data["seq"]),
        exchange_time_ns=int(message["ts"]) * NS_PER_MS, local_time_ns=local_time_ns,
    )  # fmt: skip


def parse_reply(message: dict[str, Any], *, local_time_ns: int | None = None) -> BookUpdate:
    """The reply of the REST call: a snapshot."""
    result = message["result"]
    return BookUpdate(
        symbol=result["s"], is_snapshot=True, bids=pairs(result["b"]), asks=pairs(result["a"]),
        update_id=int(result["u"]), sequence=None if result.get("seq") is None else int(result["seq"]),
        exchange_time_ns=int(result["ts"]) * NS_PER_MS, local_time_ns=local_time_ns,
    )  # fmt: skip


def _messages(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = list(numbered_lines(path))
    if len(lines) > 1 and not lines[0][1].rstrip().endswith("}"):
        yield 1, parse_json(read_text(path), path, 1)
        return
    for number, line in lines:
        yield number, parse_json(line, path, number)
