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

from triptych.bootstrap.pattern_training import Place, epoch_teller, taken_up
from triptych.bootstrap.provenance import data_hash, versions
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import CandleSeries, Config, utc
from triptych.domain.errors import NotEnoughData
from triptych.features.candle_labels import CANDLE_LABELS, candle_labels, label_quality
from triptych.inference.candle_patterns import CandlePatternNetwork
from triptych.inference.pattern_predictor import open_patterns
from triptych.inference.pattern_reader import AbstractPatternReader
from triptych.training.intervals import block_counts, interval, widening
from triptych.training.multi_label import Config as TrainingConfig
from triptych.training.multi_label import MultiLabelSet, fit_multi_label
from triptych.training.seeds import derive_seed

BLOCK = 480
"""Times that stay together when intervals are drawn, with the candles of every history at them."""
DRAWS = 1000
LEVEL = 0.95
PARTS = {
    "train": "the first {recipe.train_share:.0%}",
    "validation": "the {recipe.validation_share:.0%} behind the part to learn from",
    "test": "what is left behind the first two parts",
}
"""The parts of each history, in order, in words."""
PROBE_WINDOWS = 64
"""Windows on which the exported graph is held against the network."""


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

    def edges(self, n_candles: int) -> tuple[int, int, int, int]:
        """Where training, validation and test part of a history begin, and where the last one ends."""
        until = self.train_share + self.validation_share
        return 0, int(n_candles * self.train_share), int(n_candles * until), n_candles


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """One class on candles that were not learnt from: counts of the test part, and of the training part.

    `interval` is that of its F1, as in `CandlePatternResult`. `quality_error` is the mean distance of the quality from
    the true one where the pattern stands, `usual_quality_error` that of the class's median quality there.
    """

    label: str
    in_training: int
    in_test: int
    precision: float
    recall: float
    f1: float
    interval: tuple[float, float]
    quality_error: float
    usual_quality_error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CandlePatternResult:
    """The network, and how good it is over the classes with enough examples.

    Attributes:
        network: that was judged.
        threshold: of each label the probability from which on it is reported, float32 of shape (122,).
        scores: of all classes.
        macro_f1: mean F1 of the classes with enough examples.
        interval: of it, 95 %, for other times of the same instruments: blocks of time are drawn anew, with the candles
            of all instruments in them, since these move together. Of other instruments it says nothing.
        always: the macro F1 of saying every pattern at every candle.
    """

    network: AbstractPatternReader
    threshold: NDArray[np.float32]
    scores: tuple[ClassScore, ...]
    macro_f1: float
    interval: tuple[float, float]
    always: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    time_ms: NDArray[np.int64]
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
    histories: Sequence[CandleSeries],
    recipe: CandlePatternRecipe,
    folder: Path | None = None,
    *,
    fresh: bool = False,
    tell: Tell = silent,
) -> CandlePatternResult:
    """Train on the first part of every history, choose thresholds on the next, judge on the last.

    Windows of one part hold no candle of another. A network that is complete in the folder is returned as it is; one
    that was stopped goes on from its last epoch and ends with the same weights. `fresh` replaces it.

    Raises NotEnoughData when a part holds no window or no class has enough examples, and as
    `pattern_training.taken_up` and `fit_multi_label`.
    """
    histories = sorted(histories, key=lambda one: (one.symbol, one.fingerprint()))  # any order teaches the same
    with taken_up(folder, recipe, histories, fresh=fresh, tell=tell) as place:
        if folder is not None and place.is_complete:
            return _saved(folder)
        return _trained(histories, recipe, folder, place, tell)


def _trained(
    histories: Sequence[CandleSeries], recipe: CandlePatternRecipe, folder: Path | None, place: Place, tell: Tell
) -> CandlePatternResult:
    parts = _parts(histories, recipe)
    tell(", ".join(f"{name}: {len(part.windows)} windows" for name, part in parts.items()) + ".")
    _require_examples(parts, recipe, histories)
    network = CandlePatternNetwork(
        CANDLE_LABELS, length=recipe.length, width=recipe.width, depth=recipe.depth,
        seed=derive_seed(recipe.seed, "network"),
    )  # fmt: skip
    place.begin()
    fit_multi_label(
        network.network, parts["train"].as_set(), parts["validation"].as_set(), recipe.training,
        derive_seed(recipe.seed, "fit"), on_epoch=epoch_teller(tell, recipe.training.epochs),
        checkpoint=place.checkpoint,
    )  # fmt: skip
    network.threshold = best_thresholds(_ask(network, parts["validation"])[0], parts["validation"].labels)
    result = _judged(network, network.threshold, parts, recipe)
    if folder is not None:
        _save(network, result, folder, histories, recipe, parts["validation"].windows)
    return result


def _saved(folder: Path) -> CandlePatternResult:
    """The result of a saved network, as its card has it."""
    network = open_patterns(folder)
    said = network.card.metrics
    scores = (ClassScore(**{**one, "interval": tuple(one["interval"])}) for one in said["scores"])
    return CandlePatternResult(
        network=network,
        threshold=np.array(network.card.threshold, dtype=np.float32),
        scores=tuple(scores),
        macro_f1=said["macro_f1"],
        interval=(said["interval"][0], said["interval"][1]),
        always=said["always"],
    )


def judge_candle_patterns(
    reader: AbstractPatternReader,
    threshold: Sequence[float],
    histories: Sequence[CandleSeries],
    recipe: CandlePatternRecipe,
) -> CandlePatternResult:
    """Judge a network on the last part of every history, as `train_candle_patterns` does.

    Args:
        reader: a network of all candle patterns, such as a saved one.
        threshold: of each label, the probability from which on it is reported.
        histories: whose last parts it has not learnt from.
        recipe: how the histories are cut, and which classes count.

    Raises NotEnoughData when no class has enough examples.
    """
    parts = _parts(histories, recipe)
    _require_examples(parts, recipe, histories)
    return _judged(reader, np.asarray(threshold, dtype=np.float32), parts, recipe)


def _require_examples(parts: dict[str, _Part], recipe: CandlePatternRecipe, histories: Sequence[CandleSeries]) -> None:
    for name, words in PARTS.items():
        if not len(parts[name].windows):
            raise NotEnoughData(
                f"The {name} part, {words.format(recipe=recipe)} of each history, holds no window of {recipe.length} "
                f"candles: the longest history has {max(map(len, histories), default=0)}.",
                remedy="Bring longer histories: for all common patterns some tens of thousands of candles.",
            )
    counts = parts["train"].labels.sum(axis=0)
    if not (counts >= recipe.least_examples).any():
        raise NotEnoughData(
            f"No candle pattern stands {recipe.least_examples} times in the training part: the most frequent, "
            f"{CANDLE_LABELS[int(counts.argmax())]}, stands {int(counts.max())} times.",
            remedy="Bring more candles, or lower `least_examples` and trust the network less.",
        )


def _judged(
    reader: AbstractPatternReader, threshold: NDArray[np.float32], parts: dict[str, _Part], recipe: CandlePatternRecipe
) -> CandlePatternResult:
    counts = parts["train"].labels.sum(axis=0)
    probability, quality = _ask(reader, parts["test"])
    said, true = probability >= threshold, parts["test"].labels
    enough = counts >= recipe.least_examples
    macro, single = f1_intervals(said, true, parts["test"].time_ms, enough, seed=derive_seed(recipe.seed, "interval"))
    scores = _judge(said, quality, parts["test"], counts, single)
    rates = true[:, enough].mean(axis=0)
    return CandlePatternResult(
        network=reader,
        threshold=threshold,
        scores=scores,
        macro_f1=float(np.mean([score.f1 for score in scores if score.in_training >= recipe.least_examples])),
        interval=macro,
        always=float((2.0 * rates / (1.0 + rates)).mean()),
    )


def _save(
    network: CandlePatternNetwork,
    result: CandlePatternResult,
    folder: Path,
    histories: Sequence[CandleSeries],
    recipe: CandlePatternRecipe,
    windows: NDArray[np.float32],
) -> None:
    """Write the network with what taught it: the candles that weights, epoch and thresholds were chosen by."""
    last = max(int(one.close_time_ms[recipe.edges(len(one))[2] - 1]) for one in histories)
    facts = {"macro_f1": result.macro_f1, "interval": list(result.interval), "always": result.always}
    network.save(
        folder,
        windows[:: max(1, len(windows) // PROBE_WINDOWS)],
        learnt=tuple(one.label for one in result.scores if one.in_training >= recipe.least_examples),
        taught=(utc(min(int(one.open_time_ms[0]) for one in histories)), utc(last)),
        symbols=tuple(sorted(one.symbol for one in histories)),
        data_hash=data_hash(histories),
        recipe=recipe.model_dump(mode="json"),
        metrics={**facts, "scores": [asdict(score) for score in result.scores]},
        versions=versions(),
    )


def f1_intervals(
    said: NDArray[np.bool_], true: NDArray[np.bool_], time_ms: NDArray[np.int64], counted: NDArray[np.bool_], *,
    seed: int,
) -> tuple[tuple[float, float], list[tuple[float, float]]]:  # fmt: skip
    """95 % intervals of the macro F1 over the classes that count, and of the F1 of every class.

    Args:
        said, true: patterns by candle, shape (n_candles, classes).
        time_ms: open times of the candles; several histories share them.
        counted: classes of the macro F1, shape (classes,).
        seed: of the draws.

    Blocks of `BLOCK` times, fewer in a short history, are drawn anew with every history's candles in them, and the
    interval is widened as `training.intervals` says, for there are few blocks.
    """
    times, place = np.unique(time_ms, return_inverse=True)
    block = max(1, min(BLOCK, len(times) // 10))
    weights = block_counts(len(times), block, DRAWS, np.random.default_rng(seed)).T

    def drawn(what: NDArray[np.bool_]) -> NDArray[np.float64]:
        by_time = np.zeros((len(times), what.shape[1]))
        np.add.at(by_time, place, what)
        return weights @ by_time

    f1 = 2.0 * drawn(said & true) / np.maximum(drawn(said) + drawn(true), 1.0)
    both = said.sum(axis=0) + true.sum(axis=0)
    value = 2.0 * (said & true).sum(axis=0) / np.maximum(both, 1)
    stretch = widening(len(times), block, 1, LEVEL)

    def around(figure: float, draws: NDArray[np.float64]) -> tuple[float, float]:
        found = interval(figure, draws, LEVEL, (0.0, 1.0), stretch)
        return found.low, found.high

    single = [around(float(value[column]), f1[:, column]) for column in range(len(value))]
    return around(float(value[counted].mean()), f1[:, counted].mean(axis=1)), single


def _parts(histories: Sequence[CandleSeries], recipe: CandlePatternRecipe) -> dict[str, _Part]:
    cut: dict[str, list[_Part]] = {name: [] for name in PARTS}
    for number, one in enumerate(histories):
        n = len(one)
        where = (one.values, one.open_time_ms, one.timeframe.milliseconds)
        labels = candle_labels(*where)
        quality = label_quality(*where, seed=derive_seed(recipe.seed, "quality", number)).astype(np.float32)
        for name, (start, stop) in zip(cut, pairwise(recipe.edges(n)), strict=True):
            ends = np.arange(start + recipe.length - 1, stop)
            windows = one.windows(ends, recipe.length).astype(np.float32)
            part = _Part(time_ms=one.open_time_ms[ends], windows=windows, labels=labels[ends], quality=quality[ends])
            cut[name].append(part)
    return {
        name: _Part(
            time_ms=np.concatenate([p.time_ms for p in found]),
            windows=np.concatenate([p.windows for p in found]),
            labels=np.concatenate([p.labels for p in found]),
            quality=np.concatenate([p.quality for p in found]),
        )
        for name, found in cut.items()
    }


def _ask(reader: AbstractPatternReader, part: _Part) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    answers = reader.answers(part.windows)
    return answers[..., 0], answers[..., 1]


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
    said: NDArray[np.bool_], quality: NDArray[np.float32], part: _Part, counts: NDArray[np.int64],
    intervals: Sequence[tuple[float, float]],
) -> tuple[ClassScore, ...]:  # fmt: skip
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
                interval=intervals[column], quality_error=float(apart.mean()) if true.any() else 0.0,
                usual_quality_error=float(usual.mean()) if true.any() else 0.0,
            )
        )  # fmt: skip
    return tuple(scores)
