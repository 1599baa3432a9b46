"""Reading the card of a saved model, and checking that the files beside it are the ones it was written for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from triptych.domain.errors import ArtifactError, TriptychError
from triptych.inference.card import Card
from triptych.inference.saved_files import refuse_damaged

WEIGHTS, GRAPH, CARD = "weights.safetensors", "model.onnx", "card.json"
AGAIN: Final = "Train or export the model again, or copy the folder anew."


def read_checked_card(folder: Path) -> Card:
    """The card of an artifact.

    Raises ArtifactError when a file is missing, was changed after saving, or the card is of another format.
    """
    path = folder / CARD
    try:
        card = Card.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(f"{folder} is no artifact: {CARD} is missing.", remedy=AGAIN) from error
    except ValidationError as error:
        raise ArtifactError(f"{path} cannot be read: {in_words(error)}", remedy=AGAIN) from error
    names = (WEIGHTS, GRAPH, *sorted(card.files.keys() - {WEIGHTS, GRAPH}))
    refuse_damaged(folder, {name: card.files.get(name) for name in names}, remedy=AGAIN)
    return card


def in_words(error: Exception) -> str:
    """An error as one sentence; of a validation the first mistake with its place."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return ": ".join([".".join(str(part) for part in first["loc"]), first["msg"]]).removeprefix(": ") + "."
    words = error.message if isinstance(error, TriptychError) else str(error)  # the remedy is the caller's
    return f"{words.removesuffix('.')}."
