"""The only place that picks real parts and joins them: what the command line, examples and notebooks call."""

from __future__ import annotations

from typing import Any

from triptych.bootstrap.ablating import Ablation, ablate
from triptych.bootstrap.backtesting import backtest
from triptych.bootstrap.candles import Candles, load_candles
from triptych.bootstrap.files import EVALUATION_KEYS, read_json
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
    "leak_probe",
    "load_candles",
    "open_run",
    "predict",
    "prediction_rows",
    "report",
    "require_known_ending",
    "train",
    "write_predictions",
]


def evaluate(run: Run) -> dict[str, Any]:
    """Metrics of a trained run; see `triptych.training.evaluation.evaluate`."""
    run.require_trained()
    evaluation: dict[str, Any] = read_json(run.folder / "evaluation.json", EVALUATION_KEYS)
    return evaluation
