"""Heat for the pictures of decisions: what spoke for a class, found as `triptych explain` finds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES
from triptych.domain.errors import TriptychError
from triptych.inference.classifier import WindowClassifier
from triptych.inference.explain import Method, explain

BRIGHT = 99.0
"""Percentile, of the pixels that speak for the class, from which on one is as hot as can be: else a few would outshine
all others."""


def explained_heat(
    classifier: WindowClassifier, window: NDArray[np.float32], class_index: int
) -> NDArray[np.float32] | None:
    """How much each pixel speaks for a class: integrated gradients, or occlusion of a model that ends in trees.

    Args:
        classifier: network with its encoding, on the CPU.
        window: what it reads, float32 of shape (rows, columns).
        class_index: 0 sell, 1 hold, 2 buy.

    Returns:
        float32 array of shape (height, width) from 0 to 1, of the picture's own size; None where this network cannot
        be explained.
    """
    method: Method = "occlusion" if classifier.is_stepwise else "integrated_gradients"
    try:
        found = explain(classifier, window, method=method, target=CLASSES[class_index]).heat
    except TriptychError:
        return None
    for_it = np.maximum(found, 0.0)
    hot = for_it[for_it > 0]
    top = float(np.percentile(hot, BRIGHT)) if hot.size else 1.0
    return np.minimum(for_it / top, 1.0).astype(np.float32)
