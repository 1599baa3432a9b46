"""Order-book messages a second, from the text of the socket to a checked book, beside ccxt's handler.

Both sides read the same messages as JSON text: one snapshot of 500 levels a side, then deltas of about 20 levels in the
form of Bybit v5. Ours parses into Decimal, checks the update id, the sequence and the crossing of every message, and
keeps the book sorted. ccxt's own handler of its unmodified client turns them into floats in sorted lists and checks
nothing (the dictionaries come from Python's json, which ccxt uses where orjson is not installed, and from orjson).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson

from benchmarks._table import Row, alternate, main
from triptych.domain import BookUpdate
from triptych.exchanges.bybit.envelopes import Data, read_frame
from triptych.exchanges.bybit.market_messages import parse_public
from triptych.market.books import BookStatus, OrderBook

LEVELS, PER_DELTA, SYMBOL = 500, 20, "BTCUSDT"


def rows(quick: bool) -> list[Row]:
    """Measure both sides, alternating."""
    n, repeats = (1_000, 3) if quick else (5_000, 7)
    texts = messages(n)

    def ours() -> OrderBook:
        book = OrderBook(SYMBOL)
        for text in texts:
            frame = read_frame(text)
            assert isinstance(frame, Data)
            for update in parse_public(frame):
                assert isinstance(update, BookUpdate)
                assert book.apply(update).status in (BookStatus.APPLIED, BookStatus.RESET)
        return book

    peer = _ccxt_handler()
    if peer is None:
        (ours_s,) = alternate(ours, repeats=repeats)
        return [Row(name="book messages, text to checked book", ours=n / ours_s, unit="messages/s")]

    def theirs(loads: Any) -> None:
        handle = peer()
        for text in texts:
            handle(loads(text))

    ours_s, orjson_s, json_s = alternate(
        ours, lambda: theirs(orjson.loads), lambda: theirs(json.loads), repeats=repeats
    )
    name = "ccxt handle_order_book, unchecked floats"
    return [
        Row(
            name="book messages, text to checked book",
            ours=n / ours_s, peer=n / orjson_s, peer_name=f"{name}, orjson", unit="messages/s",
        ),
        Row(
            name="book messages, text to checked book",
            ours=n / ours_s, peer=n / json_s, peer_name=f"{name}, json", unit="messages/s",
        ),
    ]  # fmt: skip


def messages(n: int, seed: int = 5) -> list[str]:
    """A snapshot and n - 1 deltas; bids stay below 10 000 and asks above, so the book is never crossed."""
    random = np.random.default_rng(seed)
    snapshot = [[[f"{10_000 - sign * (k + 1) * 0.1:.1f}", f"{k + 1}.000"] for k in range(LEVELS)] for sign in (1, -1)]
    texts = [_text("snapshot", 2, snapshot[0], snapshot[1])]
    for number in range(3, n + 2):
        sides: list[list[list[str]]] = []
        for sign in (1, -1):
            steps = np.unique(np.minimum(random.geometric(0.02, PER_DELTA // 2), LEVELS))
            sizes = random.integers(0, 50, len(steps)) * (random.random(len(steps)) > 0.2)
            pairs = zip(steps, sizes, strict=True)
            sides.append([[f"{10_000 - sign * step * 0.1:.1f}", f"{size}.5" if size else "0"] for step, size in pairs])
        texts.append(_text("delta", number, sides[0], sides[1]))
    return texts


def _text(kind: str, number: int, bids: list[list[str]], asks: list[list[str]]) -> str:
    data = {"s": SYMBOL, "b": bids, "a": asks, "u": number, "seq": number}
    topic = f"orderbook.500.{SYMBOL}"
    return json.dumps({"topic": topic, "type": kind, "ts": 1_700_000_000_000 + number, "cts": 1, "data": data})


def _ccxt_handler() -> Any:
    """Makes fresh handlers of ccxt's unmodified client; None where ccxt is not installed."""
    try:
        import ccxt.pro
    except ImportError:
        return None

    class Silent:
        """What the handler needs of a connection: an address, and somebody to tell."""

        url = "wss://stream.bybit.com/v5/public/linear"

        def resolve(self, *details: Any) -> None:
            pass

    client = ccxt.pro.bybit({"options": {"defaultType": "swap"}})
    market = {
        "id": SYMBOL, "symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "settle": "USDT", "type": "swap",
        "spot": False, "margin": False, "swap": True, "future": False, "option": False, "contract": True,
        "linear": True, "inverse": False, "precision": {"price": 0.1, "amount": 0.001}, "limits": {}, "info": {},
        "baseId": "BTC", "quoteId": "USDT", "settleId": "USDT",
    }  # fmt: skip
    client.set_markets([market])

    def fresh() -> Any:
        client.orderbooks = {}
        silent = Silent()
        return lambda message: client.handle_order_book(silent, message)

    return fresh


if __name__ == "__main__":
    main(rows, "Order-book messages of Bybit: text to a checked book, beside ccxt.")
