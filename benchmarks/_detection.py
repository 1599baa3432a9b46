"""Anomaly detectors on labelled rows: the embedded market by type of event, and labelled sets of real machines.

Each detector has one configuration for all data. Thresholds come from the rows it was fitted on; nothing is adjusted to
the truth.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from triptych.bootstrap import create_detector
from triptych.features.channels import market_channels
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.catch import FORETELLING, SMALL, CatchDetector
from triptych.inference.anomaly.reference_score import reference_score
from triptych.market.synthetic import Config as SyntheticConfig
from triptych.market.synthetic import synthesise
from triptych.market.synthetic.anomalies import KINDS, NEWS, LabelledMarket, plant_anomalies
from triptych.market.synthetic.anomalies import Config as AnomalyConfig
from triptych.models.catch import Config as NetworkConfig
from triptych.training.anomaly.by_type import WITHIN, TypeFigures, by_type
from triptych.training.anomaly.metrics import judge

REFERENCE = NetworkConfig(
    compat="reference", length=96, embedding=32, layers=3, heads=16, head_size=32, feed_forward=64, width=32,
)  # fmt: skip
"""The authors' network at the sizes of TAB's one setting for all multivariate sets: the default has 210 M weights."""
SILENT = {"no network": None, "foretold zeros": 0.0, "left out": 60.0}
"""Zeros that are reconstructed, or the logarithm of the scale of zeros that are foretold."""
ABLATIONS = {
    "foretelling": FORETELLING,
    "compat": SMALL.model_copy(update={"compat": "reference"}),
    "complex": SMALL.model_copy(update={"attention": "complex"}),
}
REFERENCE_TRAINING = {
    "learning_rate": 1e-4, "mask_learning_rate": 1e-5, "frequency_weight": 0.1, "channel_weight": 0.1,
    "batch_size": 64, "epochs": 3, "windows_per_epoch": 1600,
}  # fmt: skip
"""TAB's setting, with 1,600 windows an epoch instead of all (75 steps take two minutes of one core). The two optimisers
take turns as ours do: the authors' schedule is not reproduced."""
TYPE_FIGURES = {
    "events": "events", "auc_roc": "auc", "vus_pr": "vus",
    "recall": "found", "recall_within": "in time", "delay": "delay",
}  # fmt: skip
"""What the figures of a type of event are called in a cell, before the type."""
Scores = NDArray[np.float64]


def labelled_market(seed: int, n_candles: int = 20_000, each: int = 6) -> tuple[LabelledMarket, pl.DataFrame]:
    """A market with planted events in its second half, `each` of a kind, and its channels; row i is that of candle
    i + 1.
    """
    made_market = synthesise(SyntheticConfig(seed=seed, n_candles=n_candles))
    planted = plant_anomalies(made_market, AnomalyConfig(seed=seed, each=each))
    made = market_channels(planted.series)
    return planted, pl.DataFrame(made.values, schema=list(made.columns))


def scored(
    name: str,
    train: pl.DataFrame,
    test: pl.DataFrame,
    *,
    seed: int = 0,
    epochs: int = 6,
    entity: NDArray[np.int64] | None = None,
) -> tuple[Scores, float]:
    """Scores of the test rows and the threshold; without `entity` the train rows before them warm the detector up."""
    training: dict[str, Any] = {"num_threads": 1, "epochs": epochs}
    if name == "reference":
        return _reference(train, test, seed, np.zeros(test.height, dtype=int) if entity is None else entity)
    if name in SILENT:
        return _without_network(train, test, entity, log_scale=SILENT[name])
    torch.manual_seed(seed)  # the reference's masks are random in evaluation too
    if name in ABLATIONS:
        if ABLATIONS[name].hidden_rows:
            training |= {"learning_rate": 2e-3}  # as on the markets on which it was chosen
        if ABLATIONS[name].compat == "reference":
            training |= {"mask_learning_rate": REFERENCE_TRAINING["mask_learning_rate"]}  # at ours its loss becomes NaN
        detector = create_detector("catch", seed=seed, training=training, network=ABLATIONS[name]).fit(train)
    else:
        settings: dict[str, Any] = {"seed": seed} | ({"training": training} if name in ("catch", "blend") else {})
        detector = create_detector(name, **settings).fit(train)
    if entity is not None:
        return detector.decision_function(test, entity=entity), detector.threshold_
    return _over(detector, train, test), detector.threshold_


class _Nothing(torch.nn.Module):
    """Stands in for the network: reconstructs, or foretells, zeros.

    Foretold with the scale 1, "error" is the row itself; with one beyond all bounds no error ever counts, and the kinds
    of the network are left out.
    """

    def __init__(self, log_scale: float | None) -> None:
        super().__init__()
        self._log_scale = log_scale

    def forward(self, x_BTC: torch.Tensor, *, last: int = 0) -> torch.Tensor:
        if self._log_scale is None:
            return torch.zeros_like(x_BTC[:, -last:])
        told = x_BTC.new_zeros(len(x_BTC), FORETELLING.hidden_rows, x_BTC.shape[2], 2)
        told[..., 1] = self._log_scale
        return told


def _without_network(
    train: pl.DataFrame, test: pl.DataFrame, entity: NDArray[np.int64] | None, *, log_scale: float | None
) -> tuple[Scores, float]:
    """CATCH without its network: what remains is levels, activity and the cross-channel evidence."""

    def nothing(*_: Any, **__: Any) -> Any:
        return _Nothing(log_scale)

    network = SMALL if log_scale is None else FORETELLING
    detector = CatchDetector(learner=lambda *_: None, build=nothing, network=network).fit(train)
    scores = _over(detector, train, test) if entity is None else detector.decision_function(test, entity=entity)
    return scores, detector.threshold_


def _over(detector: AbstractDetector, train: pl.DataFrame, test: pl.DataFrame) -> Scores:
    before = train.tail(detector.memory - 1) if detector.memory > 1 else train.head(0)
    return detector.decision_function(pl.concat([before, test]))[before.height :]


def _reference(train: pl.DataFrame, test: pl.DataFrame, seed: int, entity: NDArray[np.int64]) -> tuple[Scores, float]:
    """The authors' choices: their network and score, windows that do not overlap, the rest scored 0."""
    training = REFERENCE_TRAINING | {"num_threads": 1}
    detector = create_detector("catch", network=REFERENCE, training=training, seed=seed).fit(train)
    assert isinstance(detector, CatchDetector)
    torch.manual_seed(seed)
    length = REFERENCE.length

    def scores(rows: NDArray[np.float32]) -> Scores:
        found = np.zeros(len(rows))
        whole = len(rows) // length * length
        if whole:
            windows = torch.from_numpy(rows[:whole].reshape(-1, length, rows.shape[1]))
            with torch.inference_mode():
                found[:whole] = reference_score(windows - detector.network(windows)).numpy().ravel()
        return found

    rows = detector.scaling_(test.to_numpy())
    judged = np.concatenate([scores(rows[entity == one]) for one in np.unique(entity)])
    threshold = np.quantile(scores(detector.scaling_(train.to_numpy())), 1.0 - detector.contamination)
    return judged, float(threshold)


def types_of(market: LabelledMarket, scores: Scores, alarms: NDArray[np.bool_]) -> dict[str, TypeFigures]:
    """Figures of each type of event behind `market.first`, against the rows of none; news bursts are normal rows."""
    events = [
        (one.kind, one.start - market.first, one.stop - market.first) for one in market.events if one.kind != NEWS
    ]
    found = by_type(events, scores, alarms, market.labels[market.first :] == 0)
    return {kind: found[kind] for kind in KINDS if kind in found}


def figures_by_type(market: LabelledMarket, scores: Scores, alarms: NDArray[np.bool_]) -> dict[str, float]:
    """Those of `types_of` as a cell names them."""
    found = types_of(market, scores, alarms)
    return {f"{TYPE_FIGURES[name]} {kind}": value for kind, one in found.items() for name, value in asdict(one).items()}


def on_market(name: str, seed: int, *, n_candles: int = 20_000, epochs: int = 6) -> dict[str, float]:
    """All figures of one detector on one market: fitted on its clean half, judged on the other.

    `quiet_share` is the share of alarms among rows that no event has touched for a window's length.
    """
    market, frame = labelled_market(seed, n_candles)
    train, test = frame.head(market.first - 1), frame.slice(market.first - 1)
    scores, threshold = scored(name, train, test, epochs=epochs)
    alarms = scores > threshold
    metrics = judge(market.labels[market.first :], scores, alarms, slack=WITHIN)
    quiet = np.ones(len(market.labels), dtype=bool)
    for event in market.events:
        quiet[event.start : event.stop + SMALL.length] = False
    figures = asdict(metrics) | {"quiet_share": float(alarms[quiet[market.first :]].mean())}
    return figures | figures_by_type(market, scores, alarms) | {"auc overall": metrics.auc_roc}


def on_machines(name: str, path: Path, *, seed: int = 0, rows_per_day: float = 1000.0) -> dict[str, float]:
    """Figures on labelled recordings: arrays `x_train`, `x_test`, `y_test`, `columns`, and `test_len` of entities.

    Recordings are of different speeds, so a "day" of false alarms is 1,000 rows.
    """
    with np.load(path, allow_pickle=False) as arrays:
        columns = [str(one) for one in arrays["columns"]]
        train, test = (pl.DataFrame(arrays[part].astype(np.float64), schema=columns) for part in ("x_train", "x_test"))
        labels = arrays["y_test"].astype(np.int8)
        lengths = arrays["test_len"] if "test_len" in arrays else np.array([len(labels)])
    entity = np.repeat(np.arange(len(lengths)), lengths)
    scores, threshold = scored(name, train, test, seed=seed, entity=entity)
    return asdict(judge(labels, scores, scores > threshold, rows_per_day=rows_per_day))
