"""From a recipe to its parts: labels, folds, the untrained classifier."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from triptych.domain import CandleSeries
from triptych.domain.errors import NotEnoughData
from triptych.images import AbstractEncoding, load
from triptych.inference import WindowClassifier
from triptych.models import build_network
from triptych.settings import Recipe
from triptych.training.samples import Samples
from triptych.training.seeds import derive_seed
from triptych.training.splits import Fold, Segment, split
from triptych.training.targets import Targets, label
from triptych.training.windows import WindowSet

CLASS_COUNT = 3


def build_encoding(recipe: Recipe) -> AbstractEncoding:
    """The encoding of a recipe."""
    encoding: AbstractEncoding = load(recipe.encoding.name).build(recipe.encoding, recipe.window.length)
    return encoding


def build_classifier(recipe: Recipe, fold: int = 0) -> WindowClassifier:
    """The untrained classifier: its first weights depend on the recipe's seed and the fold only."""
    encoding = build_encoding(recipe)
    seed = derive_seed(recipe.seed, "network", fold)
    with torch.random.fork_rng(devices=[]):  # torch's own layers draw first weights of theirs before ours are drawn
        network = build_network(recipe.model, encoding.channels, CLASS_COUNT, seed=seed)
    return WindowClassifier(encoding, network)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Candles with their labels and folds."""

    series: tuple[CandleSeries, ...]
    targets: tuple[Targets, ...]
    folds: tuple[Fold, ...]
    recipe: Recipe

    @classmethod
    def of(cls, recipe: Recipe, series: tuple[CandleSeries, ...]) -> Dataset:
        """Label and split. Raises NotEnoughData with what is missing."""
        targets = tuple(label(one, recipe.target) for one in series)
        folds = tuple(split(series, targets, recipe.split, length=recipe.window.length))
        dataset = cls(series=series, targets=targets, folds=folds, recipe=recipe)
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
        return WindowSet.of(self.series, self.samples(segment), length=self.recipe.window.length)
