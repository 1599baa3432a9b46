"""Several detectors as one: what one misses another may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.inference.anomaly.base import AbstractDetector, Assessment, named
from triptych.inference.anomaly.calibration import Calibration
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.holding_out import Portions
from triptych.inference.anomaly.parameters import settled
from triptych.inference.anomaly.sliding import sliding


class BlendConfig(CommonConfig):
    """A blend."""

    most_deviations: float = Field(
        12.0, description="Deviations beyond which one member's score counts by its logarithm.", gt=0
    )


class BlendDetector(AbstractDetector):
    """The mean of its members' scores, each in deviations among the held-out rows; scores below the median count 0.

    Its kinds are the members' names with their own kinds, such as "catch level".
    """

    name = "blend"
    parts = ("stop", "calibrate", "threshold")
    arguments = ("members",)

    def __init__(
        self, config: BlendConfig | None = None, *, members: Sequence[AbstractDetector], **settings: Any
    ) -> None:
        self.config: BlendConfig = settled(config or BlendConfig(), settings)
        self.members = tuple(members)

    @property
    def memory(self) -> int:
        return max(member.memory for member in self.members)

    def learn(self, rows: Portions) -> None:
        for member in self.members:
            member.columns_ = self.columns_
            member.learn(rows)
        windows = [chunk for part in rows.calibrate for _, chunk in sliding(part, self.memory)]
        scores = np.concatenate([self._member_scores(chunk) for chunk in windows])
        self._calibration = Calibration.of(scores[:, None, :])
        self._name_kinds()

    def _name_kinds(self) -> None:
        self.kinds = tuple(f"{member.name} {kind}" for member in self.members for kind in member.kinds)

    def arrays(self) -> dict[str, NDArray[Any]]:
        found = {f"calibration.{name}": value for name, value in self._calibration.arrays().items()}
        for i, member in enumerate(self.members):
            found |= {f"{i}.{name}": value for name, value in member.arrays().items()}
        return found

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        for i, member in enumerate(self.members):
            member.columns_ = self.columns_
            member.restore(named(arrays, f"{i}."))
        self._calibration = Calibration(**named(arrays, "calibration."))
        self._name_kinds()

    def assess(self, windows: NDArray[np.float32]) -> Assessment:
        assessed = [member.assess(windows[:, -member.memory :]) for member in self.members]
        scores = np.column_stack([one.scores for one in assessed])
        return Assessment(
            scores=self._blend(scores), evidence=np.concatenate([one.evidence for one in assessed], axis=2)
        )

    def _member_scores(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.column_stack([member.assess(windows[:, -member.memory :]).scores for member in self.members])

    def _blend(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        away = scores - self._calibration.centre[0]
        out = np.maximum(away / self._calibration.above[0], 0.0)
        most = self.config.most_deviations
        # Damped, not cut off: above a cap that the threshold has reached, no row could ever alarm.
        damped = most * (1.0 + np.log(np.maximum(out, most) / most))
        return np.asarray(np.where(out > most, damped, out).mean(axis=1))
