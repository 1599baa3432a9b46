"""Round-trip trades from fills: what was gained on each part of a position that was opened and closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.backtest.result import TRADE_SCHEMA
from triptych.domain import FundingPaid, OrderFilled

ZERO = Decimal(0)


@dataclass(slots=True)
class _Lot:
    """The open position of one instrument: average entry, and the costs it still has to bear."""

    sign: int
    quantity: Decimal
    cost: Decimal
    entry_ms: int
    fees: Decimal
    funding: Decimal = ZERO


class TradeBook:
    """Turns fills and funding into trades.

    Every fill that closes makes one trade of the quantity it closes, at the average entry price, with its share of the
    entry fees and of the funding so far, and with its own fee. A fill larger than the position closes it and opens the
    opposite one; its fee is split by quantity. So the profits of all trades, those still open at the end included, sum
    to the change of the equity.
    """

    def __init__(self, open_times_ms: Mapping[str, NDArray[np.int64]]) -> None:
        """`open_times_ms`: by symbol, the open times of its candles, rising; they count the candles held."""
        self._open_times_ms = open_times_ms
        self._lots: dict[str, _Lot] = {}
        self._rows: list[dict[str, Any]] = []

    def on_fill(self, fill: OrderFilled) -> None:
        """Enter a fill."""
        lot = self._lots.get(fill.symbol)
        quantity = fill.quantity
        if lot is not None and lot.sign != fill.side.sign:
            closed = min(quantity, lot.quantity)
            self._close(fill.symbol, closed, fill.price, fill.fee * closed / fill.quantity, fill.time_ms, fill.reason)
            quantity -= closed
            lot = self._lots.get(fill.symbol)
        if not quantity:
            return
        fee = fill.fee * quantity / fill.quantity
        if lot is None:
            self._lots[fill.symbol] = _Lot(fill.side.sign, quantity, quantity * fill.price, fill.time_ms, fee)
        else:
            lot.quantity += quantity
            lot.cost += quantity * fill.price
            lot.fees += fee

    def on_funding(self, event: FundingPaid) -> None:
        """Charge funding to the open position."""
        lot = self._lots.get(event.symbol)
        if lot is not None:
            lot.funding += event.amount

    def _close(self, symbol: str, quantity: Decimal, price: Decimal, fee: Decimal, time_ms: int, reason: str) -> None:
        lot = self._lots[symbol]
        share = quantity / lot.quantity
        cost, fees, funding = lot.cost * share, lot.fees * share, lot.funding * share
        profit = lot.sign * (quantity * price - cost) - fees - fee - funding
        self._rows.append(
            {
                "symbol": symbol,
                "side": "long" if lot.sign > 0 else "short",
                "quantity": float(quantity),
                "entry_time": lot.entry_ms,
                "entry_price": float(cost / quantity),
                "exit_time": time_ms,
                "exit_price": float(price),
                "profit": float(profit),
                "return": float(profit / cost),
                "fees": float(fees + fee),
                "candles_held": self._held(symbol, lot.entry_ms, time_ms),
                "exit_reason": str(reason),
            }
        )
        if quantity == lot.quantity:
            del self._lots[symbol]
            return
        lot.quantity -= quantity
        lot.cost -= cost
        lot.fees -= fees
        lot.funding -= funding

    def _held(self, symbol: str, entry_ms: int, exit_ms: int) -> int:
        """Candles that opened in [entry, exit)."""
        entered, left = np.searchsorted(self._open_times_ms[symbol], (entry_ms, exit_ms))
        return int(left - entered)

    def finish(self, marks: Mapping[str, float], time_ms: int) -> pl.DataFrame:
        """All trades in order of their exits; what is still open is valued at its mark and marked with reason "end"."""
        for symbol, lot in list(self._lots.items()):
            self._close(symbol, lot.quantity, Decimal(repr(marks[symbol])), ZERO, time_ms, "end")
        columns = {name: [row[name] for row in self._rows] for name in TRADE_SCHEMA}
        schema: dict[str, Any] = TRADE_SCHEMA
        return pl.DataFrame(columns, schema=schema)
