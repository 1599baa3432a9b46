"""The second stage: a trained network is frozen, and trees learn from its features.

Both stages share the fold: the network never saw the test, and the trees see no window that the network was not trained
or stopped by. Features of windows a network was trained on look better than those of new ones; that is why the trees
stop by the validation windows, which the network learned nothing from but when to stop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from triptych.domain import CLASSES
from triptych.domain.errors import NotEnoughData
from triptych.inference.classifier import WindowClassifier
from triptych.models.boosted import BoostedNetwork, TreeShape
from triptych.models.boosted.network import features_of
from triptych.training.boosting.config import Config
from triptych.training.boosting.growing import engine_of, grow
from triptych.training.config import Config as TrainingConfig
from triptych.training.windows import WindowSet

BATCH = 256
"""Windows whose features are found at a time."""
RESOLUTION = 1e-5
"""Standard deviation of a component, as a share of the features' length, below which it is left out."""


@dataclass(frozen=True, kw_only=True)
class Boosted:
    """What the second stage made.

    Attributes:
        classifier: encoding, frozen network and trees.
        engine: the library that grew them.
        features: of the network.
        components: that trees read.
        rounds: that were kept.
        shape: sizes of the ensemble.
    """

    classifier: WindowClassifier
    engine: str
    features: int
    components: int
    rounds: int
    shape: TreeShape


def boost(
    classifier: WindowClassifier,
    train: WindowSet,
    validation: WindowSet,
    config: Config,
    training: TrainingConfig,
    *,
    seed: int,
) -> Boosted:
    """Grow trees on the features of a trained classifier, which itself stays as it is.

    Classes and windows count in the trees as in the network: by `class_weights` where they learn and where they stop,
    by `uniqueness_weights` where they learn.

    Raises NotEnoughData when a class is missing in `train` or all windows look alike to the network, RecipeError
    without the library asked for.
    """
    classifier = classifier.cpu().eval()
    rows, held = features_over(classifier, train), features_over(classifier, validation)
    mean, components = _projection(rows, config.components)
    inputs = [((one - mean) @ components).astype(np.float32) for one in (rows, held)]
    labels = [one.labels.cpu().numpy() for one in (train, validation)]
    weights = sample_weights(train, validation, training)
    first, second = zip(inputs, labels, weights, strict=True)
    ensemble, rounds = grow(first, second, config, seed=seed)
    network = BoostedNetwork(classifier.network, torch.from_numpy(mean), torch.from_numpy(components), ensemble)
    return Boosted(
        classifier=WindowClassifier(classifier.encoding, network).eval(),
        engine=engine_of(config),
        features=rows.shape[1],
        components=components.shape[1],
        rounds=rounds,
        shape=ensemble.shape,
    )


def sample_weights(
    train: WindowSet, validation: WindowSet, config: TrainingConfig
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much each window counts in training and in validation, as in the losses of the network."""
    per_class = np.ones(len(CLASSES))
    if config.class_weights == "balanced":
        per_class = train.class_weights(by_uniqueness=config.uniqueness_weights).cpu().double().numpy()
    learned, held = (per_class[one.labels.cpu().numpy()] for one in (train, validation))
    if config.uniqueness_weights:
        uniqueness = train.uniqueness.cpu().double().numpy()
        learned = learned * uniqueness / uniqueness.mean()
    return learned, held


@torch.inference_mode()
def features_over(classifier: WindowClassifier, windows: WindowSet) -> NDArray[np.float32]:
    """What the network's last layer reads of every window, shape (n_windows, features)."""
    parts = []
    for positions in torch.arange(len(windows)).split(BATCH):  # type: ignore[no-untyped-call]
        images = classifier.images(windows.gather(positions).windows)
        parts.append(features_of(classifier.network, 2.0 * images - 1.0).float())
    found: NDArray[np.float32] = torch.cat(parts).numpy()
    return found


def _projection(rows: NDArray[np.float32], components: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean, shape (features,), and components, shape (features, components), each scaled to variance 1.

    Components that vary too little beside the size of the features are left out: their values would be rounding,
    another on every machine. Raises NotEnoughData when none is left.
    """
    x = rows.astype(np.float64)
    mean = x.mean(axis=0)
    least = RESOLUTION * float(np.sqrt((x**2).sum(axis=1).mean()))
    if components:
        fitted = PCA(n_components=min(components, *x.shape), svd_solver="full").fit(x)
        directions, spread = fitted.components_.T, np.sqrt(fitted.explained_variance_)
    else:
        directions, spread = np.eye(x.shape[1]), x.std(axis=0)
    known = spread > least
    if not known.any():
        raise NotEnoughData(
            "The network says the same of every window to within rounding: there is nothing that trees could read.",
            remedy="Train it for more epochs or on more windows, or set boosting.engine to none.",
        )
    return mean.astype(np.float32), (directions[:, known] / spread[known]).astype(np.float32)
