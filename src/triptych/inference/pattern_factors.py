"""What networks of chart and candle patterns say, as factors that other networks read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from triptych.domain import CANDLE_FIELDS
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.features.factor import Factor
from triptych.inference.pattern_card import hash_of, read_pattern_card

if TYPE_CHECKING:
    from triptych.inference.pattern_reader import AbstractPatternReader

FAMILY: Final = "pattern_network"
NETWORKS: Final = "pattern_networks"
"""Key of the features, and folder inside an artifact that carries the networks."""
QUALITY: Final = "quality"
DECIMALS: Final = 3
"""Of a factor: a probability that never leaves a thousandth is none, and must not look like movement once scaled."""


class Config(BaseConfig):
    """Networks of patterns whose answers stand behind the factors."""

    folders: tuple[str, ...] = Field(
        (),
        max_length=2,
        description="Folders of networks from `triptych patterns train` and `train-candles`, one of each kind at most: "
        "what they say stands behind the factors of every instrument; the trained artifact carries copies. Empty: "
        "none.",
    )
    use: bool | None = Field(
        None,
        description="Empty: they are read where folders are named. `true`: they must be named, and `encoding.factors` "
        "becomes what is read then. `false`: they are not read, named or not, so that variants of a recipe can be.",
    )
    labels: tuple[str, ...] = Field(
        (),
        description="Patterns that are told, such as double_top and engulfing_up; empty: all that the networks have "
        "learnt.",
    )
    quality: bool = Field(
        True, description="Beside each probability the quality that is to be expected: probability times quality."
    )
    hashes: tuple[str, ...] = Field(
        (),
        description="SHA-256 of each network's card. A run writes them down, so that another network in the same "
        "folder is noticed; nothing needs to be said here.",
    )

    @model_validator(mode="after")
    def _one_hash_a_folder(self) -> Self:
        if self.hashes and len(self.hashes) != len(self.folders):
            raise ValueError("hashes must be as many as folders, or none")
        return self


def pattern_factors(config: Config) -> tuple[Factor, ...]:
    """`NAME_probability` and `NAME_quality` of every pattern, of all networks; none where no folder is named.

    Raises ArtifactError for a network that is missing, damaged, or another than the one whose hash is written down,
    RecipeError for a pattern that no network names, and for two networks of one kind.
    """
    if not config.folders or config.use is False:
        return ()
    from triptych.inference.pattern_predictor import open_patterns  # loads the libraries of networks

    _require_hashes(config)
    networks = [open_patterns(Path(folder)) for folder in config.folders]
    if any(network.card.kind == "regimes" for network in networks):
        raise RecipeError(
            "features.pattern_networks.folders names a network of regimes, which names no patterns.",
            remedy="Use it by regimes.network.use = true; name networks of chart or candle patterns here.",
        )
    if len({network.card.kind for network in networks}) < len(networks):
        raise RecipeError(
            f"features.pattern_networks.folders names two networks of {networks[0].card.kind.replace('_', ' ')}.",
            remedy="Name one of chart patterns and one of candle patterns at most.",
        )
    every = [label for network in networks for label in network.labels]
    unknown = [label for label in config.labels if label not in every]
    if unknown:
        raise RecipeError(
            f"features.pattern_networks.labels: no network names {unknown[0]!r}.", remedy=f"Known: {', '.join(every)}."
        )
    found: list[Factor] = []
    for network in networks:
        told = [label for label in config.labels or network.card.learnt if label in network.labels]
        found += factors_of(network, told, quality=config.quality)
    return tuple(found)


def factors_of(reader: AbstractPatternReader, labels: Sequence[str], *, quality: bool) -> tuple[Factor, ...]:
    """The factors of some patterns of one network, two each, or the probability alone."""
    columns, lookback = _Columns(reader), reader.length - 1
    found = []
    for label in labels:
        words = label.replace("_", " ")
        place = reader.labels.index(label)
        said = [(f"{label}_probability", f"{words}: probability by a network over {reader.length} candles", 0)]
        if quality:
            number = 1 + reader.numbers.index(QUALITY)
            said.append((f"{label}_{QUALITY}", f"{words}: probability times quality, by the same network", number))
        found += [
            Factor(
                name=name, family=FAMILY, description=meaning, lookback=lookback, settle=lookback, unit="score",
                compute=columns.column(place, number),
            )
            for name, meaning, number in said
        ]  # fmt: skip
    return tuple(found)


class _Columns:
    """Asks about all windows of a history at once and hands columns out; a history that is gone is forgotten."""

    def __init__(self, reader: AbstractPatternReader) -> None:
        self._reader = reader
        self._kept: WeakKeyDictionary[Any, NDArray[np.float64]] = WeakKeyDictionary()

    def column(self, label: int, number: int) -> Callable[[Any], NDArray[np.float64]]:
        def compute(history: Any) -> NDArray[np.float64]:
            if history not in self._kept:
                self._kept[history] = self._of(history)
            answers = self._kept[history][:, label]
            found = answers[:, 0] if number == 0 else answers[:, 0] * answers[:, number]
            rounded: NDArray[np.float64] = np.round(found, DECIMALS)
            return rounded

        return compute

    def _of(self, history: Any) -> NDArray[np.float64]:
        candles = np.column_stack([getattr(history, name) for name in CANDLE_FIELDS])
        reader = self._reader
        found = np.full((len(candles), len(reader.labels), 1 + len(reader.numbers)), np.nan)
        if len(candles) >= reader.length:
            found[reader.length - 1 :] = reader.over(candles)
        return found


def carry_networks(config: dict[str, Any], artifact: Path) -> tuple[dict[str, Any], list[str]]:
    """Copy the networks that a card's features name into an artifact, a folder a kind.

    Args:
        config: `pattern_networks` of the features.
        artifact: folder of the artifact.

    Returns:
        The config that names the copies, and the files as the artifact's card names them.

    Raises ArtifactError when a network is missing, damaged, or another than the one whose hash is written down.
    """
    _require_hashes(Config.model_validate(config))
    folders, files = [], []
    for source in map(Path, config["folders"]):
        name = f"{NETWORKS}/{read_pattern_card(source).kind}"
        shutil.copytree(source, artifact / name)
        read_pattern_card(artifact / name)
        folders.append(name)
        files += sorted(f"{name}/{file.name}" for file in (artifact / name).iterdir())
    return {**config, "folders": folders, "hashes": [hash_of(artifact / name) for name in folders]}, files


def _require_hashes(config: Config) -> None:
    for folder, expected in zip(config.folders, config.hashes, strict=False):
        read_pattern_card(Path(folder))
        if hash_of(Path(folder)) != expected:
            raise ArtifactError(
                f"{folder} holds another network than the one the recipe was made with.",
                remedy="Bring that network back, or empty features.pattern_networks.hashes and train a run of its own.",
            )
