"""A house that is put together, and what a session of it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.live.control import SessionView, Watched
from triptych.live.failover import Ladder
from triptych.live.journal import Journal
from triptych.live.monitoring import Alerts, Metrics
from triptych.live.reloading import Reloader
from triptych.live.runner import Runner
from triptych.live.trader import Trader
from triptych.settings.live import LiveSettings
from triptych.trading.engine import Engine


@dataclass(frozen=True, kw_only=True)
class House:
    """A house that is put together and has not started."""

    runner: Runner
    trader: Trader
    engine: Engine
    ladder: Ladder
    journal: Journal
    metrics: Metrics
    alerts: Alerts
    view: SessionView
    candles: Watched
    journal_at: str | Path
    reloaders: Sequence[Reloader]
    settings: LiveSettings


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a session did, and where the books stand.

    Attributes:
        decisions: closes that were decided on.
        held_back: orders that the last gate did not let through.
        fills: in the journal, of earlier sessions too.
        equity: quote currency.
        last_close: of the candles decided on last, UTC.
        positions: signed quantities by symbol.
        journal: where it is.
    """

    decisions: int
    held_back: int
    fills: int
    equity: float
    last_close: str
    positions: dict[str, str]
    journal: str

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return dict(vars(self))
