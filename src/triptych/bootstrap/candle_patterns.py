"""The network of candle patterns: taught TA-Lib's labels on real candles, judged on later ones, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from triptych.bootstrap.telling import Tell, silent
from triptych.domain import CandleSeries, Config
from triptych.domain.errors import NotEnoughData
from triptych.features.candle_labels import CANDLE_LABELS, candle_labels, label_quality
from triptych.inference.candle_patterns import CandlePatternNetwork
from triptych.training.multi_label import Config as TrainingConfig
from triptych.training.multi_label import MultiLabelSet, fit_multi_label
from triptych.training.seeds import derive_seed

BLOCK = 480
"""Candles that stay together when intervals are drawn."""


class CandlePatternRecipe(Config):
    """How the network of candle patterns is made."""

    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of first weights, order and qualities.")
    length: int = Field(16, ge=8, le=64, description="Candles of a window; TA-Lib looks back 14 at most.")
    width: int = Field(256, ge=8, le=4096, description="Units of each hidden layer.")
    depth: int = Field(3, ge=1, le=16, description="Hidden layers.")
    train_share: float = Field(0.7, gt=0, lt=1, description="Share of each history, from its start, to learn from.")
    validation_share: float = Field(0.1, gt=0, lt=1, description="Share after it to choose epoch and thresholds by.")
    least_examples: int = Field(
        500, ge=1, description="Occurrences in the training part from which on a class is judged."
    )
    training: TrainingConfig = Field(
        TrainingConfig(epochs=12, batch_size=512, learning_rate=3e-3, weight_decay=0.001, numbers_weight=1.0),
        description="How it is trained.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """One class on candles that were not learnt from: counts of the test part, and of the training part.

    `quality_error` is the mean distance of the quality from the true one where the pattern stands,
    `usual_quality_error` that of the class's median quality there.
    """

    label: str
    in_training: int
    in_test: int
    precision: float
    recall: float
    f1: float
    quality_error: float
    usual_quality_error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CandlePatternResult:
    """The network, and how good it is over the classes with enough examples.

    Attributes:
        network: with its thresholds.
        scores: of all classes.
        macro_f1: mean F1 of the classes with enough examples.
        interval: of it, 95 %, by blocks of `BLOCK` candles drawn anew.
        always: the macro F1 of saying every pattern at every candle.
    """

    network: CandlePatternNetwork
    scores: tuple[ClassScore, ...]
    macro_f1: float
    interval: tuple[float, float]
    always: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    windows: NDArray[np.float32]
    labels: NDArray[np.bool_]
    quality: NDArray[np.float32]

    def as_set(self) -> MultiLabelSet:
        numbers = np.where(self.labels, self.quality, np.nan).astype(np.float32)[..., None]
        return MultiLabelSet(
            windows=torch.from_numpy(self.windows),
            labels=torch.from_numpy(self.labels.astype(np.float32)),
            numbers=torch.from_numpy(numbers),
        )


def train_candle_patterns(
    histories: Sequence[CandleSeries], recipe: CandlePatternRecipe, folder: Path | None = None, *, tell: Tell = silent
) -> CandlePatternResult:
    """Train on the first part of every history, choose thresholds on the next, judge on the last.

    Windows of one part hold no candle of another. Raises NotEnoughData when no class has enough examples.
    """
    parts = _parts(histories, recipe)
    tell(", ".join(f"{name}: {len(part.windows)} windows" for name, part in parts.items()) + ".")
    counts = parts["train"].labels.sum(axis=0)
    if not (counts >= recipe.least_examples).any():
        raise NotEnoughData(
            f"No candle pattern stands {recipe.least_examples} times in the training part.",
            remedy="Bring more candles or lower `least_examples`.",
        )
    network = CandlePatternNetwork(
        CANDLE_LABELS, length=recipe.length, width=recipe.width, depth=recipe.depth,
        seed=derive_seed(recipe.seed, "network"),
    )  # fmt: skip
    fit_multi_label(
        network.network, parts["train"].as_set(), parts["validation"].as_set(), recipe.training,
        derive_seed(recipe.seed, "fit"),
        on_epoch=lambda e: tell(
            f"Epoch {e.epoch + 1} of {recipe.training.epochs}: training loss {e.train_loss:.4f}, validation loss "
            f"{e.validation_loss:.4f}."
        ),
    )  # fmt: skip
    network.threshold = best_thresholds(_ask(network, parts["validation"])[0], parts["validation"].labels)
    probability, quality = _ask(network, parts["test"])
    said, true = probability >= network.threshold, parts["test"].labels
    scores = _judge(said, quality, parts["test"], counts)
    judged = [score for score in scores if score.in_training >= recipe.least_examples]
    rates = np.array([score.in_test / max(len(true), 1) for score in judged])
    enough = counts >= recipe.least_examples
    result = CandlePatternResult(
        network=network,
        scores=scores,
        macro_f1=float(np.mean([score.f1 for score in judged])),
        interval=macro_f1_interval(said[:, enough], true[:, enough], seed=derive_seed(recipe.seed, "interval")),
        always=float((2.0 * rates / (1.0 + rates)).mean()),
    )
    if folder is not None:
        facts = {"macro_f1": result.macro_f1, "interval": list(result.interval), "always": result.always}
        classes = {"scores": [asdict(score) for score in scores]}
        network.save(folder, {"recipe": recipe.model_dump(mode="json"), **facts, **classes})
    return result


def macro_f1_interval(
    said: NDArray[np.bool_], true: NDArray[np.bool_], *, seed: int, draws: int = 500
) -> tuple[float, float]:
    """95 % interval of the macro F1: blocks of `BLOCK` candles drawn anew, so that neighbours stay together.

    Args:
        said, true: patterns by candle, shape (n_candles, classes).
        seed: of the draws.
        draws: how many.
    """
    starts = np.arange(0, len(said), BLOCK)
    hits, claims, stands = (np.add.reduceat(x.astype(np.int64), starts, axis=0) for x in (said & true, said, true))
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(draws):
        chosen = rng.integers(len(starts), size=len(starts))
        total = claims[chosen].sum(axis=0) + stands[chosen].sum(axis=0)
        means.append(float((2.0 * hits[chosen].sum(axis=0) / np.maximum(total, 1)).mean()))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _parts(histories: Sequence[CandleSeries], recipe: CandlePatternRecipe) -> dict[str, _Part]:
    cut: dict[str, list[_Part]] = {"train": [], "validation": [], "test": []}
    for number, one in enumerate(histories):
        n = len(one)
        where = (one.values, one.open_time_ms, one.timeframe.milliseconds)
        labels = candle_labels(*where)
        quality = label_quality(*where, seed=derive_seed(recipe.seed, "quality", number)).astype(np.float32)
        edges = [0, int(n * recipe.train_share), int(n * (recipe.train_share + recipe.validation_share)), n]
        for name, (start, stop) in zip(cut, pairwise(edges), strict=True):
            ends = np.arange(start + recipe.length - 1, stop)
            windows = one.windows(ends, recipe.length).astype(np.float32)
            cut[name].append(_Part(windows=windows, labels=labels[ends], quality=quality[ends]))
    return {
        name: _Part(
            windows=np.concatenate([p.windows for p in found]),
            labels=np.concatenate([p.labels for p in found]),
            quality=np.concatenate([p.quality for p in found]),
        )
        for name, found in cut.items()
    }


def _ask(network: CandlePatternNetwork, part: _Part) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    answers = [
        network.network.answer(torch.from_numpy(part.windows[at : at + 8192]))
        for at in range(0, len(part.windows), 8192)
    ]
    probability = torch.cat([a.probability for a in answers]).numpy()
    return probability, torch.cat([a.numbers for a in answers]).numpy()[..., 0]


def best_thresholds(probability: NDArray[np.float32], labels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Of each class the threshold with the highest F1; 0.5 for a class that never stands. Shape (classes,)."""
    chosen = np.full(labels.shape[1], 0.5, dtype=np.float32)
    for column in np.flatnonzero(labels.any(axis=0)):
        order = np.argsort(-probability[:, column], kind="stable")
        hits = np.cumsum(labels[order, column])
        f1 = 2.0 * hits / (np.arange(1, len(order) + 1) + hits[-1])
        best = int(f1.argmax())
        following = probability[order[min(best + 1, len(order) - 1)], column]
        chosen[column] = (probability[order[best], column] + following) / 2.0
    return np.clip(chosen, 0.02, 0.98)


def _judge(
    said: NDArray[np.bool_], quality: NDArray[np.float32], part: _Part, counts: NDArray[np.int64]
) -> tuple[ClassScore, ...]:
    scores = []
    for column, label in enumerate(CANDLE_LABELS):
        true = part.labels[:, column]
        hits = int((said[:, column] & true).sum())
        precision, recall = hits / max(int(said[:, column].sum()), 1), hits / max(int(true.sum()), 1)
        real = part.quality[true, column]
        apart, usual = np.abs(quality[true, column] - real), np.abs(real - np.median(real)) if true.any() else real
        scores.append(
            ClassScore(
                label=label, in_training=int(counts[column]), in_test=int(true.sum()), precision=precision,
                recall=recall, f1=2 * hits / max(int(said[:, column].sum()) + int(true.sum()), 1),
                quality_error=float(apart.mean()) if true.any() else 0.0,
                usual_quality_error=float(usual.mean()) if true.any() else 0.0,
            )
        )  # fmt: skip
    return tuple(scores)
