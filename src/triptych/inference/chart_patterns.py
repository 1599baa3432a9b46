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
from triptych.inference.multi_label import MultiLabelNetwork
from triptych.inference.pattern_card import PatternCard, read_pattern_card
from triptych.inference.pattern_reader import AbstractPatternReader
from triptych.inference.pattern_saving import restore_weights, save_pattern_network
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


class ChartPatternNetwork(AbstractPatternReader):
    """An encoding with a network that names chart patterns and their boxes, through PyTorch."""

    def __init__(self, length: int, encoding: dict[str, Any], model: dict[str, Any], *, seed: int = 0) -> None:
        """Build it untrained; `encoding` and `model` are names with options, as `create_encoding` takes them."""
        self.length, self.labels, self.numbers = length, tuple(PATTERNS), NUMBERS
        self._made_of = {"encoding": encoding, "model": model}
        drawing = create_encoding(length=length, **encoding)
        network = create_model(
            in_chans=drawing.channels,
            num_classes=MultiLabelNetwork.n_outputs(self.labels, NUMBERS),
            seed=seed,
            **model,
        )
        self.network = MultiLabelNetwork(WindowClassifier(drawing, network), self.labels, NUMBERS)

    def answers(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        answer = self.network.answer(torch.from_numpy(np.ascontiguousarray(windows)))
        return torch.cat((answer.probability[..., None], answer.numbers), dim=2).numpy()

    def save(self, folder: Path, probe_windows: NDArray[np.float32], **said: Any) -> PatternCard:
        """Write weights, graph and card.

        Args:
            folder: where it shall be.
            probe_windows: on which graph and network must agree, float32 of shape (batch, length, 5).
            said: what else the card shall say: recipe, metrics, versions.
        """
        card = PatternCard(
            kind="chart_patterns", length=self.length, labels=self.labels, numbers=NUMBERS, learnt=self.labels,
            threshold=(Config().threshold,) * len(self.labels), network=self._made_of, taught=None, **said,
        )  # fmt: skip
        return save_pattern_network(folder, self.network, card, probe_windows)

    @classmethod
    def load(cls, folder: Path) -> ChartPatternNetwork:
        """Read a saved network. Raises ArtifactError where there is none, it is damaged or of another kind."""
        card = read_pattern_card(folder)
        if card.kind != "chart_patterns" or card.labels != tuple(PATTERNS):
            raise ArtifactError(
                f"{folder} holds no network of the chart patterns of this version.", remedy="Train one."
            )
        made = cls(card.length, **card.network)
        restore_weights(folder, made.network)
        return made


def find_by_network(
    reader: AbstractPatternReader,
    values: NDArray[np.float64],
    config: Config | None = None,
    *,
    after_outage: NDArray[np.bool_] | None = None,
) -> tuple[Detection, ...]:
    """All detections of a history, in the order in which they became known.

    Args:
        reader: a network of chart patterns, saved or not.
        values: candles of shape (n_candles, 5).
        config: thresholds.
        after_outage: candles before which the history has a hole that no window may span, bool of shape (n_candles,);
            None: there is none.

    The network is asked at candles `length` - 1, and every `stride` after it, about the window that ends there.
    Raises ArtifactError for a network of other patterns, NotEnoughData for a history shorter than a window.
    """
    if reader.labels != tuple(PATTERNS):
        raise ArtifactError("The network does not name the chart patterns of this version.", remedy="Train one.")
    if len(values) < reader.length:
        raise NotEnoughData(
            f"{len(values)} candles are fewer than the network's window of {reader.length}.",
            remedy=f"Bring at least {reader.length} candles.",
        )
    config = config or Config()
    ends = np.arange(reader.length - 1, len(values), config.stride)
    if after_outage is not None:
        holes = np.cumsum(after_outage)
        ends = ends[holes[ends] == holes[ends - (reader.length - 1)]]
    reported: dict[str, deque[tuple[int, int]]] = {name: deque(maxlen=64) for name in PATTERNS}
    found: list[Detection] = []
    for first in range(0, len(ends), CHUNK):
        chosen = ends[first : first + CHUNK]
        answers = reader.over(values, chosen)
        for row, label in zip(*np.nonzero(answers[..., 0] >= config.threshold), strict=True):
            said = answers[row, label]
            detection = _detection(values, int(chosen[row]), reader.length, list(PATTERNS)[label], said)
            span = (detection.start, detection.end)
            known = reported[detection.pattern]
            if all(time_overlap(span, other) < config.overlap for other in known):
                known.append(span)
                found.append(detection)
    return tuple(found)


def _detection(
    values: NDArray[np.float64], now: int, length: int, pattern: str, said: NDArray[np.float32]
) -> Detection:
    """A detection whose box spans the candles that the network names, from their lowest low to their highest high.

    `said` is the probability, the start and the end, the last two as shares of the window.
    """
    first = now + 1 - length
    start = first + min(round(float(said[1]) * (length - 1)), length - 2)
    end = max(first + round(float(said[2]) * (length - 1)), start + 1)
    box = values[start : end + 1]
    corners = (
        KeyPoint(index=start, price=float(values[start, CLOSE])),
        KeyPoint(index=end, price=float(values[end, CLOSE])),
    )
    return Detection(
        pattern=pattern, side=PATTERNS[pattern], start=start, end=end, low=float(box[:, LOW].min()),
        high=float(box[:, HIGH].max()), known_at=now, score=float(said[0]), key_points=corners,
    )  # fmt: skip
