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

from triptych.inference.classifier import WindowClassifier
from triptych.models.boosted import BoostedNetwork, TreeShape
from triptych.models.boosted.network import features_of
from triptych.training.boosting.config import Config
from triptych.training.boosting.growing import engine_of, grow
from triptych.training.windows import WindowSet

BATCH = 256
"""Windows whose features are found at a time."""


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
    classifier: WindowClassifier, train: WindowSet, validation: WindowSet, config: Config, *, seed: int
) -> Boosted:
    """Grow trees on the features of a trained classifier, which itself stays as it is.

    Raises NotEnoughData when a class is missing in `train`, RecipeError without the library asked for.
    """
    classifier = classifier.cpu().eval()
    rows, held = features_over(classifier, train), features_over(classifier, validation)
    mean, components = _projection(rows, config.components)
    inputs = [((one - mean) @ components).astype(np.float32) for one in (rows, held)]
    labels = [one.labels.cpu().numpy() for one in (train, validation)]
    ensemble, rounds = grow((inputs[0], labels[0]), (inputs[1], labels[1]), config, seed=seed)
    network = BoostedNetwork(classifier.network, torch.from_numpy(mean), torch.from_numpy(components), ensemble)
    return Boosted(
        classifier=WindowClassifier(classifier.encoding, network).eval(),
        engine=engine_of(config),
        features=rows.shape[1],
        components=components.shape[1],
        rounds=rounds,
        shape=ensemble.shape,
    )


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
    """Mean, shape (features,), and components, shape (features, components), each scaled to variance 1."""
    if not components:
        return np.zeros(rows.shape[1], dtype=np.float32), np.eye(rows.shape[1], dtype=np.float32)
    fitted = PCA(n_components=min(components, *rows.shape), svd_solver="full").fit(rows.astype(np.float64))
    scale = np.sqrt(np.maximum(fitted.explained_variance_, 1e-12 * fitted.explained_variance_.max() + 1e-30))
    return fitted.mean_.astype(np.float32), (fitted.components_ / scale[:, None]).T.astype(np.float32)
