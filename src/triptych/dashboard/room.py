"""What every page is drawn from, and what every page says at its top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from triptych.dashboard.desk import Desk
from triptych.dashboard.library import Library
from triptych.dashboard.pictures import Pictures

SILENT_S: Final = 10.0
"""Without an answer for so long a session counts as silent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Everything there is to look at.

    Attributes:
        desk: the live session or its journal.
        pictures: what models saw.
        library: finished runs.
    """

    desk: Desk
    pictures: Pictures
    library: Library


def instance(desk: Desk) -> dict[str, Any]:
    """The instance as every page and every twin names it.

    `status` is one of: none (nothing is followed), waiting (not heard of yet), silent (no answer any more), ready,
    blocked (no decision may be taken, see `reasons`), closing, killed, ended (a journal without a session).
    """
    state = desk.state
    last = desk.story.switches[-1][1] if desk.story.switches else None
    switch = state["switch"]["state"] if state else (str(last.switch) if last else "run")
    return {
        "name": desk.name, "is_live": desk.is_live, "status": _status(desk, switch),
        "venue": state["venue"] if state else "", "world": state.get("world", "") if state else "",
        "timeframe": state["timeframe"] if state else "",
        "symbols": list(desk.symbols), "switch": switch, "now_ms": desk.now_ms,
        "market_ms": state["market_ms"] if state else desk.now_ms,
        "closing": closing(desk),
        "reasons": dict(state["reasons"]) if state else {},
        "held": dict(state.get("held", {})) if state else {},
        "trouble": desk.trouble, "silent_s": round(desk.silent_s, 1) if desk.trouble else 0.0,
        "is_reading": desk.is_reading,
    }  # fmt: skip


def closing(desk: Desk) -> dict[str, Any] | None:
    """After a kill, what is not closed yet: by whom and why it was killed, what is pending, an instrument each, what
    went wrong at the last attempt, and the orders that it sent. None once the venue holds nothing, and without a kill.
    """
    switch = desk.state["switch"] if desk.state else None
    if switch is None or switch["state"] != "killed":
        return None
    closure = switch.get("closure")
    if closure is None:  # the first attempt is under way
        closure = {"closed": False, "pending": [], "problems": [], "orders": []}
    if closure["closed"]:
        return None
    told = {name: list(closure[name]) for name in ("pending", "problems", "orders")}
    return {"by": switch.get("by", ""), "reason": switch.get("reason", ""), **told}


def _status(desk: Desk, switch: str) -> str:
    if not desk.has_instance:
        return "none"
    if desk.is_live and desk.state is None:
        return "waiting"
    if desk.is_live and desk.silent_s > SILENT_S:
        return "silent"
    if not desk.is_live:
        return "ended"
    assert desk.state is not None
    if switch == "killed":
        return "killed"
    if switch == "close_only":
        return "closing"
    return "ready" if desk.state["ready"] else "blocked"
