"""Level updates a second of the live book and of the compiled replay, beside sorted lists as client libraries use.

A level update is one (price, size) of a delta: a level set, inserted or deleted. The stream is invented and the same
for all: a book of 500 levels a side, deltas of 20 level updates, most of them near the best. The peer keeps floats in
two sorted lists and looks prices up by bisection; it checks neither sequence nor crossing nor sizes, all of which the
live book does. Parsing of JSON is not timed; making Decimals of text is in "from text".
"""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal

import numpy as np

from benchmarks._table import Row, alternate, main
from triptych.domain import BookUpdate
from triptych.images import create_encoding
from triptych.market.books import BookStatus, OrderBook, book_features, events_of, replay

LEVELS, PER_DELTA = 500, 20
Text = list[tuple[str, str]]


def rows(quick: bool) -> list[Row]:
    """Measure all sides."""
    n_deltas, repeats = (1_000, 3) if quick else (5_000, 9)
    texts = stream(n_deltas)
    updates = [update_of(number, message) for number, message in enumerate(texts, start=1)]
    events = events_of(updates, symbol="TEST", protocol="bybit", price_decimals=1)
    n = sum(len(bids) + len(asks) for bids, asks in texts)

    def live() -> None:
        book = OrderBook("TEST")
        for update in updates:
            assert book.apply(update).status in (BookStatus.APPLIED, BookStatus.RESET)

    def live_from_text() -> None:
        book = OrderBook("TEST")
        for number, message in enumerate(texts, start=1):
            book.apply(update_of(number, message))

    floats = [tuple([(float(p), float(s)) for p, s in side] for side in message) for message in texts]

    def peer() -> None:
        bids, asks = SortedSide(), SortedSide()
        for bid_levels, ask_levels in floats:
            for price, size in bid_levels:
                bids.store(-price, size)
            for price, size in ask_levels:
                asks.store(price, size)

    tape = replay(events, levels=20).tape
    live_s, text_s, compiled_s, peer_s, features_s = alternate(
        live, live_from_text, lambda: replay(events, levels=20), peer, lambda: book_features(tape), repeats=repeats
    )
    peer_name = "sorted lists of floats, unchecked"
    return [
        Row(name="live book, checked", ours=n / live_s, peer=n / peer_s, peer_name=peer_name, unit="levels/s"),
        Row(name="live book from text, checked", ours=n / text_s, unit="levels/s"),
        Row(
            name="compiled replay, 20 levels a message copied out",
            ours=n / compiled_s,
            peer=n / peer_s,
            peer_name=peer_name,
            unit="levels/s",
        ),
        Row(name="features, 13 a book", ours=len(tape) / features_s, unit="books/s"),
        *image_rows(tape.rows(), repeats),
    ]


class SortedSide:
    """A side as client libraries keep it: prices and sizes in two lists, best first."""

    def __init__(self) -> None:
        self.prices: list[float] = []
        self.sizes: list[float] = []

    def store(self, price: float, size: float) -> None:
        """Set, insert or delete a level."""
        at = bisect_left(self.prices, price)
        found = at < len(self.prices) and self.prices[at] == price
        if size and found:
            self.sizes[at] = size
        elif size:
            self.prices.insert(at, price)
            self.sizes.insert(at, size)
        elif found:
            del self.prices[at], self.sizes[at]


def stream(n_deltas: int, seed: int = 0) -> list[tuple[Text, Text]]:
    """A snapshot and deltas as text: (bids, asks) of each message. Prices never cross: bids below 1,000, asks above."""
    random = np.random.default_rng(seed)
    messages: list[tuple[Text, Text]] = []
    for number in range(n_deltas + 1):
        count = LEVELS if number == 0 else PER_DELTA // 2
        sides: list[Text] = []
        for sign in (-1, 1):
            near = np.arange(count) if number == 0 else np.unique(random.geometric(0.02, 3 * count))[:count]
            sizes = random.gamma(1.0, 2.0, len(near)).round(3) * (random.random(len(near)) > 0.3 * (number > 0))
            sides.append(
                [
                    (f"{1_000 + sign * (0.1 + step / 10):.2f}", f"{size:.3f}")
                    for step, size in zip(near, sizes, strict=True)
                ]
            )
        messages.append((sides[0], sides[1]))
    return messages


def update_of(number: int, message: tuple[Text, Text]) -> BookUpdate:
    """The message as the live feed would make it."""
    bids, asks = (tuple((Decimal(price), Decimal(size)) for price, size in side) for side in message)
    return BookUpdate(
        symbol="TEST", is_snapshot=number == 1, bids=bids, asks=asks, update_id=number,
        exchange_time_ns=number * 10_000_000,
    )  # fmt: skip


def image_rows(books: np.ndarray, repeats: int) -> list[Row]:
    """Images a second of the two encodings of books: 128 books of 20 levels."""
    import torch

    length, batch = 128, 32
    starts = np.linspace(0, len(books) - length, batch).astype(int)
    window = torch.tensor(np.stack([books[i : i + length] for i in starts]), dtype=torch.float32)
    table = []
    for name in ("depth_heatmap", "book_imbalance"):
        encoding = create_encoding(name, length)
        (seconds,) = alternate(lambda encoding=encoding: encoding(window), repeats=repeats)
        table.append(Row(name=f"{name}, 128 books", ours=batch / seconds, unit="images/s"))
    return table


if __name__ == "__main__":
    main(rows, "Order books: updates, replay, features and images.")
