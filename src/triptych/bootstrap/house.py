"""A house that is put together, and what a session of it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.bootstrap.hindsight import Hindsight, hindsight_behind
from triptych.bootstrap.session_models import Models
from triptych.domain import OrderFilled, utc
from triptych.exchanges.simulated.gateway import SimulatedGateway
from triptych.live.control import SessionView, Watched
from triptych.live.failover import Ladder
from triptych.live.gate import Gate
from triptych.live.journal import Journal, StepRecorded
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
    gate: Gate
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
    note: Callable[[str, str, str, str], None]


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
        hindsight: how much of what the journal tells of the models had learned from.
    """

    decisions: int
    held_back: int
    fills: int
    equity: float
    last_close: str
    positions: dict[str, str]
    journal: str
    hindsight: Hindsight

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**vars(self), "hindsight": self.hindsight.to_dict()}


def outcome_of(house: House, models: Models, *, on_tape: bool = False) -> Outcome:
    """What a session of some models that has ended did, on a tape or a venue; the journal is closed."""
    portfolio = house.engine.portfolio
    fills = sum(1 for _ in house.journal.entries(kinds=(OrderFilled,)))
    last_close = house.trader.books.last_close_ms
    outcome = Outcome(
        decisions=house.runner.decisions, held_back=house.trader.held_back, fills=fills, equity=portfolio.equity(),
        last_close=utc(last_close) if last_close >= 0 else "",
        positions={one: f"{portfolio.position(one).quantity.normalize():f}" for one in house.trader.standings},
        journal=house.journal.place,
        hindsight=hindsight_behind(models, house.journal, on_tape=on_tape),
    )  # fmt: skip
    house.journal.close()
    return outcome


def resume_on_paper(house: House, gateway: SimulatedGateway) -> None:
    """The paper account of the last session, as its journal tells it."""
    if house.journal.last(StepRecorded) is None:
        return
    books = house.trader.books
    books.recover()
    portfolio = books.engine.portfolio
    held = [portfolio.position(symbol) for symbol in house.trader.standings]
    fills = sum(1 for _ in house.journal.entries(kinds=(OrderFilled,)))
    gateway.resume(portfolio.cash, [one for one in held if one.quantity], books.stops, fills)
