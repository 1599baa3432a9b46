"""What a report is made of: plain data, so that a report can be drawn again from a run's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.domain import CANDLE_FIELDS, CandleSeries

TIME = pl.Datetime("ms", "UTC")


@dataclass(frozen=True, kw_only=True)
class SampleImage:
    """One image as the network saw it.

    Attributes:
        image: array of shape (channels, height, width) or (height, width), floats in [0, 1] or uint8. One channel is
            shown grey, three as colours, any other number side by side.
        label: true class (`sell`, `hold`, `buy`), empty when unknown.
        prediction: class the model chose, empty without a model.
        probability: of the chosen class, None when unknown.
        caption: such as the symbol and the close time of the window.
    """

    image: NDArray[np.floating] | NDArray[np.uint8]
    label: str = ""
    prediction: str = ""
    probability: float | None = None
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything a report may show. What is missing is left out, with a sentence why (`absent`).

    Attributes:
        title, description: head of the report.
        verdict, performance, luck: `to_dict()` of the classes of the same names.
        equity, trades, guard: frames of the backtest (EQUITY_SCHEMA, TRADE_SCHEMA, GUARD_SCHEMA).
        initial_capital: in quote currency.
        candles: frame per symbol, as `candle_frame` makes it.
        boundaries: where test or folds begin, each `{"time_ms": int, "label": str}`.
        evaluation: `{"metrics": {name: {"value", "low", "high"}}, "baselines": {baseline: {name: {...}}},
            "confusion": 3 x 3 counts (rows: true sell, hold, buy), "calibration": {"bins": [{"low", "high", "count",
            "confidence", "accuracy"}]}, "class_counts", "n", "effective_n", "comparison"}`; every key may be absent.
        training_curves: one mapping per epoch: `epoch`, `train_loss`, `validation_loss`, `learning_rate` and others.
        samples: images the network saw.
        explanations: images beside the same with the heat of an explanation on them, captions saying which candles.
        explained_votes: of a consensus, how the votes became each explained decision, each `{"caption": str, "rows":
            [...]}`.
        data_quality: one mapping of plain values per instrument (or a single one).
        leak_probe: `{"passed": bool, "sentence": str, ...}`, further lists of mappings are shown as tables.
        recipe: the recipe as TOML.
        provenance: versions, data hash, seed: what repeats the run.
        environment: wall-clock times, paths, machine: shown, but no part of what two runs of a recipe must share.
        absent: section -> why it is missing, in one sentence; see `render.SECTIONS` for the names.
    """

    title: str
    description: str = ""
    verdict: Mapping[str, Any] | None = None
    performance: Mapping[str, Any] | None = None
    luck: Mapping[str, Any] | None = None
    equity: pl.DataFrame | None = None
    trades: pl.DataFrame | None = None
    guard: pl.DataFrame | None = None
    initial_capital: float = 1.0
    candles: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    boundaries: Sequence[Mapping[str, Any]] = ()
    evaluation: Mapping[str, Any] | None = None
    training_curves: Sequence[Mapping[str, Any]] = ()
    samples: Sequence[SampleImage] = ()
    explanations: Sequence[SampleImage] = ()
    explained_votes: Sequence[Mapping[str, Any]] = ()
    consensus: Mapping[str, Any] | None = None
    data_quality: Sequence[Mapping[str, Any]] | Mapping[str, Any] = ()
    leak_probe: Mapping[str, Any] | None = None
    recipe: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


def candle_frame(series: CandleSeries) -> pl.DataFrame:
    """A series as the frame that `ReportData.candles` holds: time (the candle's open time), open ... volume."""
    columns = {name: series.values[:, column] for column, name in enumerate(CANDLE_FIELDS)}
    return pl.DataFrame({"time": series.open_time_ms, **columns}).with_columns(pl.col("time").cast(TIME))
