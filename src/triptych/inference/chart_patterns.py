"""Chart patterns by a network: windows of candles in, detections with boxes out, never from candles to come."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import CLOSE, HIGH, LOW
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import ArtifactError, NotEnoughData
from triptych.features.chart_patterns import PATTERNS, Detection, KeyPoint, time_overlap
from triptych.images import create_encoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.multi_label import MultiLabelNetwork, load_weights_into, read_card, save_multi_label
from triptych.models import create_model

NUMBERS: Final = ("start", "end", "quality")
"""Of each label: first and last candle as a share of the window, and how exact the shape is."""
CHUNK = 256


class Config(BaseConfig):
    """From probabilities to detections."""

    threshold: float = Field(0.5, gt=0, lt=1, description="Least probability of a detection.")
    stride: int = Field(2, ge=1, le=1000, description="The network is asked at every so many candles.")
    overlap: float = Field(
        0.3, gt=0, le=1, description="A detection that shares this much time (IoU) with one reported is not repeated."
    )


class ChartPatternNetwork:
    """An encoding with a network that names chart patterns and their boxes in windows of `length` candles."""

    def __init__(self, length: int, encoding: dict[str, Any], model: dict[str, Any], *, seed: int = 0) -> None:
        """Build it untrained; `encoding` and `model` are names with options, as `create_encoding` takes them."""
        self.length = length
        self.card = {"kind": "chart_patterns", "length": length, "encoding": encoding, "model": model}
        drawing = create_encoding(length=length, **encoding)
        labels = tuple(PATTERNS)
        network = create_model(
            in_chans=drawing.channels, num_classes=MultiLabelNetwork.n_outputs(labels, NUMBERS), seed=seed, **model
        )
        self.network = MultiLabelNetwork(WindowClassifier(drawing, network), labels, NUMBERS)

    def save(self, folder: Path, facts: dict[str, Any]) -> Path:
        """Write weights and card; `facts` are what else the card shall say, such as seed and metrics."""
        return save_multi_label(folder, self.network, {**self.card, **facts})

    @classmethod
    def load(cls, folder: Path) -> ChartPatternNetwork:
        """Read a saved network. Raises ArtifactError where there is none or it is of another kind."""
        card = read_card(folder)
        if card.get("kind") != "chart_patterns" or card.get("labels") != list(PATTERNS):
            raise ArtifactError(
                f"{folder} holds no network of the chart patterns of this version.", remedy="Train it again."
            )
        made = cls(card["length"], card["encoding"], card["model"])
        load_weights_into(folder, made.network)
        return made

    def find(self, values: NDArray[np.float64], config: Config | None = None) -> tuple[Detection, ...]:
        """All detections of a history, in the order in which they became known.

        Args:
            values: candles of shape (n_candles, 5).
            config: thresholds.

        The network is asked at candles `length` - 1, and every `stride` after it, about the window that ends there.
        Raises NotEnoughData for a history shorter than a window.
        """
        if len(values) < self.length:
            raise NotEnoughData(
                f"{len(values)} candles are fewer than the network's window of {self.length}.",
                remedy=f"Bring at least {self.length} candles.",
            )
        config = config or Config()
        ends = np.arange(self.length - 1, len(values), config.stride)
        reported: dict[str, deque[tuple[int, int]]] = {name: deque(maxlen=64) for name in PATTERNS}
        found: list[Detection] = []
        for first in range(0, len(ends), CHUNK):
            chosen = ends[first : first + CHUNK]
            windows = values[chosen[:, None] + np.arange(1 - self.length, 1)].astype(np.float32)
            answer = self.network.answer(torch.from_numpy(windows))
            probability, numbers = answer.probability.numpy(), answer.numbers.numpy()
            for row, label in zip(*np.nonzero(probability >= config.threshold), strict=True):
                detection = _detection(
                    values, int(chosen[row]), self.length, list(PATTERNS)[label], float(probability[row, label]),
                    numbers[row, label],
                )  # fmt: skip
                span = (detection.start, detection.end)
                known = reported[detection.pattern]
                if all(time_overlap(span, other) < config.overlap for other in known):
                    known.append(span)
                    found.append(detection)
        return tuple(found)


def _detection(
    values: NDArray[np.float64], now: int, length: int, pattern: str, probability: float, numbers: NDArray[np.float32]
) -> Detection:
    """A detection whose box spans the candles that the network names, from their lowest low to their highest high."""
    first = now + 1 - length
    start = first + min(round(float(numbers[0]) * (length - 1)), length - 2)
    end = max(first + round(float(numbers[1]) * (length - 1)), start + 1)
    box = values[start : end + 1]
    corners = (
        KeyPoint(index=start, price=float(values[start, CLOSE])),
        KeyPoint(index=end, price=float(values[end, CLOSE])),
    )
    return Detection(
        pattern=pattern, side=PATTERNS[pattern], start=start, end=end, low=float(box[:, LOW].min()),
        high=float(box[:, HIGH].max()), known_at=now, score=probability, key_points=corners,
    )  # fmt: skip
