"""The leak meter: what a careless split would have claimed.

Neighbouring windows share nearly all their candles, and their labels nearly all their future. A random split puts one
of them into training and the next into the test; a model that merely remembers then looks skilful. The meter lets such
a model, the nearest neighbours by a few slow features of the window, sit both examinations: the purged one of this
recipe and a shuffled one of the same windows. Published results on chart images have been made on shuffled splits; the
difference says how much such a number is worth here. What the remembering model scores on the purged split is no leak:
it is a baseline, and the model that was trained is held against it on the same windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import matthews_corrcoef
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from triptych.domain import CLOSE, HIGH, LOW, VOLUME, CandleSeries
from triptych.training.metrics import matthews_correlation
from triptych.training.samples import Samples

NEIGHBOURS = 5
MOST_SAMPLES = 6000
"""The latest of training and the earliest of the test, each at most this many: enough to see, quick to measure."""
NOTICEABLE = 0.05
"""The least correlation that is spoken of: a hundredth or two between two examinations is chance."""


@dataclass(frozen=True, kw_only=True)
class LeakMeter:
    """Matthews correlation of the remembering model under both splits, and the sizes of both.

    `model_mcc` is that of the trained model on the windows of the purged test; None where it is not known for all.
    """

    purged_mcc: float
    shuffled_mcc: float
    train_samples: int
    test_samples: int
    model_mcc: float | None = None

    @property
    def sentence(self) -> str:
        """The finding in words: what shuffling adds, and what there was without it."""
        purged, shuffled = round(self.purged_mcc, 2), round(self.shuffled_mcc, 2)
        added = round(shuffled - purged, 2)
        found = "shuffling adds nothing here."
        if added >= NOTICEABLE:
            found = f"the {added:.2f} that shuffling adds would be leakage, not skill."
        elif added > 0:
            found = "shuffling adds next to nothing here."
        said = (
            f"A model that only remembers scores an MCC of {self.purged_mcc:.2f} on this split and "
            f"{self.shuffled_mcc:.2f} when the same windows are shuffled: {found}"
        )
        if purged < NOTICEABLE:
            return said
        return (
            f"{said} Its {purged:.2f} on this split is no leak: what it remembers ended before the test began."
            f"{self._beside(purged)}"
        )

    def _beside(self, purged: float) -> str:
        """The trained model beside the remembering one."""
        if self.model_mcc is None:
            return ""
        verdict = ", less than remembering alone" if round(self.model_mcc, 2) < purged else ""
        return f" The trained model scores {self.model_mcc:.2f} on the same windows{verdict}."

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "sentence": self.sentence}


def measure(
    series: Sequence[CandleSeries],
    train: Samples,
    test: Samples,
    *,
    length: int,
    seed: int,
    said: NDArray[np.int64] | None = None,
) -> LeakMeter:
    """Examine the remembering model twice.

    Args:
        series: the instruments of the samples.
        train, test: samples of one fold, with every candle in them (a stride would thin out what leaks).
        length: candles in a window.
        seed: of the shuffling.
        said: the class that the trained model said for each test sample, shape (n_test,), -1 where it said none; None:
            there is no such model.
    """
    features = [_features(series, samples, length) for samples in (train, test)]
    labels = [samples.label for samples in (train, test)]
    order = [
        np.argsort(train.time_ms, kind="stable")[-MOST_SAMPLES:],
        np.argsort(test.time_ms, kind="stable")[:MOST_SAMPLES],
    ]
    answers = None if said is None else said[order[1]]
    features = [one[chosen] for one, chosen in zip(features, order, strict=True)]
    labels = [label[chosen] for label, chosen in zip(labels, order, strict=True)]
    n_train = len(labels[0])
    pooled_features, pooled_labels = np.concatenate(features), np.concatenate(labels)
    straight = np.arange(len(pooled_labels))
    return LeakMeter(
        purged_mcc=_examine(pooled_features, pooled_labels, straight, n_train),
        shuffled_mcc=_examine(
            pooled_features, pooled_labels, np.random.default_rng(seed).permutation(straight), n_train
        ),
        train_samples=n_train,
        test_samples=len(pooled_labels) - n_train,
        model_mcc=None if answers is None or (answers < 0).any() else matthews_correlation(labels[1], answers),
    )


def _examine(features: NDArray[np.float64], labels: NDArray[np.int64], order: NDArray[np.int64], n_train: int) -> float:
    train, test = order[:n_train], order[n_train:]
    neighbours = KNeighborsClassifier(min(NEIGHBOURS, n_train), algorithm="brute", weights="distance")
    model = make_pipeline(StandardScaler(), neighbours).fit(features[train], labels[train])
    return float(matthews_corrcoef(labels[test], model.predict(features[test])))


def _features(series: Sequence[CandleSeries], samples: Samples, length: int) -> NDArray[np.float64]:
    """Return, volatility, mean log volume and place in the range over the window and its last half and quarter.

    Shape (n_samples, 12). All of them change slowly from candle to candle: by them a window recognises its neighbours.
    """
    found = np.empty((len(samples), 12))
    for i, one in enumerate(series):
        mine = samples.instrument == i
        windows = one.windows(samples.index[mine], length)
        columns = []
        for span in (length, max(4, length // 2), max(4, length // 4)):
            part = windows[:, -span:]
            path = np.log(part[:, :, CLOSE])
            steps = np.diff(path, axis=1)
            low, high = part[:, :, LOW].min(axis=1), part[:, :, HIGH].max(axis=1)
            width = np.where(high > low, high - low, 1.0)
            columns += [
                path[:, -1] - path[:, 0],
                np.log(steps.std(axis=1) + 1e-9),
                np.log1p(part[:, :, VOLUME]).mean(axis=1),
                (part[:, -1, CLOSE] - low) / width,
            ]
        found[mine] = np.stack(columns, axis=1)
    return found
