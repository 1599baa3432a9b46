"""Settings of every detector by its name: what recipes and commands may choose, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import ValidationError

from triptych.domain.errors import RecipeError
from triptych.inference.anomaly.baselines import ForestConfig, KMeansConfig, PcaConfig
from triptych.inference.anomaly.catch import SMALL
from triptych.inference.anomaly.catch import Config as CatchConfig
from triptych.inference.anomaly.common_config import CommonConfig

DetectorName = Literal["catch", "blend", "zscore", "pca", "isolation_forest", "kmeans"]

CONFIGS: Final[Mapping[str, type[CommonConfig]]] = {
    "catch": CatchConfig,
    "blend": CatchConfig,
    "zscore": CommonConfig,
    "pca": PcaConfig,
    "isolation_forest": ForestConfig,
    "kmeans": KMeansConfig,
}


def detector_config(name: str, settings: Mapping[str, Any]) -> CommonConfig:
    """The settings of a detector; `network`, where it is a table, says only what differs from the small network.

    Raises RecipeError for an unknown name or setting.
    """
    if name not in CONFIGS:
        raise RecipeError(f"There is no detector {name!r}.", remedy=f"Known are {', '.join(sorted(CONFIGS))}.")
    network = settings.get("network")
    if isinstance(network, Mapping):
        settings = {**settings, "network": SMALL.model_dump() | dict(network)}
    try:
        return CONFIGS[name](**settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        known = f" Known are {', '.join(CONFIGS[name].model_fields)}." if first["type"] == "extra_forbidden" else ""
        raise RecipeError(f"Detector {name}: {place}: {first['msg']}.{known}", remedy="Correct the setting.") from error


def foretelling(hidden_rows: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of CATCH and of its training for so many foretold rows, as they were measured; none for 0."""
    if not hidden_rows:
        return {}, {}
    return {"network": {"hidden_rows": hidden_rows}}, {"learning_rate": 2e-3}
