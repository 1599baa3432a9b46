"""The only place that picks real parts and joins them: what the command line, examples and notebooks call.

Each name is imported when it is first asked for: who draws pictures need not wait for the libraries of training.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from triptych.bootstrap.ablating import Ablation, ablate
    from triptych.bootstrap.backtesting import backtest
    from triptych.bootstrap.candles import Candles, load_candles
    from triptych.bootstrap.evaluating import evaluate
    from triptych.bootstrap.journals import journal_frame, write_journal
    from triptych.bootstrap.living import trade_on_paper
    from triptych.bootstrap.predicting import predict, prediction_rows, require_known_ending, write_predictions
    from triptych.bootstrap.probing import leak_probe
    from triptych.bootstrap.reporting import Written, report
    from triptych.bootstrap.run_folder import Run, open_run
    from triptych.bootstrap.training import train

__all__ = [
    "Ablation",
    "Candles",
    "Run",
    "Written",
    "ablate",
    "backtest",
    "evaluate",
    "journal_frame",
    "leak_probe",
    "load_candles",
    "open_run",
    "predict",
    "prediction_rows",
    "report",
    "require_known_ending",
    "trade_on_paper",
    "train",
    "write_journal",
    "write_predictions",
]

_HOMES: Final = {
    "ablating": ("Ablation", "ablate"),
    "backtesting": ("backtest",),
    "candles": ("Candles", "load_candles"),
    "evaluating": ("evaluate",),
    "journals": ("journal_frame", "write_journal"),
    "living": ("trade_on_paper",),
    "predicting": ("predict", "prediction_rows", "require_known_ending", "write_predictions"),
    "probing": ("leak_probe",),
    "reporting": ("Written", "report"),
    "run_folder": ("Run", "open_run"),
    "training": ("train",),
}
_PLACES: Final = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value
