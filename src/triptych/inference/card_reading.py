"""Reading the card of a saved model, and checking that the files beside it are the ones it was written for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from triptych.domain.errors import ArtifactError, TriptychError
from triptych.inference.card import Card

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
    for name in (WEIGHTS, GRAPH, *sorted(card.files.keys() - {WEIGHTS, GRAPH})):
        if not (folder / name).exists():
            raise ArtifactError(f"{folder} is damaged: {name} is missing.", remedy=AGAIN)
        if sha256_of(folder / name) != card.files.get(name):
            raise ArtifactError(
                f"{folder / name} is damaged: it is not the file its card was written for.", remedy=AGAIN
            )
    return card


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def in_words(error: Exception) -> str:
    """An error as one sentence; of a validation the first mistake with its place."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return ": ".join([".".join(str(part) for part in first["loc"]), first["msg"]]).removeprefix(": ") + "."
    words = error.message if isinstance(error, TriptychError) else str(error)  # the remedy is the caller's
    return f"{words.removesuffix('.')}."
