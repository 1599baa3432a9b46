"""Regimes from candles: the hidden Markov filter, and a network whose soft labels are combined with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from triptych.bootstrap.telling import Tell, silent
from triptych.domain import REGIMES, CandleSeries, Config
from triptych.domain.errors import NotEnoughData
from triptych.features import Config as FeaturesConfig
from triptych.features import FeaturePipeline
from triptych.images import create_encoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.multi_label import MultiLabelNetwork
from triptych.inference.regimes import RegimeFilter
from triptych.models import create_model
from triptych.training.multi_label import Config as TrainingConfig
from triptych.training.multi_label import MultiLabelSet, fit_multi_label
from triptych.training.seeds import derive_seed

CHUNK = 512


class RegimeRecipe(Config):
    """How filter and network of regimes are made."""

    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of first weights and order.")
    length: int = Field(96, ge=16, le=1024, description="Candles of a window of the network.")
    stride: int = Field(4, ge=1, le=1000, description="Windows to learn from end at every so many candles.")
    validation_share: float = Field(
        0.2, gt=0, lt=1, description="Last share of the training histories, to choose the best epoch by."
    )
    encoding: dict[str, Any] = Field(
        {"name": "candlestick", "height": 48, "width": 96}, description="How windows are drawn."
    )
    model: dict[str, Any] = Field(
        {"name": "efficientnet_b0", "width": 0.25, "depth": 0.25}, description="The network that reads them."
    )
    training: TrainingConfig = Field(TrainingConfig(epochs=4), description="How it is trained.")


@dataclass(frozen=True, kw_only=True)
class Regimes:
    """Filter, network, and how often the network was taught each regime."""

    filter: RegimeFilter
    network: MultiLabelNetwork
    length: int
    prior: NDArray[np.float64]

    def soft_labels(self, series: CandleSeries) -> NDArray[np.float64]:
        """The network's posterior of each regime at each candle, rows summing to 1; NaN before the first window."""
        ends = np.arange(self.length - 1, len(series))
        found = np.full((len(series), len(REGIMES)), np.nan)
        for at in range(0, len(ends), CHUNK):
            chosen = ends[at : at + CHUNK]
            windows = torch.from_numpy(series.windows(chosen, self.length).astype(np.float32))
            found[chosen] = self.network.answer(windows).probability.double().numpy()
        shares: NDArray[np.float64] = found / np.maximum(found.sum(axis=1, keepdims=True), 1e-9)
        return shares

    def probabilities(self, series: CandleSeries) -> NDArray[np.float64]:
        """Measures and soft labels in one forward filter, shape (n_candles, 5); row t from candles up to t."""
        return self.filter.fused(series, self.soft_labels(series), self.prior)


def rule_labels(series: CandleSeries) -> NDArray[np.float64]:
    """The rules' regimes of each candle, 0 or 1, shape (n_candles, 5); NaN before they are known."""
    pipeline = FeaturePipeline(FeaturesConfig(names=REGIMES, normalisation="none"))
    return pipeline.rows(series.values, series.open_time_ms, series.timeframe.milliseconds)


def train_regimes(histories: Sequence[CandleSeries], recipe: RegimeRecipe, *, tell: Tell = silent) -> Regimes:
    """Fit filter and network on histories that hold the training part only.

    Raises NotEnoughData when they are too short.
    """
    tell("Fitting the hidden Markov model.")
    fitted = RegimeFilter.fit(histories)
    train, validation = [], []
    for one in histories:
        labels = rule_labels(one)
        first = max(recipe.length - 1, int(np.isfinite(labels).all(axis=1).argmax()))
        cut = int(len(one) * (1.0 - recipe.validation_share))
        train.append(_windows(one, labels, np.arange(first, cut, recipe.stride), recipe.length))
        validation.append(_windows(one, labels, np.arange(cut + recipe.length, len(one), recipe.stride), recipe.length))
    drawing = create_encoding(length=recipe.length, **recipe.encoding)
    body = WindowClassifier(
        drawing,
        create_model(
            in_chans=drawing.channels,
            num_classes=len(REGIMES),
            seed=derive_seed(recipe.seed, "network"),
            **recipe.model,
        ),
    )
    network = MultiLabelNetwork(body, REGIMES, ())
    sets = _joined(train), _joined(validation)
    tell(f"The network learns from {len(sets[0])} windows, and is chosen by {len(sets[1])}.")
    fit_multi_label(
        network, *sets, recipe.training, derive_seed(recipe.seed, "fit"),
        on_epoch=lambda e: tell(
            f"Epoch {e.epoch + 1}: training loss {e.train_loss:.4f}, validation loss {e.validation_loss:.4f}."
        ),
    )  # fmt: skip
    share = sets[0].labels.double().mean(dim=0).numpy() + 1e-3
    return Regimes(filter=fitted, network=network, length=recipe.length, prior=share / share.sum())


def _windows(
    one: CandleSeries, labels: NDArray[np.float64], ends: NDArray[np.int64], length: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return one.windows(ends, length).astype(np.float32), labels[ends].astype(np.float32)


def _joined(parts: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> MultiLabelSet:
    windows, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not len(windows):
        raise NotEnoughData(
            "The histories hold no window with a known regime.", remedy="Bring 400 candles or more of each."
        )
    numbers = torch.zeros((len(labels), labels.shape[1], 0))
    return MultiLabelSet(windows=torch.from_numpy(windows), labels=torch.from_numpy(labels), numbers=numbers)
