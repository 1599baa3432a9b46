"""What happens inside one candle: pure rules, pessimistic wherever a candle does not tell the order of its prices."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from triptych.domain import FillReason, Side


class Exit(NamedTuple):
    """A position is closed inside a candle. `reference` is the price before spread and slippage."""

    reference: float
    reason: FillReason
    is_maker: bool


def limit_price_reached(side: Side, limit: float, open_: float, high: float, low: float) -> float | None:
    """The price at which a resting limit order trades in this candle, None when it does not.

    The candle must trade through the limit: a mere touch does not fill, for we stand last in the queue. A candle that
    opens beyond the limit fills at its open, which is better for us and is what the book would give.
    """
    if side is Side.BUY:
        return min(limit, open_) if low < limit else None
    return max(limit, open_) if high > limit else None


def liquidation_price(quantity: Decimal, entry: Decimal, leverage: Decimal, maintenance: Decimal) -> Decimal | None:
    """Where the equity of an isolated position equals its maintenance margin; None where that is never.

    Equity = entry notional / leverage + unrealised profit. Long: entry (1 - 1/leverage) / (1 - maintenance); short:
    entry (1 + 1/leverage) / (1 + maintenance).
    """
    if quantity > 0:
        price = entry * (1 - 1 / leverage) / (1 - maintenance)
        return price if price > 0 else None
    return entry * (1 + 1 / leverage) / (1 + maintenance)


def protective_exit(
    *,
    is_long: bool,
    open_: float,
    high: float,
    low: float,
    stop: float | None,
    target: float | None,
    liquidation: float | None,
    entered_at_open: bool,
    target_counts: bool,
) -> Exit | None:
    """How a position that is open in this candle is closed by its stop, its liquidation or its target, if at all.

    - Stop and liquidation are hit by a touch; whichever the price meets first counts. They become market orders: at
      their price, or at the open when the candle opens beyond it.
    - When stop and target are both reached the stop is taken.
    - The target rests as a limit order: the candle must trade through it, and it fills at the target, never better,
      even when the candle opens beyond it. Only when the position itself was opened at an open beyond its target is
      it closed as a market order at that same open.
    - `target_counts` is False in the candle in which a limit order opened the position: its high or low may lie
      before the entry.
    """
    if is_long:
        worst = max((level for level in (stop, liquidation) if level is not None), default=None)
        if worst is not None and low <= worst:
            reason = FillReason.STOP_LOSS if worst == stop else FillReason.LIQUIDATION
            return Exit(min(open_, worst), reason, False)
        if target is not None and target_counts and high > target:
            if entered_at_open and open_ > target:
                return Exit(open_, FillReason.TAKE_PROFIT, False)
            return Exit(target, FillReason.TAKE_PROFIT, True)
        return None
    worst = min((level for level in (stop, liquidation) if level is not None), default=None)
    if worst is not None and high >= worst:
        reason = FillReason.STOP_LOSS if worst == stop else FillReason.LIQUIDATION
        return Exit(max(open_, worst), reason, False)
    if target is not None and target_counts and low < target:
        if entered_at_open and open_ < target:
            return Exit(open_, FillReason.TAKE_PROFIT, False)
        return Exit(target, FillReason.TAKE_PROFIT, True)
    return None
