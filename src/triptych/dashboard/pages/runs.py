"""Finished runs: backtests with their verdicts, searches with their leaderboards."""

from __future__ import annotations

from typing import Any

from triptych.dashboard.room import Room, instance


def twin(room: Room) -> dict[str, Any]:
    """Runs and searches of the folder of runs as JSON."""
    return {"instance": instance(room.desk), **room.library.content()}
