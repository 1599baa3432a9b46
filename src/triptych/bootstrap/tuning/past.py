"""What a search may see: the candles before the test part of the recipe, walked through in folds of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.other_markets import refuse_foreknown
from triptych.bootstrap.provenance import data_hash, fingerprint
from triptych.bootstrap.windowing import reach
from triptych.domain import CandleSeries
from triptych.domain.errors import ArtifactError, NotEnoughData
from triptych.settings import Recipe
from triptych.training.splits import Config as SplitConfig


@dataclass(frozen=True, kw_only=True)
class Past:
    """Candles that close before the test part begins, and how candidates are judged on them.

    Attributes:
        candles: of all instruments, companions too, cut at the first moment of the test part.
        longest: candles that the furthest look back of the search reaches over. Shorter ones are kept from the first
            candles of every test fold by a longer embargo, so that all candidates are judged on the same decisions.
        walked, folds: share of these candles that the folds walk through, and their number.
    """

    candles: Candles
    longest: int
    walked: float
    folds: int

    @classmethod
    def of(cls, recipe: Recipe, candles: Candles, longest: int) -> Past:
        """The past of a recipe. Raises NotEnoughData where the recipe itself could not be trained."""
        start_ms = Dataset.of(recipe, candles).folds[0].test.start_ms
        series = tuple(_before(one, start_ms) for one in candles.series)
        companions = tuple(_before(one, start_ms) for one in candles.companions)
        cut = replace(candles, series=series, companions=companions, hash=data_hash((*series, *companions)))
        return cls(candles=cut, longest=longest, walked=recipe.tune.walked, folds=recipe.tune.folds)

    def recipe(self, candidate: Recipe) -> Recipe:
        """The candidate with the folds of the search in place of its own split."""
        split = candidate.split
        rest = 1.0 - self.walked
        train = rest * split.train / (split.train + split.validation)
        folds = SplitConfig(
            kind="walk_forward",
            train=train,
            validation=rest - train,
            test=self.walked,
            folds=self.folds,
            window=split.window,
            embargo=split.embargo + self.longest - reach(candidate),
            exclude_gaps=split.exclude_gaps,
            samples_from=split.samples_from,
            minimum_samples=split.minimum_samples,
        )
        return candidate.model_copy(update={"split": folds})


def refuse_foreknowing(recipe: Recipe, past: Past) -> None:
    """Refuse what has learnt from candles on which the search judges its candidates, before there is a search.

    The folds of a search begin before the test part of its recipe, so what is new to the one may be known to the
    others. Raises ArtifactError.
    """
    features = recipe.features
    learnt = (features.detector, features.pattern_networks.folders, features.book_network.folder)
    if not any(learnt) and not recipe.model.begins_elsewhere:
        return
    try:
        dataset = Dataset.of(past.recipe(recipe), past.candles)
        refuse_foreknown(dataset.recipe, dataset.folds)
    except NotEnoughData:  # of the recipe itself: candidates with shorter windows may have enough
        return
    except ArtifactError as error:
        raise ArtifactError(
            f"The search judges its candidates before the recipe's test part. {error.message}",
            remedy="Fit or teach it on candles before the first fold of the search, or begin that later by a smaller "
            "tune.walked.",
        ) from error


def _before(one: CandleSeries, moment_ms: int) -> CandleSeries:
    return one.head(int(np.searchsorted(one.close_time_ms, moment_ms, side="right")))


class Datasets:
    """Datasets of candidates; the last few are kept, since most candidates read the same windows."""

    def __init__(self, past: Past, most: int = 4) -> None:
        self._past = past
        self._most = most
        self._kept: dict[str, Dataset] = {}

    def of(self, recipe: Recipe) -> Dataset:
        """The dataset of a recipe that `Past.recipe` has made."""
        parts = (recipe.features, recipe.encoding, recipe.window, recipe.target, recipe.split)
        key = fingerprint([part.model_dump(mode="json") for part in parts])
        if key not in self._kept:
            self._kept[key] = Dataset.of(recipe, self._past.candles)
        while len(self._kept) > self._most:
            self._kept.pop(next(iter(self._kept)))
        return replace(self._kept[key], recipe=recipe)
