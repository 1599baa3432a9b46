"""Bitstamp order-by-order events (created, changed, deleted) added up to a book of levels.

Orders that rested before the recording began are unknown: the book starts empty and is whole only after they have
gone, and events of such orders are passed over. Of an order that takes liquidity the venue announces the whole size
first and the fills afterwards, so for some 0.1 s its level crosses the other side; the replay leaves those moments out.
A crossing that lasts longer than `PATIENCE_MS` means that a deletion was lost: the order that has rested longer is
taken out.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from triptych.market.books.events import ABSENT, BookEvents
from triptych.market.books.formats.flat import symbol_in_name
from triptych.market.books.formats.tables import choices, integers, numbers, read_parquet, require
from triptych.market.books.formats.tardis import float_decimals

COLUMNS: Final = ("id", "timestamp", "exchange_timestamp", "price", "volume_1e8", "action", "direction")
PATIENCE_MS: Final = 1_000
SIZE_SCALE: Final = 10**8
_CREATED, _CHANGED, _DELETED = range(3)


@dataclass(kw_only=True, slots=True)
class OrderCounts:
    """What was met on the way: events, events of unknown orders, and resting orders taken out of a crossed book."""

    events: int = 0
    unknown_orders: int = 0
    stale_orders_removed: int = 0


@dataclass(kw_only=True, slots=True)
class _Orders:
    """Orders by id and sizes by level; prices in ticks, sizes in 1e-8."""

    orders: dict[int, tuple[bool, int, int]] = field(default_factory=dict)
    totals: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    levels: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))  # the same levels, rising
    touched: list[tuple[bool, int]] = field(default_factory=list)

    def remove(self, order_id: int) -> bool:
        """Take an order out; False when it is unknown."""
        order = self.orders.pop(order_id, None)
        if order is None:
            return False
        is_ask, tick, size = order
        self._change(is_ask, tick, -size)
        return True

    def put(self, order_id: int, is_ask: bool, tick: int, size: int) -> None:
        self.orders[order_id] = (is_ask, tick, size)
        self._change(is_ask, tick, size)

    def is_crossed(self) -> bool:
        bids, asks = self.levels
        return bool(bids and asks and bids[-1] >= asks[0])

    def oldest_at_the_touch(self) -> int:
        """The order that has rested longest among those at the best bid and the best ask."""
        best = {(False, self.levels[0][-1]), (True, self.levels[1][0])}
        return next(key for key, (is_ask, tick, _) in self.orders.items() if (is_ask, tick) in best)

    def _change(self, is_ask: bool, tick: int, size: int) -> None:
        totals, levels = self.totals[is_ask], self.levels[is_ask]
        if tick not in totals:
            insort(levels, tick)
        totals[tick] = totals.get(tick, 0) + size
        if totals[tick] == 0:
            del totals[tick]
            del levels[bisect_left(levels, tick)]
        self.touched.append((is_ask, tick))


def read_orders(path: Path, *, symbol: str | None = None) -> tuple[BookEvents, OrderCounts]:
    """The stream of levels, one message for each event that changed one, and what was met on the way.

    Raises ColumnError when a column is missing, DataError (row and column) for a value that cannot be.
    """
    table = read_parquet(path)
    require(table, COLUMNS, path)
    prices = numbers(table, "price", path, header_rows=0)
    decimals = float_decimals(prices, str(path))
    actions = choices(
        table, "action", {"created": _CREATED, "changed": _CHANGED, "deleted": _DELETED}, path, header_rows=0
    )
    sides = choices(table, "direction", {"bid": 0, "ask": 1}, path, header_rows=0)
    local_ns = table["timestamp"].dt.epoch("ns").to_list()
    ids, sizes = (integers(table, name, path, header_rows=0).tolist() for name in ("id", "volume_1e8"))
    ticks = np.rint(prices * 10**decimals).astype(np.int64).tolist()
    book, counts = _Orders(), OrderCounts(events=len(table))
    levels: list[tuple[bool, int, int]] = []
    starts, times = [0, 0], [local_ns[0] if local_ns else 0]  # an empty snapshot opens the stream
    crossed_since_ns: int | None = None
    rows = zip(ids, actions.tolist(), sides.tolist(), ticks, sizes, local_ns, strict=True)
    for order_id, action, is_ask, tick, size, now_ns in rows:
        known = book.remove(order_id)
        if action != _CREATED and not known:
            counts.unknown_orders += 1
            continue
        if action != _DELETED and size > 0:
            book.put(order_id, bool(is_ask), tick, size)
        crossed_since_ns = (crossed_since_ns or now_ns) if book.is_crossed() else None
        if crossed_since_ns is not None and now_ns - crossed_since_ns > PATIENCE_MS * 1_000_000:
            while book.is_crossed():
                book.remove(book.oldest_at_the_touch())
                counts.stale_orders_removed += 1
            crossed_since_ns = None
        levels += [(side, level, book.totals[side].get(level, 0)) for side, level in dict.fromkeys(book.touched)]
        book.touched.clear()
        starts.append(len(levels))
        times.append(now_ns)
    n = len(times)
    absent = np.full(n, ABSENT, dtype=np.int64)
    is_snapshot = np.zeros(n, dtype=np.bool_)
    is_snapshot[0] = True
    events = BookEvents(
        symbol=symbol or symbol_in_name(path), protocol="none", price_decimals=decimals, is_snapshot=is_snapshot,
        update_id=absent, first_update_id=absent, previous_update_id=absent, sequence=absent,
        # The venue's own time is that of the order's creation, in whole seconds: no time of the change.
        exchange_time_ns=absent, local_time_ns=np.array(times, dtype=np.int64),
        level_start=np.array(starts, dtype=np.int64),
        is_ask=np.array([side for side, _, _ in levels], dtype=np.bool_),
        price_ticks=np.array([tick for _, tick, _ in levels], dtype=np.int64),
        sizes=np.array([size for _, _, size in levels], dtype=np.float64) / SIZE_SCALE,
    )  # fmt: skip
    return events, counts
