"""A network's soft labels of regimes: what the filter of regimes may hear beside its own measures."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain import REGIMES, CandleSeries
from triptych.domain.errors import ArtifactError
from triptych.inference.pattern_card import hash_of, read_pattern_card
from triptych.inference.pattern_predictor import open_patterns
from triptych.inference.pattern_reader import AbstractPatternReader

FOLDER: Final = "regimes"
"""Inside an artifact, where the network stands."""
LEAST_PROBABILITY = 1e-6


def likelihood(posterior: NDArray[np.float64], prior: NDArray[np.float64], weight: float = 1.0) -> NDArray[np.float64]:
    """What soft labels add to the log likelihood of each regime: weight x log(posterior / prior).

    A network's posterior over the frequencies of the labels it was taught is a likelihood but for a factor (Bourlard
    and Morgan 1994, Connectionist Speech Recognition, chapter 7).

    Args:
        posterior: probability of each regime, shape (n, 5); a row of NaN says nothing.
        prior: frequencies of the labels, shape (5,), above zero.
        weight: power of the likelihood; below 1 where the network has seen what the filter has.

    Returns:
        float64 of shape (n, 5), 0 where nothing is said.
    """
    said = np.log(np.maximum(posterior, LEAST_PROBABILITY) / prior)
    found: NDArray[np.float64] = weight * np.where(np.isfinite(said), said, 0.0)
    return found


@dataclass(frozen=True, kw_only=True)
class SoftLabels:
    """A network that names regimes, and how much it counts.

    Attributes:
        reader: the network; its labels are `REGIMES`.
        prior: frequencies of the labels that it was taught, shape (5,).
        weight: power of its likelihood in the filter; 0: it is not heard.
        folder: where it is saved.
    """

    reader: AbstractPatternReader
    prior: NDArray[np.float64]
    weight: float
    folder: Path

    def posterior(self, series: CandleSeries, first: int = 0) -> NDArray[np.float64]:
        """Probability of each regime at each close from candle `first` on, shape (n_candles, 5), rows summing to 1.

        NaN before, and before the first window. Each row is told from its own window.
        """
        found = np.full((len(series), len(REGIMES)), np.nan)
        ends = np.arange(max(first, self.reader.length - 1), len(series))
        if len(ends):
            told = self.reader.over(series.values, ends)[:, :, 0].astype(np.float64)
            found[ends] = told / np.maximum(told.sum(axis=1, keepdims=True), 1e-9)
        return found

    def likelihood(self, series: CandleSeries, first: int = 0) -> NDArray[np.float64]:
        """What it adds to the log likelihood of each regime, shape (n_candles, 5); nothing before candle `first`."""
        if self.weight == 0.0:
            return np.zeros((len(series), len(REGIMES)))
        return likelihood(self.posterior(series, first), self.prior, self.weight)

    def card(self) -> dict[str, Any]:
        """What a card says of it; the weights stand in the folder beside."""
        return {"prior": self.prior.tolist(), "weight": self.weight, "hash": hash_of(self.folder)}

    @classmethod
    def of_card(cls, content: dict[str, Any], folder: Path) -> Self:
        """The network in a folder that a card speaks of. Raises ArtifactError where it is missing or another one."""
        card = read_pattern_card(folder)
        if card.kind != "regimes" or card.labels != REGIMES or hash_of(folder) != content["hash"]:
            raise ArtifactError(
                f"{folder} holds another network than the one its artifact was made with.",
                remedy="Train the run again, or copy the artifact anew.",
            )
        return cls(
            reader=open_patterns(folder), prior=np.array(content["prior"]), weight=content["weight"], folder=folder
        )


def carry_network(soft: SoftLabels | None, folder: Path) -> list[str]:
    """Copy the network of soft labels into a folder of an artifact, checked before and after; none copies nothing.

    Returns its files as an artifact's card names them. Raises ArtifactError for one that is missing or damaged.
    """
    if soft is None:
        return []
    read_pattern_card(soft.folder)
    shutil.copytree(soft.folder, folder)
    read_pattern_card(folder)
    return sorted(f"{folder.name}/{file.name}" for file in folder.iterdir())
