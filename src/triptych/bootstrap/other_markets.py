"""First weights that were learnt from other markets: found, pinned to what they are, kept from knowing the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from triptych.bootstrap.run_folder import RECORD, open_run
from triptych.domain import utc
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.inference import Artifact, load_artifact
from triptych.inference.card_reading import CARD, WEIGHTS
from triptych.market.store import to_ms
from triptych.models import WeightsReport, fill_network
from triptych.models.multi_task import body_of
from triptych.settings import Recipe, members_of
from triptych.training.splits import Fold


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """The artifact that a training begins with."""

    artifact: Artifact

    @property
    def hash(self) -> str:
        """SHA-256 of its weights."""
        return self.artifact.card.files[WEIGHTS]

    @property
    def until_ms(self) -> int:
        """Close of the last candle that could teach it, UTC milliseconds."""
        return to_ms(self.artifact.card.taught_until)

    @property
    def words(self) -> str:
        """Of what and until when it has learnt."""
        card = self.artifact.card
        return f"{card.timeframe} candles of {', '.join(card.symbols)} until {card.taught_until}"

    def on_card(self) -> dict[str, Any]:
        """What the card of a network that began with it keeps."""
        card = self.artifact.card
        return {
            "symbols": list(card.symbols), "timeframe": card.timeframe, "until": card.taught_until, "hash": self.hash,
        }  # fmt: skip


def lacks_weights(recipe: Recipe) -> str:
    """Why the weights that a recipe, or a member of it, begins with cannot be had; empty where it says where they are.

    In words, as a sentence.
    """
    for one in members_of(recipe).values() or (recipe,):
        if one.model.begins_elsewhere and not one.model.other_markets.path:
            return f"{one.name} begins with weights of other markets, and model.other_markets.path names none."
    return ""


def pinned_beginning(recipe: Recipe) -> Recipe:
    """The recipe with the place of the weights it begins with spelt out, and their hash written down.

    The hash is part of what a run is, the place is not. Raises what `beginning_of` raises.
    """
    found = beginning_of(recipe)
    if found is None:
        return recipe
    path = str(Path(recipe.model.other_markets.path).expanduser().absolute())
    named = recipe.model.other_markets.model_copy(update={"path": path, "hash": found.hash})
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"other_markets": named})})


def beginning_of(recipe: Recipe) -> Beginning | None:
    """The weights that a recipe begins with; None where they are fresh, or of photographs.

    Raises RecipeError where none are named, RunError and ArtifactError for a folder that holds none, damaged ones, or
    others than those whose hash is written down.
    """
    if not recipe.model.begins_elsewhere:
        return None
    if lacks := lacks_weights(recipe):
        raise RecipeError(lacks, remedy="Name a run of `triptych train`, or set model.pretrained to false.")
    folder = Path(recipe.model.other_markets.path).expanduser()
    found = Beginning(artifact=load_artifact(_artifact_in(folder)))
    if recipe.model.other_markets.hash not in ("", found.hash):
        raise ArtifactError(
            f"{folder} holds other weights than those the recipe was made with.",
            remedy="Bring those weights back, or empty model.other_markets.hash and train a run of its own.",
        )
    return found


def refuse_foreknown(recipe: Recipe, folds: Sequence[Fold]) -> None:
    """Refuse first weights that were taught by candles of the period that the recipe is tested on.

    Whatever the instruments: markets move together. Asked before a training, not of a run that is there already.
    Raises ArtifactError when the last candle that could teach them closed after the start of the first test.
    """
    found, start_ms = beginning_of(recipe), min(fold.test.start_ms for fold in folds)
    if found is not None and found.until_ms > start_ms:
        raise ArtifactError(
            f"The weights of {recipe.model.other_markets.path} were taught by {found.words}, after the start of the "
            f"test period, {utc(start_ms)}: the recipe's network would know what is to come.",
            remedy="Teach them by candles before the test period (data.end), or test the recipe on later ones.",
        )


def told(recipe: Recipe, folds: Sequence[Fold]) -> str:
    """What is to be said of the weights that a recipe begins with; empty where they are fresh."""
    found = beginning_of(recipe)
    if found is None:
        return ""
    known = f"The network begins with weights taught by {found.words}."
    start_ms = min(fold.validation.start_ms for fold in folds)
    if found.until_ms <= start_ms:
        return known
    return (
        f"{known} That is later than {utc(start_ms)}, where the first validation begins: when to stop, and how drift "
        "is told, are judged on a time that the weights may know. The test is not touched."
    )


def begin_elsewhere(network: nn.Module, recipe: Recipe) -> WeightsReport | None:
    """Fill a fresh network with the weights that a recipe begins with; None where there are none to take.

    A last layer for other questions stays fresh. Raises RecipeError for weights of another encoding or other factors,
    ArtifactError for those of another network, and what `beginning_of` raises.
    """
    found = beginning_of(recipe)
    if found is None:
        return None
    card, path = found.artifact.card, recipe.model.other_markets.path
    theirs = (card.encoding["name"], tuple(card.features.get("names", ())))
    ours = (recipe.encoding.name, tuple(recipe.features.names))
    if theirs != ours:
        raise RecipeError(
            f"The weights of {path} have learnt to read {_reading(*theirs)}, and the recipe draws {_reading(*ours)}.",
            remedy="Train the weights with the same encoding and factors, or set model.pretrained to false.",
        )
    if card.boosting:
        raise RecipeError(
            f"The network of {path} was frozen beneath trees.", remedy="Name a run with boosting.engine = 'none'."
        )
    taught = body_of(found.artifact.classifier().network)
    names = getattr(network, "pretrained_cfg", {})
    return fill_network(
        network, dict(taught.state_dict()), source=path, classifier=str(names.get("classifier", "classifier"))
    )


def _reading(encoding: str, factors: tuple[str, ...]) -> str:
    return f"{encoding} of {', '.join(factors)}" if factors else encoding


def _artifact_in(folder: Path) -> Path:
    """The artifact of a folder: itself, or the newest of a run."""
    if (folder / CARD).exists() or not (folder / RECORD).exists():
        return folder
    run = open_run(folder)
    run.require_trained()
    return run.artifact
