"""Heat for the pictures of decisions: what spoke for a class, found as `triptych explain` finds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triptych.dashboard.pictures import AbstractHeat
from triptych.domain import CLASSES
from triptych.domain.errors import TriptychError
from triptych.inference.classifier import WindowClassifier
from triptych.inference.explain import Method, explain

BRIGHT = 99.0
"""Percentile, of the pixels that speak for the class, from which on one is as hot as can be: else a few would outshine
all others."""


class ExplainedHeat(AbstractHeat):
    """Integrated gradients; occlusion of a model whose answer is one of trees."""

    def heat(
        self, classifier: WindowClassifier, window: NDArray[np.float32], class_index: int
    ) -> NDArray[np.float32] | None:
        method: Method = "occlusion" if classifier.is_stepwise else "integrated_gradients"
        try:
            found = explain(classifier, window, method=method, target=CLASSES[class_index]).heat
        except TriptychError:
            return None
        for_it = np.maximum(found, 0.0)
        hot = for_it[for_it > 0]
        top = float(np.percentile(hot, BRIGHT)) if hot.size else 1.0
        return np.minimum(for_it / top, 1.0).astype(np.float32)
