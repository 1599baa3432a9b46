"""Simple detectors behind the same interface, so that nobody uses a deep one that loses to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.inference.anomaly.base import AbstractDetector, Assessment
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.forest import Forest
from triptych.inference.anomaly.holding_out import Portions
from triptych.inference.anomaly.parameters import settled
from triptych.inference.anomaly.sliding import sliding


class ZScoreDetector(AbstractDetector):
    """Mean squared distance from the mean, in deviations."""

    name = "zscore"
    kinds = ("level",)

    def __init__(self, config: CommonConfig | None = None, **settings: Any) -> None:
        self.config = settled(config or CommonConfig(), settings)

    @property
    def memory(self) -> int:
        return 1

    def learn(self, rows: Portions) -> None:
        pass  # the scaling is all it knows

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        pass

    def assess(self, windows: NDArray[np.float32]) -> Assessment:
        squares = windows[:, -1].astype(np.float64) ** 2
        return Assessment(scores=squares.mean(axis=1), evidence=np.sqrt(squares)[:, :, None])


class PcaConfig(CommonConfig):
    """Principal components."""

    explained: float = Field(0.9, description="Share of the variance that the kept components explain.", gt=0, lt=1)


class PcaDetector(AbstractDetector):
    """Mean squared error of the reconstruction from the strongest principal components."""

    name = "pca"
    kinds = ("residual",)

    def __init__(self, config: PcaConfig | None = None, **settings: Any) -> None:
        self.config: PcaConfig = settled(config or PcaConfig(), settings)

    @property
    def memory(self) -> int:
        return 1

    def learn(self, rows: Portions) -> None:
        every = np.concatenate(rows.learn).astype(np.float64)
        self._mean = every.mean(axis=0)
        variances, directions = np.linalg.eigh(np.cov(every.T).reshape(every.shape[1], -1))
        variances, directions = variances[::-1], directions[:, ::-1]
        kept = int(np.searchsorted(np.cumsum(variances) / variances.sum(), self.config.explained)) + 1
        # At least one direction is left over: a full basis reconstructs anything. One channel has its mean only.
        self._components = np.ascontiguousarray(directions[:, : min(kept, every.shape[1] - 1)])

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"mean": self._mean, "components": self._components}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._mean, self._components = arrays["mean"], arrays["components"]

    def assess(self, windows: NDArray[np.float32]) -> Assessment:
        rows = windows[:, -1].astype(np.float64) - self._mean
        residual = rows - rows @ self._components @ self._components.T
        return Assessment(scores=(residual**2).mean(axis=1), evidence=np.abs(residual)[:, :, None])


class ForestConfig(CommonConfig):
    """Isolation forest (Liu, Ting & Zhou 2008)."""

    trees: int = Field(200, description="Trees of the forest.", ge=1, le=10_000)


class IsolationForestDetector(AbstractDetector):
    """How few random cuts isolate a row. The evidence tells distances from the mean: a forest has no channels."""

    name = "isolation_forest"
    kinds = ("level",)

    def __init__(self, config: ForestConfig | None = None, **settings: Any) -> None:
        self.config: ForestConfig = settled(config or ForestConfig(), settings)

    @property
    def memory(self) -> int:
        return 1

    def learn(self, rows: Portions) -> None:
        self._forest = Forest.grow(np.concatenate(rows.learn), trees=self.config.trees, seed=self.config.seed)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return self._forest.arrays()

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._forest = Forest.of_arrays(arrays)

    def assess(self, windows: NDArray[np.float32]) -> Assessment:
        rows = np.ascontiguousarray(windows[:, -1])
        return Assessment(scores=self._forest.scores(rows), evidence=np.abs(rows)[:, :, None].astype(np.float64))


class KMeansConfig(CommonConfig):
    """k-means of windows."""

    length: int = Field(16, description="Rows of a window.", ge=1, le=4096)
    clusters: int = Field(20, description="Centres.", ge=1, le=10_000)


class KMeansDetector(AbstractDetector):
    """Distance of a window from the nearest of the centres that windows gather around (as KMeansAD)."""

    name = "kmeans"
    kinds = ("shape",)

    def __init__(self, config: KMeansConfig | None = None, **settings: Any) -> None:
        self.config: KMeansConfig = settled(config or KMeansConfig(), settings)

    @property
    def memory(self) -> int:
        return self.config.length

    def learn(self, rows: Portions) -> None:
        from sklearn.cluster import KMeans

        parts = [windows.reshape(len(windows), -1) for part in rows.learn for _, windows in sliding(part, self.memory)]
        windows = np.concatenate(parts)
        windows = windows[:: max(1, len(windows) // 10_000)]
        clusters = min(self.config.clusters, len(windows))
        means = KMeans(n_clusters=clusters, n_init=1, random_state=self.config.seed).fit(windows)
        self._centres = means.cluster_centers_.astype(np.float64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"centres": self._centres}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._centres = arrays["centres"]

    def assess(self, windows: NDArray[np.float32]) -> Assessment:
        flat = windows.reshape(len(windows), -1).astype(np.float64)
        squared = (flat**2).sum(1)[:, None] - 2.0 * flat @ self._centres.T + (self._centres**2).sum(1)
        nearest = self._centres[squared.argmin(axis=1)].reshape(windows.shape)
        distance = (windows - nearest) ** 2
        return Assessment(
            scores=np.sqrt(distance.mean(axis=(1, 2))), evidence=np.sqrt(distance.mean(axis=1))[:, :, None]
        )


BASELINES: Final[dict[str, type[AbstractDetector]]] = {
    detector.name: detector for detector in (ZScoreDetector, PcaDetector, IsolationForestDetector, KMeansDetector)
}
"""Detectors by name."""
