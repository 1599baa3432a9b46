"""The journal and reconciliation: what was written, by whom, and whether venue and books say the same."""

from __future__ import annotations

from typing import Any, Final

from triptych.dashboard.quantiles import histograms, values
from triptych.dashboard.room import Room, instance

SHOWN: Final = 150
GROUPS: Final = {
    "decisions": ("StepRecorded",), "orders": ("OrderAnswered", "OrderRejected", "OrderCancelled"),
    "fills": ("OrderFilled", "FundingPaid"), "notes": ("NoteWritten",), "switch": ("SwitchSet",),
}  # fmt: skip
"""Kinds of entries under names that people filter by."""


def twin(room: Room, *, group: str = "", search: str = "", limit: int = SHOWN) -> dict[str, Any]:
    """The newest entries, the writers and the standing of every instrument as JSON.

    Args:
        room: to look at.
        group: one of `GROUPS`; empty: all entries.
        search: only entries in whose words this stands, whatever its case.
        limit: at most so many.
    """
    desk = room.desk
    told, state, wanted = desk.story.told, desk.state, GROUPS.get(group, ())
    lower = search.lower()
    chosen = [
        one
        for one in reversed(told)
        if (not wanted or one.kind in wanted) and (not lower or lower in f"{one.symbol} {one.words}".lower())
    ][:limit]
    samples = state["metrics"] if state else []
    appends = next(iter(histograms(samples, "triptych_journal_append_seconds")), None)
    return {
        "instance": instance(desk),
        "place": state["journal"]["place"] if state else desk.place,
        "works": state["journal"]["works"] if state else None,
        "newest": desk.story.last_seq, "kept": len(told), "last_ms": desk.story.last_ms,
        "append_p50": appends.quantile(0.5) if appends else None,
        "append_p99": appends.quantile(0.99) if appends else None,
        "writers": [{"token": token, "since_ms": since} for token, since in reversed(desk.story.writers)],
        "standings": [
            {"symbol": one["symbol"], "settled": one["settled"], "reason": one["reason"], "ours": one["quantity"],
             "venue": one["venue"]["quantity"] if one["venue"] else None}
            for one in (state["positions"] if state else ())
        ],
        "counted": sum(int(value or 0) for _, value in values(samples, "triptych_reconciliation_differences_total")),
        "differences": [
            {"time_ms": one.time_ms, "symbol": one.symbol, "words": one.words.removeprefix("reconciliation: ")}
            for one in reversed(told)
            if one.topic == "reconciliation"
        ][:30],
        "switches": [
            {"time_ms": time_ms, "switch": str(one.switch), "by": one.by, "reason": one.reason}
            for time_ms, one in reversed(desk.story.switches)
        ],
        "entries": [
            {"seq": one.seq, "time_ms": one.time_ms, "token": one.token, "kind": one.kind, "symbol": one.symbol,
             "words": one.words}
            for one in chosen
        ],
    }  # fmt: skip
