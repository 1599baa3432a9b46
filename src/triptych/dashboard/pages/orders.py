"""Orders: the life of each from its decision to its end, with the time in which nobody knew whether it lives."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from triptych.dashboard.desk import Desk
from triptych.dashboard.room import Room, instance
from triptych.dashboard.story import OrderLife
from triptych.dashboard.story.orders import phases_of

SHOWN: Final = 60


def twin(room: Room, *, phase: str = "", limit: int = SHOWN) -> dict[str, Any]:
    """The newest orders as JSON, the newest first; `phase` keeps those that stand there, or `was unknown`."""
    desk = room.desk
    orders, now = desk.story.orders, desk.now_ms
    wasted = [life for life in orders if life.unknown_ms(now)]
    newest = orders.newest(len(orders))
    if phase == "was unknown":
        newest = [life for life in newest if any(one == "unknown" for one, _, _ in life.phases)]
    elif phase:
        newest = [life for life in newest if life.phase == phase]
    return {
        "instance": instance(desk), "kept": len(orders), "counts": dict(Counter(life.phase for life in orders)),
        "unknown_now": sum(life.phase == "unknown" for life in orders),
        "ever_unknown": sum(any(one == "unknown" for one, _, _ in life.phases) for life in orders),
        "unknown_ms": sum(life.unknown_ms(now) for life in wasted),
        "orders": [order_row(desk, life) for life in newest[:limit]],
    }  # fmt: skip


def order_row(desk: Desk, life: OrderLife) -> dict[str, Any]:
    """One order as JSON."""
    now = desk.now_ms
    return {
        "id": life.order_id, "symbol": life.symbol, "side": life.side, "type": life.type,
        "quantity": str(life.quantity), "filled": str(life.filled), "average_price": life.average_price,
        "limit_price": None if life.limit_price is None else float(life.limit_price), "fees": float(life.fees),
        "stop": None if life.stop is None else float(life.stop),
        "target": None if life.target is None else float(life.target),
        "reduce_only": life.reduce_only, "reason": life.reason, "decided_ms": life.decided_ms,
        "phase": life.phase, "unknown_ms": life.unknown_ms(now),
        "phases": [
            {"phase": phase, "since_ms": since, "lasted_ms": lasted, "why": why}
            for phase, since, lasted, why in phases_of(life, now)
        ],
        "happenings": [{"time_ms": time_ms, "what": what} for time_ms, what in life.happenings],
    }  # fmt: skip
