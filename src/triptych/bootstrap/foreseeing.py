"""What a training would refuse, found out before anything is written or learned."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass

from triptych.bootstrap.building import Dataset, build_classifier, require_labels_for
from triptych.bootstrap.candles import Candles, load_candles, with_absolute_path
from triptych.bootstrap.naming import naming
from triptych.bootstrap.other_markets import refuse_foreknown
from triptych.bootstrap.run_folder import run_fingerprint
from triptych.bootstrap.voting import require_same_folds
from triptych.settings import Recipe, members_of, resolved
from triptych.training.boosting.growing import engine_of
from triptych.training.splits import Fold
from triptych.training.surroundings import device_of

_READ = {"data", "features", "encoding", "window", "members"}
"""Sections of a recipe that say which candles and order books are read, and what is cut from them."""


def require_trainable(dataset: Dataset) -> None:
    """Raise what the training of a recipe on these candles would raise before its first epoch, in whatever fold.

    Parts that do not fit one another, weights or networks that are not there or know the test, a network too large for
    what some fold has to learn from, a library that is not there. For the device see `require_devices`.
    """
    recipe = dataset.recipe
    refuse_foreknown(recipe, dataset.folds)
    classifier = build_classifier(recipe)
    for fold in dataset.folds:
        require_labels_for(recipe, classifier, dataset.samples(fold.train))
    if recipe.boosting.engine != "none":
        engine_of(recipe.boosting)


def require_devices(recipe: Recipe) -> None:
    """Raise RecipeError when a recipe or one of its members asks for a GPU and there is none.

    Apart from the rest: a run that is complete is opened on any machine.
    """
    for name, one in (members_of(recipe) or {"": recipe}).items():
        with naming(f"Member {name!r}") if name else nullcontext():
            device_of(one.training.accelerator)


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What is known of a recipe before it is trained.

    `recipe` is as its run records it, `data_hash` that of its candles, `first_ms` when the first window ends that a
    network learns from, UTC, by member; of one model alone by no name.
    """

    recipe: Recipe
    data_hash: str
    first_ms: dict[str, int]

    @property
    def fingerprint(self) -> str:
        """Of the run that it would make."""
        return run_fingerprint(self.recipe, self.data_hash)


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """What stays of a data set that was looked at."""

    first_ms: int
    folds: tuple[Fold, ...]


class Foresight:
    """Looks at recipes before they are trained; what several have in common is read and cut once.

    A recipe and the same with another seed are looked at once, as are candles that several read, and members that
    several consensuses have. Holds the candles: not to be kept while a network learns.
    """

    def __init__(self) -> None:
        self._read: dict[str, Candles] = {}
        self._cut: dict[tuple[str, str, bool], _Cut] = {}

    def look(self, recipe: Recipe, *, trains: bool = True) -> Foreseen:
        """What is known of a recipe.

        Args:
            recipe: of one model or with members.
            trains: whether it is to be trained; if not, only that its windows can be cut is asked for.

        Raises what `train` would raise before its first epoch; of members, the name of the one stands before it.
        """
        named = with_absolute_path(resolved(recipe))
        candles = self._candles(named)
        members = members_of(named)
        found = {}
        for name, member in members.items():
            with naming(f"Member {name!r}"):
                found[name] = self._cut_of(member, candles, trains=trains)
        if members:
            require_same_folds({name: one.folds for name, one in found.items()})
        else:
            found[""] = self._cut_of(named, candles, trains=trains)
        return Foreseen(
            recipe=named, data_hash=candles.hash, first_ms={name: one.first_ms for name, one in found.items()}
        )

    def _candles(self, recipe: Recipe) -> Candles:
        mark = json.dumps(recipe.model_dump(mode="json", include=_READ), sort_keys=True)
        if mark not in self._read:
            found = load_candles(recipe)
            # The same candles are held once, where the same of them are traded.
            alike = (one for one in self._read.values() if (one.hash, one.period) == (found.hash, found.period))
            self._read[mark] = next((one for one in alike if len(one.series) == len(found.series)), found)
        return self._read[mark]

    def _cut_of(self, recipe: Recipe, candles: Candles, *, trains: bool) -> _Cut:
        mark = recipe.model_copy(update={"seed": 0}).to_toml(), candles.hash, trains
        if mark not in self._cut:
            dataset = Dataset.of(recipe, candles)
            if trains:
                require_trainable(dataset)
            first_ms = min(int(dataset.samples(fold.train).time_ms.min()) for fold in dataset.folds)
            self._cut[mark] = _Cut(first_ms=first_ms, folds=dataset.folds)
        return self._cut[mark]
