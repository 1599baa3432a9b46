"""From a recipe to its parts: labels, folds, the untrained classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from triptych.bootstrap.candles import Candles
from triptych.domain import CANDLE_FIELDS, CandleSeries
from triptych.domain.errors import NotEnoughData, RecipeError
from triptych.images import AbstractEncoding, load
from triptych.inference import FactorRows, WindowClassifier, known_windows
from triptych.models import build_network, create_model, parameter_cap
from triptych.models.multi_task import MultiTaskNetwork, body_of
from triptych.models.sequence import PRESETS, SequenceNetwork
from triptych.models.siamese import SiameseNetwork
from triptych.settings import Recipe
from triptych.training.samples import Samples
from triptych.training.seeds import derive_seed
from triptych.training.splits import Fold, Segment, split
from triptych.training.targets import UNKNOWN, Targets, label
from triptych.training.tasks.config import Task
from triptych.training.tasks.figures import figure_of
from triptych.training.windows import WindowSet

CLASS_COUNT = 3


def build_encoding(recipe: Recipe) -> AbstractEncoding:
    """The encoding of a recipe. Raises RecipeError when it does not draw what the recipe's windows hold."""
    encoding: AbstractEncoding = load(recipe.encoding.name).build(recipe.encoding, recipe.window.length)
    rows = factor_rows(recipe)
    _require_same_timeframes(recipe)
    reads_candles = encoding.columns == CANDLE_FIELDS
    if rows is None and not reads_candles:
        raise RecipeError(
            f"The encoding {recipe.encoding.name} draws {len(encoding.columns)} columns, and a window of candles has "
            f"{len(CANDLE_FIELDS)}.",
            remedy="Name the factors it shall draw under features.names, or choose an encoding of candles.",
        )
    if rows is not None and reads_candles:
        raise RecipeError(
            f"The encoding {recipe.encoding.name} draws candles, and the windows hold factors.",
            remedy="Choose encoding.name = 'sequence' or 'factor_grid', or empty features.names.",
        )
    return encoding


def _require_same_timeframes(recipe: Recipe) -> None:
    """A network with an encoder for each timeframe must be fed these."""
    preset = PRESETS.get(recipe.model.name)
    read = () if preset is None else preset.with_wishes(recipe.model.sequence).periods
    if read and read != recipe.features.periods:
        raise RecipeError(
            f"{recipe.model.name} reads timeframes of {list(read)} candles, and features.periods makes "
            f"{list(recipe.features.periods)}.",
            remedy="Set features.periods and model.sequence.periods to the same list.",
        )


def factor_rows(recipe: Recipe) -> FactorRows | None:
    """What makes the rows that a recipe's network reads; None when it reads raw candles."""
    return FactorRows(recipe.features) if recipe.features.names else None


def build_classifier(recipe: Recipe, fold: int = 0) -> WindowClassifier:
    """The untrained classifier: its first weights depend on the recipe's seed and the fold only."""
    encoding = build_encoding(recipe)
    seed = derive_seed(recipe.seed, "network", fold)
    with torch.random.fork_rng(devices=[]):  # torch's own layers draw first weights of theirs before ours are drawn
        tasks, learns_likeness = recipe.training.tasks.names, recipe.siamese.loss != "none"
        outputs = recipe.siamese.dimension if learns_likeness else CLASS_COUNT + len(tasks)
        network = build_network(recipe.model, encoding.channels, outputs, seed=seed)
    if learns_likeness:
        network = SiameseNetwork(network, dimension=outputs, entries=1, classes=CLASS_COUNT)
    if tasks:
        network = MultiTaskNetwork(network, tasks, classes=CLASS_COUNT)
    return WindowClassifier(encoding, network)


def require_labels_for(recipe: Recipe, classifier: WindowClassifier, train: Samples) -> None:
    """Raise RecipeError when a network of sequences has more parameters than the independent labels can feed.

    The error names the largest factor of the width that fits.
    """
    network, least = body_of(classifier.network), recipe.model.sequence.labels_per_parameter
    if not isinstance(network, SequenceNetwork) or least == 0:
        return
    cap, count = parameter_cap(train.effective_n, least), _parameters(network)
    if count <= cap:
        return
    width = _width_within(recipe, network.in_chans, cap)
    smaller = "Lower model.depth" if width is None else f"Set model.width to {width}, or lower model.depth"
    raise RecipeError(
        f"{recipe.model.name} has {count:,} parameters. Its {len(train):,} windows to learn from are worth "
        f"{train.effective_n:,.0f} independent labels, which feed {cap:,}.",
        remedy=f"{smaller}; bring more candles or instruments, or shorten target.horizon. "
        "model.sequence.labels_per_parameter sets the limit, 0 lifts it.",
    )


def _width_within(recipe: Recipe, columns: int, cap: int) -> float | None:
    """The largest of some factors of the width with which the network keeps within the cap; None for none of them."""
    for share in (0.75, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 0.06):
        width = round(share * recipe.model.width, 3)
        narrower = recipe.model.model_copy(update={"width": width})
        try:
            with torch.device("meta"):
                network = create_model(in_chans=columns, num_classes=CLASS_COUNT, **narrower.as_options())
        except RecipeError:
            continue
        if _parameters(network) <= cap:
            return width
    return None


def _parameters(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Candles with their labels and folds.

    `rows` holds what the network reads of each series where that is not the candles themselves.
    """

    series: tuple[CandleSeries, ...]
    companions: Mapping[str, CandleSeries]
    rows: tuple[NDArray[np.float32], ...] | None
    targets: tuple[Targets, ...]
    folds: tuple[Fold, ...]
    recipe: Recipe

    @classmethod
    def of(cls, recipe: Recipe, candles: Candles) -> Dataset:
        """Compute factors, label and split. Raises NotEnoughData with what is missing."""
        series, length, companions = candles.series, recipe.window.length, candles.beside(recipe)
        targets = tuple(label(one, recipe.target) for one in series)
        rows = rows_of(recipe, series, companions)
        if rows is not None:
            targets = tuple(_only_where(known_windows(r, length), t) for r, t in zip(rows, targets, strict=True))
        folds = tuple(split(series, targets, recipe.split, length=length))
        dataset = cls(series=series, companions=companions, rows=rows, targets=targets, folds=folds, recipe=recipe)
        dataset._require_strides()
        return dataset

    def _require_strides(self) -> None:
        """The stride thins out what a network learns from and stops by; something must be left of it."""
        stride = self.recipe.window.stride
        for fold in self.folds:
            for segment, least in ((fold.train, 2), (fold.validation, 1)):
                left = sum(int((index % stride == 0).sum()) for index in segment.indices)
                if left < least:
                    raise NotEnoughData(
                        f"A stride of {stride} leaves {left} of the {len(segment)} samples of the {segment.name} "
                        f"segment of fold {fold.number}.",
                        remedy="Lower window.stride.",
                    )

    def samples(self, segment: Segment) -> Samples:
        """Samples of a segment: every `stride`-th candle where the network learns, every candle where it is judged."""
        stride = 1 if segment.name == "test" else self.recipe.window.stride
        return Samples.of(self.series, self.targets, segment, stride=stride)

    def windows(self, segment: Segment) -> WindowSet:
        """Windows of a segment, ready to be gathered in batches."""
        samples = self.samples(segment)
        returns = None
        if self.recipe.model.sequence.return_head:
            every = np.concatenate([one.forward_return for one in self.targets])
            starts = np.concatenate(([0], np.cumsum([len(one) for one in self.targets])))
            returns = every[starts[samples.instrument] + samples.index]
        figures = None
        if self.recipe.training.tasks.names:
            figures = np.column_stack([self.figures(task, samples) for task in self.recipe.training.tasks.names])
        return WindowSet.of(
            self.series, samples, length=self.recipe.window.length, rows=self.rows, returns=returns, figures=figures
        )

    def figures(self, task: Task, samples: Samples) -> NDArray[np.float64]:
        """What followed each sample in figures, shape (n_samples,); NaN where it is not known."""
        found = [figure_of(task, one, target) for one, target in zip(self.series, self.targets, strict=True)]
        starts = np.concatenate(([0], np.cumsum([len(one) for one in found])))
        every: NDArray[np.float64] = np.concatenate(found)
        return every[starts[samples.instrument] + samples.index]


def rows_of(
    recipe: Recipe, series: tuple[CandleSeries, ...], companions: Mapping[str, CandleSeries]
) -> tuple[NDArray[np.float32], ...] | None:
    """What the network reads of each series; None when that is the candles themselves.

    Raises RecipeError when the encoding draws another number of columns, NotEnoughData when no window is known.
    """
    maker = factor_rows(recipe)
    if maker is None:
        return None
    drawn = len(build_encoding(recipe).columns)
    found = []
    for one in series:
        rows = maker.rows(one, companions)
        if rows.shape[1] != drawn:
            raise RecipeError(
                f"{one.symbol}: {len(maker.columns)} factors of {1 + len(maker.beside(one.symbol))} instruments"
                f"{'' if len(maker.periods) == 1 else f' in {len(maker.periods)} timeframes'} make "
                f"{rows.shape[1]} columns, and the encoding {recipe.encoding.name} draws {drawn}.",
                remedy="Set encoding.factors and encoding.channels to these numbers"
                f"{'' if len(maker.periods) == 1 else ', channels to instruments times timeframes'}.",
            )
        if not known_windows(rows, recipe.window.length).any():
            raise NotEnoughData(
                f"{one.symbol}: {len(one)} candles hold no window of {recipe.window.length} in which every factor is "
                f"known; the factors settle after {maker.warm_up}.",
                remedy="Bring more candles, of every companion too, or shorten window.length or features.window.",
            )
        found.append(rows)
    return tuple(found)


def windows_at(
    recipe: Recipe, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries]
) -> NDArray[np.float32]:
    """What the network reads at the closes of candles `ends`: float32 of shape (n, window length, columns)."""
    rows = rows_of(recipe, (series,), companions)
    values = series.values if rows is None else rows[0]
    windows: NDArray[np.float32] = values[ends[:, None] + np.arange(1 - recipe.window.length, 1)].astype(np.float32)
    return windows


def first_end(recipe: Recipe) -> int:
    """The first candle of a history at whose close a prediction can be made."""
    maker = factor_rows(recipe)
    return recipe.window.length - 1 + (0 if maker is None else maker.warm_up)


def _only_where(known: NDArray[np.bool_], targets: Targets) -> Targets:
    """The labels of candles whose window is known; a sample must not depend on how it turned out, and this does not."""
    return replace(targets, classes=np.where(known, targets.classes, UNKNOWN).astype(np.int8))
