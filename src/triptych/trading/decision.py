"""What the engine tells and remembers: its decisions, and all of itself for the journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from triptych.domain import OrderDenied, Prediction
from triptych.trading.desk import DeskState
from triptych.trading.guard import GuardActed, Watched
from triptych.trading.portfolio import PortfolioState
from triptych.trading.risk import RiskState


class Decision(NamedTuple):
    """What was decided at the close of one candle, and why: one for every candle whose window is full.

    `target` is the strategy's (0 where a limit overrules it), `exposure` what sizing made of it.
    """

    symbol: str
    time_ms: int
    prediction: Prediction | None
    target: float
    exposure: float
    reason: str


Observer = Callable[[Decision | OrderDenied | GuardActed], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineState:
    """All the engine remembers but the candles, which come back from history. Plain values, fit for a journal."""

    portfolio: PortfolioState
    risk: RiskState
    desks: tuple[DeskState, ...]
    guard: tuple[Watched, ...] = ()
