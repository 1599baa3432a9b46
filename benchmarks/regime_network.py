"""What a network's soft labels add to the filter of regimes: network, filter and both, on candles of neither.

Files of candles are named in TRIPTYCH_CANDLES, parted by colons; without them the made market of
`benchmarks.regime_calibration` is taken. The first 12,000 candles teach and choose, the rest judges, against the regime
that the rules give a quarter of their window later. Intervals: blocks of 480 candles drawn anew, 95 %.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks._table import Row, main
from benchmarks.regime_calibration import SEED, made_market
from triptych.bootstrap.chart_patterns import read_one
from triptych.bootstrap.regimes import fit_regimes, taught_regimes
from triptych.domain import REGIMES, CandleSeries
from triptych.settings.regimes import Config, Network
from triptych.training.multi_label import Config as TrainingConfig

TAUGHT, JUDGED = 12_000, 8_000
BLOCK, DRAWS = 480, 500


def judged(name: str, series: CandleSeries, config: Config, taught: int) -> list[Row]:
    """Rows of one history."""
    with TemporaryDirectory() as folder:
        made = fit_regimes([series.head(taught)], config, Path(folder) / "network", seed=0)
    assert made.soft is not None
    later = series.between(taught - 1_000, min(taught + JUDGED, len(series)))
    soft, truth = made.soft.posterior(later), taught_regimes(later)
    told = {
        "network": soft,
        "filter": made.filter.probabilities(later),
        "both": made.filter.fused(later, soft, made.soft.prior, made.soft.weight),
        "both, the network in full": made.filter.fused(later, soft, made.soft.prior, 1.0),
    }
    known = np.isfinite(truth).all(axis=1) & np.all([np.isfinite(p).all(axis=1) for p in told.values()], axis=0)
    known[:1_000] = False
    losses = {which: -np.log(np.maximum(p[known][truth[known] == 1.0], 1e-12)) for which, p in told.items()}
    rows = [Row(name=f"{name}: power of the network", ours=made.soft.weight, unit="power")]
    for which, p in told.items():
        rows.append(
            Row(
                name=f"{name}, {which}: log loss", ours=float(losses[which].mean()),
                peer=float(losses["filter"].mean()), peer_name="filter", unit="nats", lower_is_better=True,
            )
        )  # fmt: skip
        if which != "filter":
            low, high = interval(losses[which] - losses["filter"])
            rows.append(Row(name=f"{name}, {which}: loss less the filter's, from", ours=low, unit="nats"))
            rows.append(Row(name=f"{name}, {which}: loss less the filter's, to", ours=high, unit="nats"))
        for number, regime in enumerate(REGIMES):
            if 0.0 < truth[known, number].mean() < 1.0:
                skill = roc_auc_score(truth[known, number], p[known, number])
                rows.append(Row(name=f"{name}, {which}: AUC of {regime}", ours=float(skill), unit="AUC"))
    return rows


def interval(x: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of a series, 95 % by blocks drawn anew."""
    rng = np.random.default_rng(SEED)
    blocks = [x[at : at + BLOCK] for at in range(0, len(x), BLOCK)]
    means = []
    for _ in range(DRAWS):
        means.append(np.concatenate([blocks[i] for i in rng.integers(len(blocks), size=len(blocks))]).mean())
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def rows(quick: bool) -> list[Row]:
    """The table."""
    training = TrainingConfig(epochs=1 if quick else 3)
    config = Config(use=True, network=Network(use=True, stride=12 if quick else 6, training=training))
    files = [Path(path) for path in os.environ.get("TRIPTYCH_CANDLES", "").split(":") if path]
    taught = 3_000 if quick else TAUGHT
    if not files:
        return judged("made market", made_market(taught + (2_000 if quick else JUDGED), SEED), config, taught)
    return [row for path in files for row in judged(path.stem, read_one(path, None), config, taught)]


if __name__ == "__main__":
    main(rows, __doc__.splitlines()[0])
