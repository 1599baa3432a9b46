"""From a recipe to its parts: labels, folds, the untrained classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from triptych.bootstrap.candles import Candles
from triptych.domain import CANDLE_FIELDS, CandleSeries, utc
from triptych.domain.errors import DataError, NotEnoughData, RecipeError
from triptych.features import days
from triptych.images import AbstractEncoding, load
from triptych.images.factor_grid import correlation_order
from triptych.inference import FactorRows, WindowClassifier, WindowRows
from triptych.models import build_network, create_model, parameter_cap
from triptych.models.multi_task import MultiTaskNetwork, body_of
from triptych.models.sequence import PRESETS, SequenceNetwork
from triptych.settings import Recipe
from triptych.training.samples import Samples, thinned
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
        tasks = recipe.training.tasks.names
        network = build_network(recipe.model, encoding.channels, CLASS_COUNT + len(tasks), seed=seed)
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
        """Compute factors, label and split. Raises NotEnoughData with what is missing."""
        series, length, companions = candles.series, recipe.window.length, candles.beside(recipe)
        targets = tuple(labels_of(recipe, one) for one in series)
        tables = tables_of(recipe, series, companions)
        if tables is not None:
            targets = tuple(_only_where(r.known(length), t) for r, t in zip(tables, targets, strict=True))
        folds = tuple(split(series, targets, recipe.split, length=length))
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
        return _cut(self.series[instrument], table, ends, self.recipe.window.length)

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
        if self.recipe.training.tasks.names:
            figures = np.column_stack([self.figures(task, samples) for task in self.recipe.training.tasks.names])
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


def labels_of(recipe: Recipe, series: CandleSeries) -> Targets:
    """The labels of a history; with a trading day, the horizon counts places of it, so that short days are days too.

    Raises DataError when candles stand outside the hours of the trading day.
    """
    day, timeframe_ms = recipe.features.day, series.timeframe.milliseconds
    if not (recipe.features.names and day.hours):
        return label(series, recipe.target)
    found = days.places(series.open_time_ms, timeframe_ms, day)
    if found.outside:
        first = int(series.open_time_ms[np.flatnonzero(found.at < 0)[0]])
        raise DataError(
            f"{series.symbol}: {found.outside:,} of {len(series):,} candles open outside the trading hours "
            f"{', '.join(day.hours)} ({day.timezone}), the first at {utc(first)} UTC.",
            remedy="Set features.day.hours and features.day.timezone to those of the venue.",
        )
    return label(series, recipe.target, found.at)


def tables_of(
    recipe: Recipe, series: tuple[CandleSeries, ...], companions: Mapping[str, CandleSeries]
) -> tuple[WindowRows, ...] | None:
    """What the network reads of each series; None when that is the candles themselves.

    Raises RecipeError when the encoding draws another number of columns, NotEnoughData when no window is known.
    """
    maker = factor_rows(recipe)
    if maker is None:
        return None
    drawn = len(build_encoding(recipe).columns)
    found = []
    for one in series:
        table = maker.table(one, companions)
        rows = table.values
        if rows.shape[1] != drawn:
            raise RecipeError(
                f"{one.symbol}: {len(maker.columns)} factors of {1 + len(maker.beside(one.symbol))} instruments"
                f"{'' if len(maker.periods) == 1 else f' in {len(maker.periods)} timeframes'} make "
                f"{rows.shape[1]} columns, and the encoding {recipe.encoding.name} draws {drawn}.",
                remedy="Set encoding.factors and encoding.channels to these numbers"
                f"{'' if len(maker.periods) == 1 else ', channels to instruments times timeframes'}.",
            )
        if recipe.window.length % table.step:
            raise RecipeError(
                f"A window of {recipe.window.length} candles does not hold whole days of {table.step}.",
                remedy=f"Set window.length to {max(1, recipe.window.length // table.step) * table.step}, or empty "
                "features.day.hours.",
            )
        if not table.known(recipe.window.length).any():
            raise _no_window(recipe, one, companions, maker)
        found.append(table)
    return tuple(found)


def _no_window(
    recipe: Recipe, one: CandleSeries, companions: Mapping[str, CandleSeries], maker: FactorRows
) -> NotEnoughData:
    """Why no window of a history is known: too few candles of its own, or a companion that is not there beside it."""
    length, needed = recipe.window.length, maker.warm_up + recipe.window.length
    if len(one) < needed:
        return NotEnoughData(
            f"{one.symbol}: {len(one):,} candles hold no window of {length} in which every factor is known: the factors "
            f"settle after {maker.warm_up:,}, so the first window ends with candle {needed:,}.",
            remedy=f"Bring at least {needed:,} candles, or shorten window.length or features.window.",
        )
    beside = [companions[symbol] for symbol in maker.beside(one.symbol)]
    held = [
        f"{other.symbol} from {utc(int(other.open_time_ms[0]))[:10]} to {utc(int(other.open_time_ms[-1]))[:10]} "
        f"({len(other):,} candles)"
        for other in beside
    ]
    if held:
        return NotEnoughData(
            f"{one.symbol}: its own {len(one):,} candles would do, but there is no window of {length} in which the "
            f"factors of its companions are known too; each companion's settle after {maker.warm_up:,} candles of its "
            f"own. There are {'; '.join(held)}.",
            remedy="Leave out the companion that starts late or ends early, bring more of its candles, or shorten "
            "window.length or features.window.",
        )
    return NotEnoughData(
        f"{one.symbol}: {len(one):,} candles hold no window of {length} that ends with a trading day.",
        remedy="Set features.day.hours and features.day.timezone to those of the venue.",
    )


def windows_at(
    recipe: Recipe, series: CandleSeries, ends: NDArray[np.int64], companions: Mapping[str, CandleSeries]
) -> NDArray[np.float32]:
    """What the network reads at the closes of candles `ends`: float32 of shape (n, window length, columns).

    NaN where no window ends.
    """
    tables = tables_of(recipe, (series,), companions)
    return _cut(series, None if tables is None else tables[0], ends, recipe.window.length)


def _cut(series: CandleSeries, table: WindowRows | None, ends: NDArray[np.int64], length: int) -> NDArray[np.float32]:
    if table is None:
        return series.windows(ends, length).astype(np.float32)
    last = table.ends[ends]
    found: NDArray[np.float32] = table.windows(length)[np.maximum(last - (length - 1), 0)]
    found[last < length - 1] = np.nan
    return found


def first_end(recipe: Recipe) -> int:
    """The first candle of a history at whose close a prediction can be made."""
    maker = factor_rows(recipe)
    return recipe.window.length - 1 + (0 if maker is None else maker.warm_up)


def possible_ends(recipe: Recipe, series: CandleSeries) -> NDArray[np.int64]:
    """Candles at whose close a window may end, by its length and by the clock."""
    ends = np.arange(min(first_end(recipe), len(series)), len(series), dtype=np.int64)
    day = recipe.features.day
    if recipe.features.names and day.hours:
        ends = ends[days.places(series.open_time_ms, series.timeframe.milliseconds, day).closes[ends]]
    return ends


def _only_where(known: NDArray[np.bool_], targets: Targets) -> Targets:
    """The labels of candles whose window is known; a sample must not depend on how it turned out, and this does not."""
    return replace(targets, classes=np.where(known, targets.classes, UNKNOWN).astype(np.int8))
