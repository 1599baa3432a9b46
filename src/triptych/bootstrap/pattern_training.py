"""The folder of a network of patterns taken up for training: made, found complete, gone on with, or replaced.

training/begun.json       what the network is made of, while it learns
training/checkpoint.ckpt  state at the last epoch's end
card.json and the rest    of a network that is complete; `training` is gone then

Beside it lies .NAME.lock: one process at a time works on a network.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from triptych.bootstrap.files import read_json
from triptych.bootstrap.locking import exclusive
from triptych.bootstrap.provenance import data_hash, fingerprint, versions
from triptych.bootstrap.telling import Tell
from triptych.domain import CandleSeries, Config
from triptych.domain.errors import ArtifactError, DataError, RecipeError, RunError
from triptych.domain.files import remove_leftovers, temporary_name, write_json
from triptych.inference.pattern_card import CARD, GRAPH, WEIGHTS, read_pattern_card
from triptych.training.multi_label import MultiLabelEpoch

TRAINING: Final = "training"
BEGUN, CHECKPOINT = "begun.json", "checkpoint.ckpt"
_PARTS: Final = (TRAINING, WEIGHTS, GRAPH, CARD)
"""What such a folder is made of; the card last, so that one with a card is a network until the end."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folder of a network that is trained.

    Attributes:
        checkpoint: file for the state of the training; None where no folder was named.
        is_complete: whether the folder holds the very network that is wanted.
        begin: to be called when all is known to be trainable: only now a network that is replaced is taken away.
    """

    checkpoint: Path | None = None
    is_complete: bool = False
    begin: Callable[[], None] = lambda: None


@contextlib.contextmanager
def taken_up(
    folder: Path | None, recipe: Config, histories: Sequence[CandleSeries] = (), *, fresh: bool, tell: Tell
) -> Iterator[Place]:
    """The place of a network, which nobody else works on meanwhile.

    Args:
        folder: of the network; None: it is kept nowhere.
        recipe: how it is made.
        histories: candles that teach it; none: generated charts.
        fresh: replace a network that is there, and nothing that lies beside it.
        tell: told in words what was found.

    Raises RunError where the folder holds another network, a damaged one, or something else. What cannot be trained
    leaves no folder, and takes nothing away.
    """
    if folder is None:
        yield Place()
        return
    whole = folder.absolute()
    with exclusive(whole.with_name(f".{whole.name}.lock"), what=str(folder), timeout_s=1.0):
        remove_leftovers(whole)
        _require_alone(folder)
        wanted = _made_of(recipe.model_dump(mode="json"), data_hash(histories) if histories else "", versions())
        found = None if fresh else _found(folder)
        if found is not None:
            _require_same(folder, found, wanted)
        if not fresh and (folder / CARD).exists():
            tell(f"{folder} is complete already: same recipe, data, versions and seed. --fresh trains it again.")
            yield Place(is_complete=True)
            return
        if found is not None:
            tell(f"{folder} was stopped before its end: going on.")
        training, has_begun = folder / TRAINING, False

        def begin() -> None:
            nonlocal has_begun
            if fresh:
                _discard(folder)
            remove_leftovers(training)
            write_json(training / BEGUN, wanted)
            has_begun = True

        try:
            yield Place(checkpoint=training / CHECKPOINT, begin=begin)
        except (DataError, RecipeError):
            if has_begun and found is None:
                _discard(folder)
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise


def epoch_teller(tell: Tell, epochs: int) -> Callable[[MultiLabelEpoch], None]:
    """What tells every epoch in words."""

    def told(one: MultiLabelEpoch) -> None:
        tell(
            f"Epoch {one.epoch + 1} of {epochs}: training loss {one.train_loss:.4f}, validation loss "
            f"{one.validation_loss:.4f}."
        )

    return told


def _made_of(recipe: dict[str, Any], candles: str, libraries: dict[str, str]) -> dict[str, str]:
    """One hash for each part that a refusal can name."""
    return {"recipe": fingerprint(recipe), "candles": candles, "versions": fingerprint(libraries)}


def _found(folder: Path) -> dict[str, str] | None:
    """What the network in a folder was made of, complete or not; None where there is none."""
    if (folder / CARD).exists():
        try:
            card = read_pattern_card(folder)
        except ArtifactError as error:
            raise RunError(error.message, remedy="Choose another --out, or --fresh to replace it.") from error
        return _made_of(card.recipe, card.data_hash, card.versions)
    begun = folder / TRAINING / BEGUN
    return None if not begun.exists() else read_json(begun, ("recipe", "candles", "versions"))


def _require_same(folder: Path, found: dict[str, str], wanted: dict[str, str]) -> None:
    differing = [name for name, value in wanted.items() if found[name] != value]
    if differing:
        raise RunError(
            f"{folder} holds another network: {' and '.join(differing)} differ.",
            remedy="Choose another --out, or --fresh to replace it.",
        )


def _require_alone(folder: Path) -> None:
    """Raise RunError where the folder holds anything but a network: it is replaced as a whole in the end."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file.", remedy="Choose another --out.")
    holds_network = _is_there(folder)
    others = [path.name for path in folder.iterdir() if path.name not in _PARTS] if folder.exists() else []
    if others and holds_network:
        raise RunError(
            f"{folder} holds {sorted(others)[0]} beside a network, which would be lost.",
            remedy="Move it elsewhere, or choose another --out.",
        )
    if others or (not holds_network and folder.exists() and any((folder / name).exists() for name in (WEIGHTS, GRAPH))):
        raise RunError(f"{folder} is not empty and holds no network.", remedy="Choose another --out.")


def _is_there(folder: Path) -> bool:
    return (folder / CARD).exists() or (folder / TRAINING / BEGUN).exists()


def _discard(folder: Path) -> None:
    """Remove a network, finished or not, and only what it is made of; nothing where there is none."""
    if not _is_there(folder):
        return
    grave = temporary_name(folder / "network", "old")
    grave.mkdir()
    for name in _PARTS:
        if (folder / name).exists():
            (folder / name).rename(grave / name)
    shutil.rmtree(grave)
