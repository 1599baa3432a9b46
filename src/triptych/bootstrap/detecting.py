"""Anomaly detectors by name: CATCH with its trainer, and the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from triptych.domain.errors import RecipeError
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.baselines import BASELINES, ForestConfig, PcaConfig
from triptych.inference.anomaly.blend import BlendConfig, BlendDetector
from triptych.inference.anomaly.catch import CatchDetector
from triptych.inference.anomaly.catch import Config as CatchConfig
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.configs import CONFIGS, detector_config
from triptych.models.catch import Catch, ConditionalCatch


def list_detectors() -> list[str]:
    """Names that `create_detector` knows."""
    return sorted(CONFIGS)


def create_detector(
    name: str = "catch", *, training: dict[str, Any] | None = None, folder: Path | None = None, **settings: Any
) -> AbstractDetector:
    """A detector that has not been fitted, with PyOD's conventions: `fit`, `decision_function`, `predict`.

    Args:
        name: catch, blend (catch with isolation forest and PCA), zscore, pca, isolation_forest or kmeans.
        training: settings of CATCH's training (see `triptych.training.anomaly.config`).
        folder: where CATCH's training keeps its checkpoint, so that a killed `fit` goes on; None keeps none.
        settings: of the detector, such as `contamination`, `seed` or `bad_rows`.

    Raises RecipeError for an unknown name or setting.
    """
    config = detector_config(name, settings)
    if name in BASELINES:
        made: AbstractDetector = BASELINES[name](config)  # type: ignore[call-arg]
        return made
    assert isinstance(config, CatchConfig)
    catch = CatchDetector(config, learner=_Learner(training or {}, folder))
    if name == "catch":
        return catch
    common = {key: getattr(config, key) for key in CommonConfig.model_fields}
    members = [catch, BASELINES["isolation_forest"](ForestConfig(**common)), BASELINES["pca"](PcaConfig(**common))]  # type: ignore[call-arg]
    return BlendDetector(BlendConfig(**common), members=members)


class _Learner:
    """Trains CATCH; the libraries of training are loaded when it is first asked."""

    def __init__(self, settings: dict[str, Any], folder: Path | None) -> None:
        self._settings = settings
        self._folder = folder

    def __call__(
        self,
        network: Catch | ConditionalCatch,
        learn: Sequence[NDArray[np.float32]],
        held_out: Sequence[NDArray[np.float32]],
        seed: int,
    ) -> None:
        from triptych.training.anomaly.config import Config
        from triptych.training.anomaly.trainer import fit_catch

        try:
            config = Config(**self._settings)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise RecipeError(f"training: {place}: {first['msg']}.", remedy="Correct the setting.") from error
        fit_catch(network, learn, held_out, config, seed=seed, directory=self._folder)
