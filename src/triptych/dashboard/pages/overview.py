"""The live overview: may it trade, what does it hold, where are the stops, how does the account stand."""

from __future__ import annotations

import itertools
from typing import Any, Final

from triptych.dashboard.desk import Desk
from triptych.dashboard.pages.decisions import decision_row
from triptych.dashboard.pages.orders import order_row
from triptych.dashboard.quantiles import values
from triptych.dashboard.room import Room, closing, instance
from triptych.domain import Position, Timeframe

CANDLES: Final = 180
POINTS: Final = 500
LATEST: Final = 6


def twin(room: Room, symbol: str = "") -> dict[str, Any]:
    """Instance, account, fallback, positions, chart of one instrument, equity and newest decision as JSON."""
    desk = room.desk
    shown = symbol if symbol in desk.symbols else next(iter(desk.symbols), "")
    newest = next((one for one in reversed(desk.story.decisions) if one.symbol == shown), None)
    return {
        "instance": instance(desk),
        "account": _account(desk),
        "fallback": _fallback(desk),
        "positions": _positions(desk),
        "symbol": shown,
        "chart": _chart(desk, shown),
        "equity": _equity(desk),
        "decision": None if newest is None else decision_row(room, newest),
        "orders": [order_row(desk, life) for life in desk.story.orders.newest(LATEST)],
    }


def _account(desk: Desk) -> dict[str, Any] | None:
    story, state = desk.story, desk.state
    if state is None and not story.moments:
        return None
    moments = story.moments
    equity = state["account"]["equity"] if state else moments[-1].equity
    initial = state["account"]["initial"] if state else story.initial_capital
    # Moments are those of the newest entries; the highest equity may be older, and every step carries it on.
    recorded = [] if story.last_step is None else [story.last_step.peak_equity]
    peak = max([*(one.equity for one in moments), *recorded, equity])
    found = {
        "equity": equity, "initial": initial, "profit": equity - initial if initial is not None else None,
        "return": equity / initial - 1 if initial else None,
        "drawdown": 1 - equity / peak if peak > 0 else 0.0,
        "exposure": moments[-1].exposure if moments else 0.0,
    }  # fmt: skip
    if state:
        found |= {name: state["account"][name] for name in ("realised", "unrealised", "fees", "funding")}
        exposures = [value or 0.0 for _, value in values(state["metrics"], "triptych_exposure_ratio")]
        found["exposure"] = sum(exposures) if exposures else found["exposure"]
    elif story.last_step is not None:
        portfolio = story.last_step.state.portfolio
        found |= {
            "realised": float(portfolio.realised), "fees": float(portfolio.fees), "funding": float(portfolio.funding),
            "unrealised": sum(one["unrealised"] for one in _positions(desk)),
        }  # fmt: skip
    return found


def _fallback(desk: Desk) -> dict[str, Any] | None:
    """Which model is on duty: the place of the first that is not off, counted from 0."""
    if desk.state is None:
        return None
    models, level = desk.state["models"], desk.state["on_duty"]
    answered = next((value for _, value in values(desk.state["metrics"], "triptych_fallback_level")), None)
    return {
        "level": level, "of": len(models), "name": models[level]["name"] if level < len(models) else "none",
        "answered": None if answered is None or not desk.story.decisions else int(answered),
        "models": [{key: one[key] for key in ("name", "off_duty", "busy", "failures")} for one in models],
    }  # fmt: skip


def _positions(desk: Desk) -> list[dict[str, Any]]:
    if desk.state is not None:
        pending = (closing(desk) or {"pending": []})["pending"]
        return [
            {**one, "protection": _protection(one), "closing": _of_symbol(pending, one["symbol"])}
            for one in desk.state["positions"]
        ]
    step = desk.story.last_step
    if step is None:
        return []
    portfolio = step.state.portfolio
    marks, positions = dict(portfolio.marks), {one.symbol: one for one in portfolio.positions}
    for fill in desk.story.fills_since:
        positions[fill.symbol] = positions.get(fill.symbol, Position(symbol=fill.symbol)).after(fill)[0]
    return [
        {
            "symbol": held.symbol, "quantity": str(held.quantity), "entry": float(held.entry_price),
            "mark": marks.get(held.symbol, 0.0),
            "unrealised": float(held.quantity) * (marks.get(held.symbol, 0.0) - float(held.entry_price)),
            "stop": _stop(step.stops, held.symbol, 0), "target": _stop(step.stops, held.symbol, 1),
            "settled": None, "reason": "", "data_age_s": None, "venue": None, "protection": "unasked", "closing": [],
        }
        for held in positions.values()
    ]  # fmt: skip


def _of_symbol(told: list[str], symbol: str) -> list[str]:
    """What is told of one instrument, without its name."""
    return [text.removeprefix(f"{symbol}: ") for text in told if text.startswith(f"{symbol}: ")]


def _protection(position: dict[str, Any]) -> str:
    """flat, unasked (the venue has not been asked), stopped (its stop is there), missing (it should be), or none."""
    if float(position["quantity"]) == 0:
        return "flat"
    if position["venue"] is None:
        return "unasked"
    if position["venue"]["stop"] is not None:
        return "stopped"
    return "missing" if position["stop"] is not None else "none"


def _stop(stops: Any, symbol: str, place: int) -> float | None:
    value = stops.get(symbol, (None, None))[place]
    return None if value is None else float(value)


def _chart(desk: Desk, symbol: str) -> dict[str, Any]:
    rows = [list(row) for row in desk.candles.get(symbol, [])[-CANDLES:]]
    start = rows[0][0] if rows else 0
    step = _step_ms(desk, rows)
    position = next((one for one in _positions(desk) if one["symbol"] == symbol), None)
    venue_stop = position["venue"]["stop"] if position and position["venue"] else None
    return {
        "symbol": symbol, "candles": rows, "step_ms": step,
        "fills": [
            {
                "time_ms": fill.time_ms, "side": str(fill.side), "price": float(fill.price),
                "quantity": float(fill.quantity), "reason": str(fill.reason),
            }
            for fill in desk.story.fills
            if fill.symbol == symbol and fill.time_ms >= start
        ],
        "stops": [
            [one.time_ms, dict(one.stops).get(symbol)] for one in desk.story.moments if one.time_ms >= start
        ],
        "entry": position["entry"] if position and float(position["quantity"]) else None,
        "venue_stop": venue_stop,
        "venue_target": position["venue"]["target"] if position and position["venue"] else None,
    }  # fmt: skip


def _step_ms(desk: Desk, rows: list[list[float]]) -> int:
    if desk.state is not None:
        return Timeframe.parse(desk.state["timeframe"]).milliseconds
    steps = [int(after[0] - before[0]) for before, after in itertools.pairwise(rows)]
    return min(steps, default=0)


def _equity(desk: Desk) -> list[list[float]]:
    """(time, equity), thinned evenly to a drawing's points; the newest is always there."""
    moments = list(desk.story.moments)
    every = max(1, -(-len(moments) // POINTS))
    kept = moments[::-1][::every][::-1]
    return [[one.time_ms, round(one.equity, 4)] for one in kept]
