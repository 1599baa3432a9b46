"""From a recipe to its parts: labels, folds, the untrained classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from triptych.bootstrap.book_networks import refuse_taught_by_books
from triptych.bootstrap.candle_books import windows_without_books
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.feature_detectors import refuse_seen_detector
from triptych.bootstrap.other_markets import begin_elsewhere
from triptych.bootstrap.pattern_networks import refuse_taught
from triptych.bootstrap.windowing import cut_windows, labels_of, reach, split_of, tables_of
from triptych.domain import CANDLE_FIELDS, CandleSeries
from triptych.domain.errors import NotEnoughData, RecipeError
from triptych.features.targets import UNKNOWN, Targets
from triptych.images import AbstractEncoding, load
from triptych.images.factor_grid import correlation_order
from triptych.inference import Columns, WindowClassifier, WindowRows
from triptych.models import build_network, create_model, parameter_cap
from triptych.models.multi_task import MultiTaskNetwork, body_of
from triptych.models.outside import is_outside, require_outside_reads
from triptych.models.sequence import PRESETS, SequenceNetwork
from triptych.models.siamese import SiameseNetwork
from triptych.settings import Recipe
from triptych.training.samples import Samples, thinned
from triptych.training.seeds import derive_seed
from triptych.training.splits import Fold, Segment, split, windows_without_gaps
from triptych.training.tasks.config import Task
from triptych.training.tasks.figures import figure_of
from triptych.training.windows import WindowSet

CLASS_COUNT = 3


def build_encoding(recipe: Recipe) -> AbstractEncoding:
    """The encoding of a recipe. Raises RecipeError when it does not draw what the recipe's windows hold."""
    encoding: AbstractEncoding = load(recipe.encoding.name).build(recipe.encoding, recipe.window.length)
    _require_same_timeframes(recipe)
    drawn = Columns(encoding.columns)
    if not recipe.features.names and drawn.factors:
        raise RecipeError(
            f"The encoding {recipe.encoding.name} draws {len(encoding.columns)} columns, and a window of candles has "
            f"{len(CANDLE_FIELDS)}.",
            remedy="Name the factors it shall draw under features.names, or choose an encoding of candles.",
        )
    if recipe.features.names and not drawn.factors:
        what = "order books" if not drawn.draws_candles else "candles and order books" if drawn.levels else "candles"
        raise RecipeError(
            f"The encoding {recipe.encoding.name} draws {what}, and the windows hold factors.",
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


def build_classifier(recipe: Recipe, fold: int = 0) -> WindowClassifier:
    """The classifier that a training begins with: the fresh one, filled with weights of other markets where the recipe
    says so. Raises what `begin_elsewhere` raises.
    """
    classifier = fresh_classifier(recipe, fold)
    begin_elsewhere(body_of(classifier.network), recipe)
    return classifier


def fresh_classifier(recipe: Recipe, fold: int = 0) -> WindowClassifier:
    """The untrained classifier: its first weights depend on the recipe's seed and the fold only."""
    encoding = build_encoding(recipe)
    seed = derive_seed(recipe.seed, "network", fold)
    with torch.random.fork_rng(devices=[]):  # torch's own layers draw first weights of theirs before ours are drawn
        tasks, learns_likeness = recipe.training.tasks.names, recipe.siamese.loss != "none"
        outputs = recipe.siamese.dimension if learns_likeness else CLASS_COUNT + len(tasks)
        network = build_network(recipe.model, encoding.channels, outputs, seed=seed)
    if is_outside(recipe.model.name):
        require_outside_reads(recipe.model.name, network, encoding.blank())
    if learns_likeness:
        channels = encoding.channels if recipe.siamese.scaled else 0
        network = SiameseNetwork(network, dimension=outputs, entries=1, classes=CLASS_COUNT, scaled_channels=channels)
    if tasks:
        network = MultiTaskNetwork(network, tasks, classes=CLASS_COUNT)
    return WindowClassifier(encoding, network)


def require_labels_for(recipe: Recipe, classifier: WindowClassifier, train: Samples) -> None:
    """Raise RecipeError when a network of sequences has more parameters than the independent labels can feed.

    The error names the largest factor of the width, and of the depth, that fits.
    """
    network, least = body_of(classifier.network), recipe.model.sequence.labels_per_parameter
    if not isinstance(network, SequenceNetwork) or least == 0:
        return
    cap, count = parameter_cap(train.effective_n, least), _parameters(network)
    if count <= cap:
        return
    advice = f"{_smaller(recipe, network.in_chans, cap)}bring more candles or instruments, or shorten target.horizon."
    raise RecipeError(
        f"{recipe.model.name} has {count:,} parameters. Its {len(train):,} windows to learn from are worth "
        f"{train.effective_n:,.0f} independent labels, which feed {cap:,}.",
        remedy=f"{advice[0].upper()}{advice[1:]} model.sequence.labels_per_parameter sets the limit, 0 lifts it.",
    )


_FACTORS = (0.75, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 0.06)


def _smaller(recipe: Recipe, columns: int, cap: int) -> str:
    """Which factors of width and depth, the largest of each kind, keep the network within the cap, as advice."""

    def fits(**sizes: float) -> bool:
        changed = recipe.model.model_copy(update=sizes)
        try:
            with torch.device("meta"):
                network = create_model(in_chans=columns, num_classes=CLASS_COUNT, **changed.as_options())
        except RecipeError:
            return False
        return _parameters(network) <= cap

    widths, depths = ([round(f * size, 3) for f in _FACTORS] for size in (recipe.model.width, recipe.model.depth))
    width = next((one for one in widths if fits(width=one)), None)
    depth = next((one for one in depths if fits(depth=one)), None)
    advice = [f"{key} to {value}" for key, value in (("model.width", width), ("model.depth", depth)) if value]
    if advice:
        return f"Set {' or '.join(advice)}; "
    both = next((one for one in widths if fits(width=one, depth=depths[-1])), None)
    return f"Set model.width to {both} and model.depth to {depths[-1]}; " if both else ""


def _parameters(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Candles with their labels and folds.

    `tables` hold what the network reads of each series where that is not the candles themselves.
    """

    series: tuple[CandleSeries, ...]
    companions: Mapping[str, CandleSeries]
    tables: tuple[WindowRows, ...] | None
    targets: tuple[Targets, ...]
    folds: tuple[Fold, ...]
    recipe: Recipe

    @classmethod
    def of(cls, recipe: Recipe, candles: Candles) -> Dataset:
        """Compute factors, label and split.

        Raises NotEnoughData with what is missing, ArtifactError for a network of patterns or of order books or an
        anomaly detector that has learnt from the test part of a fold.
        """
        build_encoding(recipe)  # before anything is computed for an encoding that does not draw it
        series, length, companions = candles.series, recipe.window.length, candles.beside(recipe)
        targets = tuple(labels_of(recipe, one) for one in series)
        tables = tables_of(recipe, series, companions)
        if tables is not None:
            targets = tuple(_only_where(r.known(length), t) for r, t in zip(tables, targets, strict=True))
        folds = tuple(split(series, targets, split_of(recipe), length=reach(recipe)))
        start_ms = min(fold.test.start_ms for fold in folds)
        refuse_taught(recipe, start_ms)
        refuse_taught_by_books(recipe, start_ms)
        refuse_seen_detector(recipe, candles.timeframe, start_ms)
        dataset = cls(series=series, companions=companions, tables=tables, targets=targets, folds=folds, recipe=recipe)
        dataset._require_strides()
        return dataset

    def _require_strides(self) -> None:
        """The stride thins out what a network learns from and stops by; something must be left of it."""
        stride = self.recipe.window.stride
        for fold in self.folds:
            for segment, least in ((fold.train, 2), (fold.validation, 1)):
                left = sum(len(index) for index in thinned(segment, stride, self._turns()))
                if left < least:
                    raise NotEnoughData(
                        f"A stride of {stride} leaves {left} of the {len(segment)} samples of the {segment.name} "
                        f"segment of fold {fold.number}.",
                        remedy="Lower window.stride.",
                    )

    def samples(self, segment: Segment) -> Samples:
        """Samples of a segment: every `stride`-th window where the network learns, every window where it is judged."""
        stride = 1 if segment.name == "test" else self.recipe.window.stride
        return Samples.of(self.series, self.targets, segment, stride=stride, turns=self._turns())

    @property
    def across_holes(self) -> int:
        """Windows with a label that are left out because they cross a hole in the history."""
        length, rule = reach(self.recipe), split_of(self.recipe).exclude_gaps
        count = 0
        for one, target in zip(self.series, self.targets, strict=True):
            out = ~windows_without_gaps(one, length, rule)
            out[: length - 1] = False
            count += int(np.count_nonzero(out & (target.classes != UNKNOWN)))
        return count

    @property
    def without_books(self) -> int:
        """Windows that are left out because they hold a close beside which no order book is known."""
        length = self.recipe.window.length * self.recipe.features.period
        return sum(windows_without_books(one, length) for one in self.series if one.books is not None)

    def fitted(self, fold: Fold) -> Recipe:
        """The recipe with what is learned from a fold's training segment before its network is: the factors' order."""
        encoding = self.recipe.encoding
        if self.tables is None or getattr(encoding, "order", "") != "correlation":
            return self.recipe
        rows = [t.values[t.ends[i], : encoding.factors] for t, i in zip(self.tables, fold.train.indices, strict=True)]
        order = correlation_order(np.concatenate(rows).astype(np.float64))
        return self.recipe.model_copy(update={"encoding": encoding.model_copy(update={"order": order})})

    def windows_at(self, instrument: int, ends: NDArray[np.int64]) -> NDArray[np.float32]:
        """Windows of one instrument, float32 of shape (n, length, columns); NaN where no window ends."""
        table = None if self.tables is None else self.tables[instrument]
        return cut_windows(self.series[instrument], table, ends, self.recipe.window.length)

    def _turns(self) -> list[NDArray[np.int64]] | None:
        return None if self.tables is None else [one.turn() for one in self.tables]

    def windows(self, segment: Segment) -> WindowSet:
        """Windows of a segment, ready to be gathered in batches."""
        samples = self.samples(segment)
        returns = None
        if self.recipe.model.sequence.return_head:
            every = np.concatenate([one.forward_return for one in self.targets])
            starts = np.concatenate(([0], np.cumsum([len(one) for one in self.targets])))
            returns = every[starts[samples.instrument] + samples.index]
        figures = None
        tasks = self.recipe.training.tasks.names
        if self.recipe.siamese.loss != "none" and self.recipe.siamese.pairs == "outcome":
            tasks = ("volatility",)
        if tasks:
            figures = np.column_stack([self.figures(task, samples) for task in tasks])
        return WindowSet.of(
            self.series,
            samples,
            length=self.recipe.window.length,
            rows=None if self.tables is None else [one.values for one in self.tables],
            ends=None if self.tables is None else [one.ends for one in self.tables],
            returns=returns,
            figures=figures,
        )

    def figures(self, task: Task, samples: Samples) -> NDArray[np.float64]:
        """What followed each sample in figures, shape (n_samples,); NaN where it is not known."""
        found = [figure_of(task, one, target) for one, target in zip(self.series, self.targets, strict=True)]
        starts = np.concatenate(([0], np.cumsum([len(one) for one in found])))
        every: NDArray[np.float64] = np.concatenate(found)
        return every[starts[samples.instrument] + samples.index]


def _only_where(known: NDArray[np.bool_], targets: Targets) -> Targets:
    """The labels of candles whose window is known; a sample must not depend on how it turned out, and this does not."""
    return replace(targets, classes=np.where(known, targets.classes, UNKNOWN).astype(np.int8))
