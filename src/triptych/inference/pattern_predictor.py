"""The predictor of a saved network of patterns: closed candles in, probability and quality of every pattern out."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.inference.pattern_card import GRAPH, PatternCard, hash_of, read_pattern_card
from triptych.inference.pattern_reader import AbstractPatternReader
from triptych.inference.pattern_saving import OUTPUT
from triptych.inference.predictor import OnnxPredictor

REMEMBERED: Final = 40_000
"""Windows whose answers are kept: a year of quarters of an hour."""
OPEN: Final = 4
"""Networks that stay open."""


class PatternPredictor(AbstractPatternReader):
    """Serves a saved network through ONNX Runtime, on one thread of the CPU.

    Each window is asked about by itself: the last bits of an answer depend on the size of its batch, and a live engine
    that asks about one window must be told what a backtest was. Answers are remembered by the content of their windows,
    so that a live engine, whose factors look back, asks about each window once.

    Attributes:
        card: of the network.
        digest: SHA-256 of the card: two predictors of one digest answer alike.
    """

    def __init__(self, folder: Path, card: PatternCard, digest: str) -> None:
        self.card, self.digest = card, digest
        self.length, self.labels, self.numbers = card.length, card.labels, card.numbers
        self._session = OnnxPredictor(
            folder / GRAPH, length=card.length, threads=1, providers=("CPUExecutionProvider",)
        )
        self._known: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()

    def answers(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        found = np.empty((len(windows), len(self.labels), 1 + len(self.numbers)), dtype=np.float32)
        for row, window in zip(found, windows, strict=True):
            row[:] = self._answer(np.ascontiguousarray(window, dtype=np.float32))
        return found

    def _answer(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        key = hashlib.blake2b(window.tobytes(), digest_size=16).digest()
        known = self._known.get(key)
        if known is None:
            known = self._session.outputs(window[None], (OUTPUT,))[0][0]
            self._known[key] = known
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known


_open: OrderedDict[str, PatternPredictor] = OrderedDict()


def open_patterns(folder: Path) -> PatternPredictor:
    """The predictor of the network in a folder, checked against its card.

    Folders that hold the same network share one predictor with all that it remembers: a recipe's and the copies that
    its artifacts carry. The last four stay open.

    Raises ArtifactError when the folder holds none, or it is damaged.
    """
    card, digest = read_pattern_card(folder), hash_of(folder)
    found = _open.pop(digest, None) or PatternPredictor(folder, card, digest)
    _open[digest] = found
    while len(_open) > OPEN:
        _open.popitem(last=False)
    return found
