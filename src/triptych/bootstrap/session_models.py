"""The trained models of a session: runs that fit together, their artifacts opened once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.bootstrap.guarding import watch_need
from triptych.bootstrap.run_folder import Run, open_run
from triptych.domain import Timeframe
from triptych.domain.errors import ArtifactError
from triptych.inference import Artifact, BookNeed, ConsensusArtifact, open_any_artifact
from triptych.inference.watch import AbstractWatch
from triptych.settings import Recipe


@dataclass(frozen=True, kw_only=True)
class Models:
    """The model that trades, and those that stand in for it, best first.

    Attributes:
        runs: they are of.
        artifacts: of the runs, in the same order.
        timeframe: of all of them.
    """

    runs: tuple[Run, ...]
    artifacts: tuple[Artifact | ConsensusArtifact, ...]
    timeframe: Timeframe

    @property
    def first(self) -> Artifact | ConsensusArtifact:
        """The model that trades."""
        return self.artifacts[0]

    @property
    def recipe(self) -> Recipe:
        """Of the model that trades: strategy, sizing, execution and risk are its."""
        return self.runs[0].recipe

    @property
    def books(self) -> BookNeed | None:
        """What they need of order books together: the deepest book and the strictest age; None when none reads any."""
        return self._together()

    def books_with(self, watch: AbstractWatch | None, traded: Collection[str]) -> BookNeed | None:
        """The same of them and the guard's watch, where `traded` are not only looked at."""
        return self._together(watch_need(watch, self.recipe, self.timeframe, traded))

    def _together(self, more: BookNeed | None = None) -> BookNeed | None:
        return BookNeed.together((more, *(one.books for one in self.artifacts)))

    def beside(self, traded: Collection[str], watch: AbstractWatch | None) -> tuple[str, ...]:
        """What is looked at and not traded: companions of the first model, and what the guard's watch reads."""
        looked_at = dict.fromkeys((*self.first.companions, *(watch.symbols if watch is not None else ())))
        return tuple(symbol for symbol in looked_at if symbol not in traded)


def trained_runs(folders: Sequence[Path]) -> tuple[Run, ...]:
    """The runs in these folders. Raises RunError for one that is not there, or was not trained to its end."""
    opened = tuple(open_run(folder) for folder in folders)
    for run in opened:
        run.require_trained()
    return opened


def open_models(runs: Sequence[Run]) -> Models:
    """The models of some runs, checked against the hashes on their cards.

    Raises ArtifactError for one that is damaged, of another timeframe than the others, or that looks at an instrument
    which the first does not look at.
    """
    artifacts = tuple(open_any_artifact(run.artifact) for run in runs)
    timeframes = {artifact.card.timeframe for artifact in artifacts}
    if len(timeframes) > 1:
        raise ArtifactError(
            f"The runs {', '.join(str(run.folder) for run in runs)} have different timeframes: "
            f"{', '.join(sorted(timeframes))}.",
            remedy="A stand-in must decide at the same closes: train it on the same timeframe.",
        )
    first, *others = artifacts
    for run, other in zip(runs[1:], others, strict=True):
        strange = set(other.companions) - set(first.companions)
        if strange:
            raise ArtifactError(
                f"The stand-in {run.folder} looks at {', '.join(sorted(strange))}, which the first model does not.",
                remedy="Train it on the same companions, or on none.",
            )
    return Models(runs=tuple(runs), artifacts=artifacts, timeframe=Timeframe.parse(timeframes.pop()))
