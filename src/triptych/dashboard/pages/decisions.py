"""Decisions: what the model saw, what it said, what every member said, what was decided, and why."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from triptych.dashboard.room import Room, instance
from triptych.dashboard.story import Decided
from triptych.domain import Prediction, utc
from triptych.domain.signal import CLASSES, Vote

SHOWN: Final = 40


def twin(room: Room, *, symbol: str = "", acted: bool = False, search: str = "", limit: int = SHOWN) -> dict[str, Any]:
    """The newest decisions as JSON, the newest first.

    Args:
        room: to look at.
        symbol: of one instrument; empty: of all.
        acted: only those that led to an order, or to one that was held back.
        search: words, all of which must stand in instrument, time, model, reason, what was said or an order's id;
            capitals do not matter.
        limit: at most so many.
    """
    decisions = room.desk.story.decisions
    words = search.lower().split()
    chosen = [
        one
        for one in reversed(decisions)
        if (not symbol or one.symbol == symbol) and (not acted or one.orders or one.held_back) and _has(one, words)
    ][:limit]
    return {
        "instance": instance(room.desk), "kept": len(decisions),
        "acted": sum(bool(one.orders or one.held_back) for one in decisions),
        "pictures": room.pictures.trouble, "decisions": [decision_row(room, one) for one in chosen],
    }  # fmt: skip


def decision_row(room: Room, one: Decided) -> dict[str, Any]:
    """One decision as JSON."""
    prediction = one.prediction
    return {
        "seq": one.seq, "symbol": one.symbol, "close_ms": one.close_ms, "written_ms": one.written_ms,
        "model": prediction.model if prediction else "",
        "probabilities": None if prediction is None else _probabilities(prediction),
        "says": "" if prediction is None or not prediction.is_usable else _says(prediction),
        "allowed": prediction.allowed if prediction else None,
        "votes": [] if prediction is None else [
            {"model": vote.model, "says": _says(vote), **_probabilities(vote)} for vote in prediction.votes
        ],
        "agreement": None if prediction is None else agreement(one),
        "target": one.target, "exposure": one.exposure, "reason": one.reason,
        "orders": [_order(room, order_id) for order_id in one.orders], "held_back": list(one.held_back),
        "pictures": [] if prediction is None else _pictures(room, one, prediction.model),
    }  # fmt: skip


def _has(one: Decided, words: Sequence[str]) -> bool:
    if not words:
        return True
    prediction = one.prediction
    said = () if prediction is None else (prediction.model, _says(prediction) if prediction.is_usable else "")
    text = " ".join((one.symbol, utc(one.close_ms), one.reason, *said, *one.orders, *one.held_back)).lower()
    return all(word in text for word in words)


def agreement(one: Decided) -> float | None:
    """Share of the members whose likeliest class is that of the joint prediction; None without members."""
    if one.prediction is None or not one.prediction.votes:
        return None
    joint = _says(one.prediction)
    return statistics.fmean(_says(vote) == joint for vote in one.prediction.votes)


def _pictures(room: Room, one: Decided, model: str) -> list[dict[str, Any]]:
    """Where the pictures of a decision are; none where its candles or its model are not here any more."""
    rows = room.desk.candles.get(one.symbol)
    if not rows or not rows[0][0] < one.close_ms:
        return []
    found = []
    for member in room.pictures.members(model, one.identity):
        url = f"/api/decisions/{one.seq}/{quote(one.symbol, safe='')}/{quote(member, safe='')}.png"
        heat = f"{url}?heat={_says(one.prediction)}" if room.pictures.has_heat and one.prediction else None
        found.append({"member": member, "url": url, "heat": heat})
    return found


def _order(room: Room, order_id: str) -> dict[str, str]:
    life = room.desk.story.orders.get(order_id)
    return {"id": order_id, "phase": life.phase if life else "", "side": life.side if life else ""}


def _probabilities(one: Prediction | Vote) -> dict[str, float | None]:
    said = dict(zip(CLASSES, (one.probability_sell, one.probability_hold, one.probability_buy), strict=True))
    return {name: value if value == value else None for name, value in said.items()}


def _says(one: Prediction | Vote) -> str:
    said = (one.probability_sell, one.probability_hold, one.probability_buy)
    return CLASSES[max(range(3), key=said.__getitem__)]
