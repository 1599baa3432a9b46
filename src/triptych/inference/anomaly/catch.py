"""The CATCH detector: what the network cannot reconstruct, with what its normalisation hides put back beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from triptych.inference.anomaly import evidence as kinds_of
from triptych.inference.anomaly.base import AbstractDetector, Assessment, named
from triptych.inference.anomaly.calibration import Calibration
from triptych.inference.anomaly.common_config import CommonConfig
from triptych.inference.anomaly.cross_channel import KINDS, CrossChannel, KnownRows
from triptych.inference.anomaly.holding_out import Portions
from triptych.inference.anomaly.parameters import settled
from triptych.inference.anomaly.sliding import sliding
from triptych.models.catch import Catch, ConditionalCatch, build_catch
from triptych.models.catch import Config as NetworkConfig

_PIECE = 128
"""Windows that go through the network at a time: what lies between its layers stays in the processor's cache."""

Network = Catch | ConditionalCatch
Learner = Callable[[Network, Sequence[NDArray[np.float32]], Sequence[NDArray[np.float32]], int], None]
"""Trains a network in place: network, stretches to learn from, stretches to validate on, seed."""

SMALL = NetworkConfig(
    length=96, embedding=32, layers=2, heads=2, head_size=16, feed_forward=64, width=48, head_layers=1, head_rank=4,
    dropout=0.0,
)  # fmt: skip
"""A network that a laptop trains in half a minute: the sizes near those of TAB's one setting for all data sets."""
FORETELLING = SMALL.model_copy(update={"hidden_rows": 16})
"""The same, foretelling hidden rows: better on markets, worse on some machines (see `docs/explanation/catch.md`)."""


class Config(CommonConfig):
    """The CATCH detector."""

    held_out: float = Field(
        0.4,
        description="Share of the rows that are not learnt from, at least: they stop the training, calibrate and set "
        "the threshold, each of them one. More are held out where these need more.",
        gt=0,
        le=0.6,
    )
    network: NetworkConfig = Field(SMALL, description="Sizes of the network.")
    focus: int = Field(16, description="Last rows of a window whose errors count for its last row.", ge=4, le=4096)
    groups: int = Field(4, description="Groups of frequencies in which errors are judged.", ge=1, le=64)
    placement: Literal["causal", "centred"] = Field(
        "causal",
        description="`causal`: the score of a row looks back only. `centred`: it is the mean of its causal score and "
        "those of the `focus` - 1 rows behind it, for histories that have ended.",
    )
    momentary: float = Field(
        2.0,
        description="Deviations that evidence of few rows must exceed to count; what has lasted counts from 0 on.",
        ge=0,
    )
    most_deviations: float = Field(
        8.0, description="Deviations beyond that at which one kind of evidence is capped.", gt=0
    )
    device: str = Field("cpu", description="Where the network runs: cpu, cuda, cuda:1, mps.")


class CatchDetector(AbstractDetector):
    """CATCH behind PyOD's conventions.

    For each channel it weighs: the energy of the reconstruction error in groups of frequencies; the value, the level
    and the restlessness of the channel, outside the window's normalisation; and what the other channels say of it (see
    `CrossChannel`). Each is measured in deviations among held-out normal rows, on both sides: an error that is too
    small is as telling as one that is too large, because a frozen feed is easy to reconstruct.
    """

    name = "catch"
    parts = ("stop", "calibrate", "threshold")
    arguments = ("learner", "build")

    def __init__(
        self,
        config: Config | None = None,
        *,
        learner: Learner,
        build: Callable[..., Network] | None = None,
        **settings: Any,
    ) -> None:
        """Prepare a detector.

        Args:
            config: see `Config`; `settings` change single ones.
            learner: trains the network (see `triptych.create_detector`).
            build: makes the network, as `build_catch` does, which None takes; for ablations.
        """
        self.config: Config = settled(config or Config(), settings)
        self.learner = learner
        self.build = build

    @property
    def memory(self) -> int:
        return self.config.network.length

    def learn(self, rows: Portions) -> None:
        channels = rows.learn[0].shape[1]
        self.network = (self.build or build_catch)(channels, self.config.network, seed=self.config.seed)
        if isinstance(self.network, ConditionalCatch):
            self.network.begin([torch.from_numpy(np.ascontiguousarray(one)) for one in rows.learn])
        self.learner(self.network, rows.learn, rows.stop, self.config.seed)
        self.network.eval().to(self.config.device)
        self.cross_ = CrossChannel.learn(rows.learn, self.memory, self.columns_)
        self.prepare(channels)
        seen = [self._raw(windows) for part in rows.calibrate for _, windows in sliding(part, self.memory)]
        self.calibration_ = Calibration.of(np.concatenate(seen), together=self._together)

    def arrays(self) -> dict[str, NDArray[Any]]:
        found = {f"network.{name}": value.cpu().numpy() for name, value in self.network.state_dict().items()}
        found |= {f"cross.{name}": value for name, value in self.cross_.arrays().items()}
        return found | {f"calibration.{name}": value for name, value in self.calibration_.arrays().items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        channels = len(self.columns_)
        self.network = build_catch(channels, self.config.network, seed=self.config.seed)
        state = {name: torch.from_numpy(value) for name, value in named(arrays, "network.").items()}
        self.network.load_state_dict(state)
        self.network.eval().to(self.config.device)
        self.cross_ = CrossChannel.of_arrays(named(arrays, "cross."), self.memory)
        self.calibration_ = Calibration(**named(arrays, "calibration."))
        self.prepare(channels)

    @property
    def parameters(self) -> int:
        return sum(one.numel() for one in self.network.parameters())

    def prepare(self, channels: int) -> None:
        """Name the kinds of evidence for so many channels."""
        if self.config.network.hidden_rows:
            first: tuple[str, ...] = kinds_of.FORETOLD
        else:
            first = kinds_of.band_names(self.config.focus, self.config.groups)
        self.kinds = (*first, "value", "level", "activity", *(KINDS if channels > 1 else KINDS[:-2]))
        lasting = np.array([kind in ("decoupling", "parting") for kind in self.kinds])
        self._together = np.array([kind == "parting" for kind in self.kinds])
        self._momentary = np.where(lasting, 0.0, self.config.momentary)

    def assess(self, windows: NDArray[np.float32]) -> Assessment:
        return self._assessment(self._raw(windows))

    def follow(
        self, windows: NDArray[np.float32], before: Sequence[object | None]
    ) -> tuple[Assessment, Sequence[object | None]]:
        known = [one if isinstance(one, KnownRows) else None for one in before]
        crossed, known_now = self.cross_.followed(windows, known, self.config.focus)
        return self._assessment(np.concatenate([self._alone(windows), crossed], axis=-1)), known_now

    def _assessment(self, raw: NDArray[np.float64]) -> Assessment:
        bound = self.config.most_deviations + self._momentary
        deviations = self.calibration_.deviations(raw, bound=bound)
        return Assessment(scores=combine(deviations, self._momentary), evidence=deviations)

    def latent(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The state of the network at the last row of scaled windows, (n_windows, width): its mean token."""
        with torch.inference_mode():
            x_BTC = torch.from_numpy(np.array(windows)).to(self.config.device)
            tokens = self.network.tokens(x_BTC).float().cpu()
        return tokens.mean(dim=(1, 2)).numpy().astype(np.float64)

    def _raw(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Uncalibrated evidence, (n_windows, channels, kinds)."""
        return np.concatenate([self._alone(windows), self.cross_.evidence(windows, self.config.focus)], axis=-1)

    def _alone(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """That of the network and of each channel by itself."""
        focus = self.config.focus
        with torch.inference_mode():
            x_BTC = torch.from_numpy(np.array(windows))
            there = x_BTC.to(self.config.device)
            pieces = [there[first : first + _PIECE] for first in range(0, max(len(there), 1), _PIECE)]
            if self.config.network.hidden_rows:
                told = torch.cat([self.network(piece).float().cpu() for piece in pieces])
                of_network = kinds_of.foretold(x_BTC, told, focus)
            else:
                made = torch.cat([self.network(piece, last=focus).float().cpu() for piece in pieces])
                edges = kinds_of.group_edges(focus, self.config.groups)
                of_network = kinds_of.band_energies(x_BTC[:, -focus:] - made, edges)
            # What shows at once is looked for in few rows.
            own = [
                of_network,
                x_BTC[:, -1, :, None],
                kinds_of.level(x_BTC[:, -max(focus // 2, 2) :])[..., None],
                kinds_of.activity(x_BTC[:, -max(focus // 4, 3) :])[..., None],
            ]
            return np.asarray(torch.cat(own, dim=-1).numpy().astype(np.float64))

    def _stretch_scores(self, stretch: NDArray[np.float32]) -> NDArray[np.float64]:
        scores = super()._stretch_scores(stretch)
        if self.config.placement == "centred":
            return ahead_mean(scores, self.config.focus)
        return scores


def combine(deviations: NDArray[np.float64], momentary: NDArray[np.float64]) -> NDArray[np.float64]:
    """One number of (n, channels, kinds): root mean square of what exceeds `momentary`, (kinds,)."""
    beyond = np.maximum(deviations - momentary, 0.0)
    return np.asarray(np.sqrt((beyond**2).mean(axis=(1, 2))))


def ahead_mean(scores: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """Mean over each row and the `rows` - 1 after it (fewer at the end), by cumulative sums. Same shape."""
    total = np.concatenate(([0.0], np.cumsum(scores)))
    first = np.arange(len(scores))
    end = np.minimum(first + rows, len(scores))
    return np.asarray((total[end] - total[first]) / (end - first))
