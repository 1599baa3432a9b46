"""Anomaly detectors on labelled rows: the embedded market by type of event, and labelled sets of real machines.

Each detector has one configuration for all data. Thresholds come from the rows it was fitted on; nothing is adjusted to
the truth.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
from triptych.training.anomaly.pieces import Pieces

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
    "recall": "found", "recall_within": "in time", "delay": "delay", "running": "running",
    "events_left_out": "not judged",
}  # fmt: skip
"""What the figures of a type of event are called in a cell, before the type."""
Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Scores of test rows.

    Attributes:
        scores: float64 (n_rows,).
        known: bool (n_rows,): rows that have a score; `scores` holds 0 for the others.
        threshold: of the detector, from the rows it was fitted on.
    """

    scores: Scores
    known: NDArray[np.bool_]
    threshold: float


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
) -> Scored:
    """The test rows scored; without `entity` the train rows before them warm the detector up."""
    training: dict[str, Any] = {"num_threads": 1, "epochs": epochs}
    if name == "reference":
        return _reference(train, test, seed, np.zeros(test.height, dtype=int) if entity is None else entity)
    torch.manual_seed(seed)  # the reference's masks are random in evaluation too
    if name in SILENT:
        detector: AbstractDetector = _without_network(train, log_scale=SILENT[name])
    elif name in ABLATIONS:
        if ABLATIONS[name].hidden_rows:
            training |= {"learning_rate": 2e-3}  # as on the markets on which it was chosen
        if ABLATIONS[name].compat == "reference":
            training |= {"mask_learning_rate": REFERENCE_TRAINING["mask_learning_rate"]}  # at ours its loss becomes NaN
        detector = create_detector("catch", seed=seed, training=training, network=ABLATIONS[name]).fit(train)
    else:
        settings: dict[str, Any] = {"seed": seed} | ({"training": training} if name in ("catch", "blend") else {})
        detector = create_detector(name, **settings).fit(train)
    before = train.tail(detector.memory - 1 if entity is None else 0)
    table = detector.checked(pl.concat([before, test]), entity=entity)
    scores, known = detector.decision_function(table), detector.scored_rows(table)
    return Scored(scores=scores[before.height :], known=known[before.height :], threshold=detector.threshold_)


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


def _without_network(train: pl.DataFrame, *, log_scale: float | None) -> AbstractDetector:
    """CATCH without its network: what remains is levels, activity and the cross-channel evidence."""

    def nothing(*_: Any, **__: Any) -> Any:
        return _Nothing(log_scale)

    network = SMALL if log_scale is None else FORETELLING
    return CatchDetector(learner=lambda *_: None, build=nothing, network=network).fit(train)


def _reference(train: pl.DataFrame, test: pl.DataFrame, seed: int, entity: NDArray[np.int64]) -> Scored:
    """The authors' choices: their network and score, windows that do not overlap; what is left has no score."""
    training = REFERENCE_TRAINING | {"num_threads": 1}
    detector = create_detector("catch", network=REFERENCE, training=training, seed=seed).fit(train)
    assert isinstance(detector, CatchDetector)
    torch.manual_seed(seed)
    length = REFERENCE.length

    def scores(rows: NDArray[np.float32]) -> Scores:
        whole = len(rows) // length * length
        if not whole:
            return np.zeros(0)
        windows = torch.from_numpy(rows[:whole].reshape(-1, length, rows.shape[1]))
        with torch.inference_mode():
            return np.asarray(reference_score(windows - detector.network(windows)).numpy().ravel(), dtype=np.float64)

    rows = detector.scaling_(test.to_numpy())
    found, known = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
    for one in np.unique(entity):
        places = np.flatnonzero(entity == one)
        own = scores(rows[places])
        found[places[: len(own)]], known[places[: len(own)]] = own, True
    threshold = np.quantile(scores(detector.scaling_(train.to_numpy())), 1.0 - detector.contamination)
    return Scored(scores=found, known=known, threshold=float(threshold))


def types_of(
    market: LabelledMarket, scores: Scores, alarms: NDArray[np.bool_], pieces: Pieces | None = None
) -> dict[str, TypeFigures]:
    """Figures of each type of event behind `market.first`, against the rows of none; news bursts are normal rows."""
    events = [
        (one.kind, one.start - market.first, one.stop - market.first) for one in market.events if one.kind != NEWS
    ]
    found = by_type(events, scores, alarms, market.labels[market.first :] == 0, pieces=pieces)
    return {kind: found[kind] for kind in KINDS if kind in found}


def figures_by_type(
    market: LabelledMarket, scores: Scores, alarms: NDArray[np.bool_], pieces: Pieces | None = None
) -> dict[str, float]:
    """Those of `types_of` as a cell names them."""
    found = types_of(market, scores, alarms, pieces)
    return {f"{TYPE_FIGURES[name]} {kind}": value for kind, one in found.items() for name, value in asdict(one).items()}


def on_market(name: str, seed: int, *, n_candles: int = 20_000, epochs: int = 6) -> dict[str, float]:
    """All figures of one detector on one market: fitted on its clean half, judged on the other.

    The rows judged are those that all detectors score: the reference's windows do not overlap, and the rows behind its
    last whole one (16 of 10,000) have no score. `quiet_share` is the share of alarms among rows that no event has
    touched for a window's length.
    """
    market, frame = labelled_market(seed, n_candles)
    train, test = frame.head(market.first - 1), frame.slice(market.first - 1)
    found = scored(name, train, test, epochs=epochs)
    pieces = Pieces(known=found.known & (np.arange(test.height) < test.height // REFERENCE.length * REFERENCE.length))
    alarms = found.scores > found.threshold
    metrics = judge(market.labels[market.first :], found.scores, alarms, slack=WITHIN, pieces=pieces)
    quiet = np.ones(len(market.labels), dtype=bool)
    for event in market.events:
        quiet[event.start : event.stop + SMALL.length] = False
    figures = asdict(metrics) | {"quiet_share": float(alarms[quiet[market.first :] & pieces.known].mean())}
    return figures | figures_by_type(market, found.scores, alarms, pieces) | {"auc overall": metrics.auc_roc}
