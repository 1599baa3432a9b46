"""Alarms of market switches by a siamese network, at equal false alarms against CUSUM and the filtered Markov model.

The network learns likeness on one made market, without a label. Its measure of change is the distance between the window
that ends now and the one just before it, which share no candle. Thresholds of all are set on a second market, figures are
read off a third.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._table import Row, main
from benchmarks.regimes import FALSE_PER_1000, at_false_alarms, judged, made_market, observed, scores
from triptych.images import create_encoding
from triptych.inference import WindowClassifier
from triptych.inference.switches import cusum_alarms, distance_alarms, switch_alarms
from triptych.models import create_model
from triptych.models.hidden_markov import Config as HmmConfig
from triptych.models.hidden_markov import GaussianHmm
from triptych.models.siamese import SiameseNetwork
from triptych.training.config import Config as TrainingConfig
from triptych.training.siamese import Config
from triptych.training.siamese.fitting import embeddings_over, fit_siamese
from triptych.training.windows import WindowSet

SEEDS = (11, 12, 13)
LENGTH, STRIDE, DIMENSION = 32, 4, 16


def change(train: NDArray[np.float64], others: list[NDArray[np.float64]], seed: int) -> list[NDArray[np.float64]]:
    """The change at each candle of `others`, by a network that has learnt on `train`; NaN where there is none yet."""
    usual = float(train.std())
    encoding = create_encoding("sequence", length=LENGTH, factors=2)
    body = create_model("gru", in_chans=2, num_classes=DIMENSION, seed=seed, width=0.5)
    network = SiameseNetwork(body, dimension=DIMENSION, entries=1, classes=3)
    classifier = WindowClassifier(encoding, network)
    cut = int(0.8 * len(train))
    parts = _windows(train[:cut], usual, STRIDE), _windows(train[cut:], usual, STRIDE)
    training = TrainingConfig(epochs=6, batch_size=128, learning_rate=3e-3, early_stopping=2, num_threads=1)
    with tempfile.TemporaryDirectory() as folder:
        fit_siamese(classifier, *parts, Config(loss="nt_xent", dimension=DIMENSION), training, Path(folder), seed)
    found = []
    for returns in others:
        placed = embeddings_over(classifier.eval(), _windows(returns, usual, 1)).double().numpy()
        apart = np.full(len(returns), np.nan)
        apart[2 * LENGTH - 1 :] = np.linalg.norm(placed[LENGTH:] - placed[:-LENGTH], axis=1)
        found.append(apart)
    return found


def _windows(returns: NDArray[np.float64], usual: float, stride: int) -> WindowSet:
    """Every so manieth window of returns and of the logarithms of their sizes; nothing is learnt from labels."""
    rows = np.stack([returns / usual, np.log(np.abs(returns) / usual + 0.1)], axis=1).astype(np.float32)
    starts = torch.arange(0, len(rows) - LENGTH + 1, stride)
    return WindowSet(
        values=torch.from_numpy(rows), starts=starts, labels=torch.zeros(len(starts), dtype=torch.int64),
        uniqueness=torch.ones(len(starts)), length=LENGTH,
    )  # fmt: skip


def measured(seed: int, n: int, steps: int) -> dict[tuple[float, str], tuple[float, float, float]]:
    """By false alarms asked for and detector: share answered, median delay, false alarms in 1,000 candles."""
    (train, _), (tuning, at_tuning), (test, at_test) = (made_market(n, 1000 * seed + i) for i in range(3))
    model = GaussianHmm.fit(observed(train), HmmConfig(states=3))
    filtered = [model.filter(observed(one)) for one in (tuning, test)]
    scored = [scores(one, train) for one in (tuning, test)]
    apart = change(train, [tuning, test], seed)
    sure = np.concatenate((np.linspace(0.5, 0.99, steps), 1.0 - np.geomspace(1e-2, 1e-6, steps)))
    sums = np.geomspace(3.0, 60.0, 2 * steps)
    limits = np.quantile(apart[0][np.isfinite(apart[0])], 1.0 - np.geomspace(0.2, 1e-4, 2 * steps))
    raised = {
        "siamese": ([partial(distance_alarms, one, apart=LENGTH) for one in apart], limits),
        "CUSUM": ([partial(cusum_alarms, one) for one in scored], sums),
        "filter": ([partial(switch_alarms, one) for one in filtered], sure),
    }
    found = {}
    for name, ((on_tuning, on_test), thresholds) in raised.items():
        for wanted in FALSE_PER_1000:
            threshold = at_false_alarms(on_tuning, thresholds, at_tuning, n, wanted)
            found[wanted, name] = judged(on_test(threshold), at_test, n)
    return found


def rows(quick: bool) -> list[Row]:
    """The table: means over the seeds, siamese against CUSUM, the filter as the best figure known."""
    parts = [measured(seed, 6_000 if quick else 20_000, 15 if quick else 30) for seed in SEEDS[: 1 if quick else None]]
    table = []
    for wanted in FALSE_PER_1000:
        mean = {
            name: np.mean([part[wanted, name] for part in parts], axis=0) for name in ("siamese", "CUSUM", "filter")
        }
        for what, unit, position in (
            ("switches answered", "share", 0),
            ("median delay", "candles", 1),
            ("false alarms on the test market", "in 1,000 candles", 2),
        ):
            table.append(
                Row(
                    name=f"{what}, {wanted:g} false alarms in 1,000 asked for", ours=float(mean["siamese"][position]),
                    peer=float(mean["CUSUM"][position]), peer_name="CUSUM", floor=float(mean["filter"][position]),
                    unit=unit, lower_is_better=position > 0,
                )
            )  # fmt: skip
    return table


if __name__ == "__main__":
    main(rows, "Switches told by likeness (ours), by CUSUM (peer) and by the filtered Markov model (under `floor`).")
