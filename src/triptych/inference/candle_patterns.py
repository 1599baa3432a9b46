"""Candle patterns by a network: the 61 of TA-Lib, rising and falling apart, each with probability and quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.domain.errors import ArtifactError
from triptych.inference.multi_label import MultiLabelNetwork
from triptych.inference.pattern_card import PatternCard, read_pattern_card
from triptych.inference.pattern_reader import AbstractPatternReader
from triptych.inference.pattern_saving import restore_weights, save_pattern_network
from triptych.models.candle_network import CandleNetwork

NUMBERS: Final = ("quality",)
"""Of each label: the share of slightly changed copies of the candles in which the pattern still stands."""
CHUNK = 8192


class CandlePatternNetwork(AbstractPatternReader):
    """Names all candle patterns that end with the last candle of a window, through PyTorch; several may stand at once.

    Attributes:
        labels: such as `engulfing_up` and `engulfing_down`.
        threshold: of each label, the probability from which on it is reported.
    """

    def __init__(
        self, labels: tuple[str, ...], *, length: int = 16, width: int = 256, depth: int = 3, seed: int = 0
    ) -> None:
        self.length, self.labels, self.numbers = length, labels, NUMBERS
        self.threshold = np.full(len(labels), 0.5, dtype=np.float32)
        self._made_of = {"width": width, "depth": depth}
        outputs = MultiLabelNetwork.n_outputs(labels, NUMBERS)
        body = CandleNetwork(length, outputs, width=width, depth=depth, seed=seed)
        self.network = MultiLabelNetwork(body, labels, NUMBERS)

    def answers(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        found = np.empty((len(windows), len(self.labels), 1 + len(NUMBERS)), dtype=np.float32)
        for start in range(0, len(windows), CHUNK):
            part = np.ascontiguousarray(windows[start : start + CHUNK])
            answer = self.network.answer(torch.from_numpy(part))
            found[start : start + CHUNK, :, 0] = answer.probability.numpy()
            found[start : start + CHUNK, :, 1:] = answer.numbers.numpy()
        return found

    def save(self, folder: Path, probe_windows: NDArray[np.float32], **said: Any) -> PatternCard:
        """Write weights, graph and card.

        Args:
            folder: where it shall be.
            probe_windows: on which graph and network must agree, float32 of shape (batch, length, 5).
            said: what else the card shall say: learnt (all labels, unless it is said) and taught, which must be;
                symbols, data_hash, recipe, metrics, versions.
        """
        said = {"learnt": self.labels, **said}
        card = PatternCard(
            kind="candle_patterns", length=self.length, labels=self.labels, numbers=NUMBERS, network=self._made_of,
            threshold=tuple(float(t) for t in self.threshold), **said,
        )  # fmt: skip
        return save_pattern_network(folder, self.network, card, probe_windows)

    @classmethod
    def load(cls, folder: Path) -> CandlePatternNetwork:
        """Read a saved network. Raises ArtifactError where there is none, it is damaged or of another kind."""
        card = read_pattern_card(folder)
        if card.kind != "candle_patterns":
            raise ArtifactError(f"{folder} holds no network of candle patterns.", remedy="Train one.")
        made = cls(card.labels, length=card.length, **card.network)
        made.threshold = np.array(card.threshold, dtype=np.float32)
        restore_weights(folder, made.network)
        return made
