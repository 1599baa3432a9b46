"""Backtest: replay of a recorded tape, figures, luck and verdict."""

from triptych.backtest.config import Config
from triptych.backtest.replay import run_backtest
from triptych.backtest.result import BacktestResult

__all__ = ["BacktestResult", "Config", "run_backtest"]
