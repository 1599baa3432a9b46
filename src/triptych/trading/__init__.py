"""Trading: engine, sizing, portfolio, risk and execution. One loop for backtest, paper and live."""

from triptych.trading.decision import Decision, EngineState, Observer
from triptych.trading.engine import Engine
from triptych.trading.guard import Guard, GuardActed
from triptych.trading.portfolio import Portfolio

__all__ = ["Decision", "Engine", "EngineState", "Guard", "GuardActed", "Observer", "Portfolio"]
