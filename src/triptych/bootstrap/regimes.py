"""Regimes from candles: the hidden Markov filter, and a network whose soft labels are combined with it.

The network is taught the one regime that the rules give a little later, as the filter is: labels that exclude one
another, so that its answers may be brought to a sum of one. It looks at the candles that the filter's measures are made
of; that is no second witness. How much it counts in the filter is therefore chosen on the validation part, from nothing
to in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from triptych.bootstrap.telling import Tell, silent
from triptych.domain import REGIMES, CandleSeries, Config
from triptych.domain.errors import ArtifactError, NotEnoughData
from triptych.features import Config as FeaturesConfig
from triptych.features import FeaturePipeline
from triptych.images import create_encoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.multi_label import MultiLabelNetwork, load_weights_into, read_card, save_multi_label
from triptych.inference.regime_fitting import AHEAD, later_regimes
from triptych.inference.regimes import RegimeFilter, measures
from triptych.models import create_model
from triptych.training.multi_label import Config as TrainingConfig
from triptych.training.multi_label import MultiLabelSet, fit_multi_label
from triptych.training.seeds import derive_seed

CHUNK = 512
WEIGHTS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Powers of the network's likelihood that are tried; the first of equal ones is taken."""
FILTER: Final = "filter"


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
    """Filter, network, how often the network was taught each regime, and how much it counts (0: not at all)."""

    filter: RegimeFilter
    network: MultiLabelNetwork
    recipe: RegimeRecipe
    prior: NDArray[np.float64]
    weight: float

    @property
    def length(self) -> int:
        """Candles of a window of the network."""
        return self.recipe.length

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
        return self.filter.fused(series, self.soft_labels(series), self.prior, self.weight)

    def save(self, folder: Path) -> Path:
        """Write weights, and a card with the filter, its prior and its weight."""
        facts = {
            "kind": "regimes",
            "recipe": self.recipe.model_dump(mode="json"),
            FILTER: self.filter.as_dict(),
            "prior": self.prior.tolist(),
            "weight": self.weight,
        }
        return save_multi_label(folder, self.network, facts)

    @classmethod
    def load(cls, folder: Path) -> Regimes:
        """Read what `save` wrote. Raises ArtifactError where there is none or it is of another kind."""
        card = read_card(folder)
        if card.get("kind") != "regimes" or card.get("labels") != list(REGIMES):
            raise ArtifactError(f"{folder} holds no network of regimes.", remedy="Train one.")
        recipe = RegimeRecipe.model_validate(card["recipe"])
        return cls(
            filter=RegimeFilter.from_dict(card[FILTER]),
            network=load_weights_into(folder, _built(recipe)),
            recipe=recipe,
            prior=np.array(card["prior"]),
            weight=float(card["weight"]),
        )


def rule_labels(series: CandleSeries) -> NDArray[np.float64]:
    """The rules' regimes of each candle, 0 or 1, shape (n_candles, 5); NaN before they are known."""
    pipeline = FeaturePipeline(FeaturesConfig(names=REGIMES, normalisation="none"))
    return pipeline.rows(series.values, series.open_time_ms, series.timeframe.milliseconds)


def taught_regimes(series: CandleSeries) -> NDArray[np.float64]:
    """What the network is taught, one 1 a candle, shape (n_candles, 5); NaN where it is not known. Looks ahead."""
    later = later_regimes(measures(series))
    return np.where(later[:, None] >= 0, np.eye(len(REGIMES))[later], np.nan)


def _built(recipe: RegimeRecipe) -> MultiLabelNetwork:
    drawing = create_encoding(length=recipe.length, **recipe.encoding)
    model = create_model(
        in_chans=drawing.channels, num_classes=len(REGIMES), seed=derive_seed(recipe.seed, "network"), **recipe.model
    )
    return MultiLabelNetwork(WindowClassifier(drawing, model), REGIMES, ())


def train_regimes(histories: Sequence[CandleSeries], recipe: RegimeRecipe, *, tell: Tell = silent) -> Regimes:
    """Fit filter and network on histories that hold the training part only.

    Raises NotEnoughData when they are too short.
    """
    tell("Fitting the hidden Markov model.")
    fitted = RegimeFilter.fit(histories)
    for note in fitted.notes():
        tell(note)
    train, validation, later = [], [], []
    for one in histories:
        labels = taught_regimes(one)
        known = np.flatnonzero(np.isfinite(labels).all(axis=1))
        cut = int(len(one) * (1.0 - recipe.validation_share))
        learnt = known[(known >= recipe.length - 1) & (known < cut - AHEAD)]
        judged = known[known >= cut + recipe.length]
        train.append(_windows(one, labels, learnt[:: recipe.stride], recipe.length))
        validation.append(_windows(one, labels, judged[:: recipe.stride], recipe.length))
        later.append((one, judged, labels))
    network = _built(recipe)
    sets = _joined(train), _joined(validation)
    tell(f"The network learns from {len(sets[0])} windows, and is chosen by {len(sets[1])}.")
    fit_multi_label(
        network, *sets, recipe.training, derive_seed(recipe.seed, "fit"),
        on_epoch=lambda e: tell(
            f"Epoch {e.epoch + 1}: training loss {e.train_loss:.4f}, validation loss {e.validation_loss:.4f}."
        ),
    )  # fmt: skip
    share = sets[0].labels.double().mean(dim=0).numpy() + 1e-3
    made = Regimes(filter=fitted, network=network, recipe=recipe, prior=share / share.sum(), weight=0.0)
    made = replace(made, weight=_best_weight(made, later))
    tell(f"In the filter the network counts with a power of {made.weight:g}.")
    return made


def _best_weight(made: Regimes, later: Sequence[tuple[CandleSeries, NDArray[np.int64], NDArray[np.float64]]]) -> float:
    """The power of the network's likelihood with the least log loss on the validation parts."""
    loss = np.zeros(len(WEIGHTS))
    for one, at, labels in later:
        if not len(at):
            continue
        soft = made.soft_labels(one)
        for i, weight in enumerate(WEIGHTS):
            told = made.filter.fused(one, soft, made.prior, weight)[at]
            loss[i] -= np.log(np.maximum(told[labels[at] == 1.0], 1e-12)).sum()
    return WEIGHTS[int(loss.argmin())]


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
