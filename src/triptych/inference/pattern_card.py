"""The card of a saved network of patterns: what it names, how it is built anew, and which candles taught it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triptych.domain.errors import ArtifactError
from triptych.inference.saved_files import refuse_damaged, sha256_of

WEIGHTS, GRAPH, CARD = "weights.safetensors", "model.onnx", "card.json"
AGAIN: Final = "Train it again, or copy the folder anew."
Kind = Literal["chart_patterns", "candle_patterns", "regimes"]


class PatternCard(BaseModel):
    """Everything needed to rebuild, check and judge a saved network of patterns. Stored as `card.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    kind: Kind = Field(description="What it names.")
    length: int = Field(gt=0, description="Candles of a window.")
    labels: tuple[str, ...] = Field(description="Names of the patterns, in the order of the answers.")
    numbers: tuple[str, ...] = Field(description="What is told of a label beside its probability, in order.")
    learnt: tuple[str, ...] = Field(description="Labels with examples enough to learn from.")
    threshold: tuple[float, ...] = Field(description="Of each label the probability from which on it is reported.")
    network: dict[str, Any] = Field(description="What it is built anew from.")
    taught: tuple[str, str] | None = Field(
        description="Open of the first candle and close of the last that weights or thresholds were chosen by, UTC; "
        "none: generated charts."
    )
    symbols: tuple[str, ...] = Field((), description="Instruments that taught it.")
    data_hash: str = Field("", description="SHA-256 of their candles.")
    recipe: dict[str, Any] = Field(default_factory=dict, description="How it was made.")
    metrics: dict[str, Any] = Field(default_factory=dict, description="How good it was on what it had not learnt from.")
    versions: dict[str, str] = Field(default_factory=dict, description="Versions of the libraries that matter.")
    files: dict[str, str] = Field(default_factory=dict, description="SHA-256 of each file.")
    onnx_difference: float = Field(0.0, description="Largest difference between graph and network.")

    @property
    def taught_until_ms(self) -> int | None:
        """Close of the last candle that taught it, UTC milliseconds; None: no candle of a market did."""
        if self.taught is None:
            return None
        return round(1000 * datetime.fromisoformat(self.taught[1]).replace(tzinfo=UTC).timestamp())


def read_pattern_card(folder: Path) -> PatternCard:
    """The card of a saved network, its files checked against it.

    Raises ArtifactError when there is none, it is of another format, or a file is missing or was changed.
    """
    path = folder / CARD
    try:
        card = PatternCard.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"{folder} holds no network of patterns: {CARD} is missing.", remedy=AGAIN) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        said = f"{place}: {first['msg']}".removeprefix(": ")
        raise ArtifactError(f"{path} is no card of a network of patterns: {said}.", remedy=AGAIN) from error
    names = (WEIGHTS, GRAPH, *sorted(card.files.keys() - {WEIGHTS, GRAPH}))
    refuse_damaged(folder, {name: card.files.get(name) for name in names}, remedy=AGAIN)
    return card


def hash_of(folder: Path) -> str:
    """SHA-256 of what a saved network is: its card, which holds the hashes of its files."""
    return sha256_of(folder / CARD)
