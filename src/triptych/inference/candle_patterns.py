"""Candle patterns by a network: the 61 of TA-Lib, rising and falling apart, each with probability and quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.domain.errors import ArtifactError, NotEnoughData
from triptych.inference.multi_label import (
    MultiLabelAnswer,
    MultiLabelNetwork,
    load_weights_into,
    read_card,
    save_multi_label,
)
from triptych.models.candle_network import CandleNetwork

NUMBERS: Final = ("quality",)
"""Of each label: the share of slightly changed copies of the candles in which the pattern still stands."""
CHUNK = 8192


class CandlePatternNetwork:
    """Names all candle patterns that end with the last candle of a window; several may stand at once.

    Attributes:
        labels: such as `engulfing_up` and `engulfing_down`.
        threshold: of each label, the probability from which on it is reported.
    """

    def __init__(
        self, labels: tuple[str, ...], *, length: int = 16, width: int = 256, depth: int = 3, seed: int = 0
    ) -> None:
        self.length = length
        self.labels = labels
        self.threshold = np.full(len(labels), 0.5, dtype=np.float32)
        self._shape = {"length": length, "width": width, "depth": depth}
        outputs = MultiLabelNetwork.n_outputs(labels, NUMBERS)
        body = CandleNetwork(length, outputs, width=width, depth=depth, seed=seed)
        self.network = MultiLabelNetwork(body, labels, NUMBERS)

    def answer(self, values: NDArray[np.float64]) -> MultiLabelAnswer:
        """Probability and quality of every label at candles `length` - 1 and after, from candles of shape (n, 5).

        Raises NotEnoughData for fewer candles than a window.
        """
        if len(values) < self.length:
            raise NotEnoughData(
                f"{len(values)} candles are fewer than the network's window of {self.length}.",
                remedy=f"Bring at least {self.length} candles.",
            )
        ends = np.arange(self.length - 1, len(values))
        parts = [
            self.network.answer(
                torch.from_numpy(values[ends[at : at + CHUNK, None] + np.arange(1 - self.length, 1)].astype(np.float32))
            )
            for at in range(0, len(ends), CHUNK)
        ]
        return MultiLabelAnswer(
            probability=torch.cat([part.probability for part in parts]),
            numbers=torch.cat([part.numbers for part in parts]),
        )

    def save(self, folder: Path, facts: dict[str, Any]) -> Path:
        """Write weights and card; `facts` are what else the card shall say."""
        card = {"kind": "candle_patterns", **self._shape, "threshold": [float(t) for t in self.threshold], **facts}
        return save_multi_label(folder, self.network, card)

    @classmethod
    def load(cls, folder: Path) -> CandlePatternNetwork:
        """Read a saved network. Raises ArtifactError where there is none or it is of another kind."""
        card = read_card(folder)
        if card.get("kind") != "candle_patterns":
            raise ArtifactError(f"{folder} holds no network of candle patterns.", remedy="Train one.")
        made = cls(tuple(card["labels"]), length=card["length"], width=card["width"], depth=card["depth"])
        made.threshold = np.array(card["threshold"], dtype=np.float32)
        load_weights_into(folder, made.network)
        return made
