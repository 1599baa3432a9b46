"""What somebody else has traded, as fills of ours: at what price? Pure: no clock, no input or output.

Where the fills themselves are known and make the whole difference, they are entered as they are. Otherwise the venue's
average price tells what was paid for an addition, and nothing tells what came of a reduction: it counts at the mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from triptych.domain import OrderFilled, Position, PositionReport, Side

ZERO = Decimal(0)


def adopted(
    ours: Position, report: PositionReport, fills: Sequence[OrderFilled], *, mark: Decimal, now_ms: int
) -> tuple[OrderFilled, ...]:
    """Fills that make our position that of the venue; none where both agree.

    Args:
        ours: our position.
        report: the venue's.
        fills: of strangers since both agreed last, as far as they are known.
        mark: price of now; 0 where there is none.
        now_ms: time of fills that are made up, which carry no fee.
    """
    difference = report.quantity - ours.quantity
    if not difference:
        return ()
    known = sorted(fills, key=lambda one: one.time_ms)
    if known and sum((one.side.sign * one.quantity for one in known), ZERO) == difference:
        return tuple(replace(one, order_id="") for one in known)
    taken = -ours.quantity if ours.quantity * report.quantity < 0 else difference  # a turn closes ours first
    made = []
    for number, change in enumerate((taken, difference - taken)):
        if change:
            at = _price(ours if not number else Position(symbol=ours.symbol), report, change, mark)
            made.append(OrderFilled(
                order_id="", fill_id=f"adopted-{ours.symbol}-{now_ms}{'-turn' * number}", symbol=ours.symbol,
                side=Side.BUY if change > 0 else Side.SELL, quantity=abs(change), price=at, fee=ZERO, is_maker=False,
                time_ms=now_ms, reference_price=at,
            ))  # fmt: skip
    return tuple(made)


def _price(ours: Position, report: PositionReport, change: Decimal, mark: Decimal) -> Decimal:
    """What was paid for what was added, as the venue's average says it; the mark for what was taken away."""
    somehow = next((price for price in (mark, report.entry_price, ours.entry_price) if price > 0), Decimal(1))
    if ours.quantity * change < 0:
        return somehow
    paid = report.entry_price * abs(report.quantity) - ours.entry_price * abs(ours.quantity)
    return paid / abs(change) if report.entry_price > 0 and paid > 0 else somehow
