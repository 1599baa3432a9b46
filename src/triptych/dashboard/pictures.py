"""The picture a model saw at a decision, drawn again by the model's own encoding from the same candles.

Images are never stored. The window is cut by the predictor that cut it live, and drawn by the encoding that is the
first layer of the network, so the picture is the one the network saw as long as the candles are the same. A consensus
has a picture for each member; a sequence model's picture is its channels, one a row.

A decision is drawn by the model that took it, told by its fingerprint: when a session has put a new model in the place
of an old one, both are kept. One that was replaced before its first picture was asked for cannot be drawn any more.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.bootstrap.rendering.catalogue import value_range
from triptych.bootstrap.rendering.colouring import paint, palette_of
from triptych.bootstrap.rendering.looks import look_of
from triptych.bootstrap.rendering.png import encode_png
from triptych.bootstrap.run_folder import open_run
from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.domain.errors import TriptychError
from triptych.images import AbstractEncoding, to_pixels
from triptych.inference import Artifact, ConsensusArtifact, fingerprint, open_any_artifact
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.classifier import WindowClassifier
from triptych.live.reloading import artifact_written

KEPT: Final = 256
KEPT_MODELS: Final = 8
"""Models that are kept ready beside those of now, for decisions that they took before they were replaced."""
SMALLEST: Final = 180
"""Pictures are enlarged, pixel by pixel, to at least so many pixels."""


Heat = Callable[[WindowClassifier, NDArray[np.float32], int], NDArray[np.float32] | None]
"""Says what in a picture made a network decide; `dashboard.heat.explained_heat` is one."""


@dataclass(frozen=True, kw_only=True)
class _Painter:
    """A member that can be drawn: its predictor cuts the window, its classifier holds the encoding."""

    artifact: Artifact
    predictor: AbstractPredictor
    classifier: WindowClassifier


class _Past(AbstractView):
    """Candles up to one close."""

    def __init__(self, candles: Mapping[str, Sequence[Sequence[float]]], timeframe: Timeframe, close_ms: int) -> None:
        self._candles, self._timeframe = candles, timeframe
        self._last_open_ms = close_ms - timeframe.milliseconds

    def history(self, symbol: str, length: int) -> CandleSeries | None:
        known = [row for row in self._candles.get(symbol, ()) if row[0] <= self._last_open_ms]
        # A newest candle that is not the one decided on would give another picture than the one that was seen.
        if len(known) < length or known[-1][0] != self._last_open_ms:
            return None
        rows = np.array(known[-length:], dtype=np.float64)
        return CandleSeries(
            instrument=Instrument(symbol=symbol), timeframe=self._timeframe,
            open_time_ms=rows[:, 0].astype(np.int64), values=rows[:, 1:],
        )  # fmt: skip


class Pictures:
    """Draws pictures of decisions, and keeps the newest of them."""

    def __init__(self, runs: Sequence[Path], heat: Heat | None = None) -> None:
        """Draw for the models of these runs, loaded when the first picture is asked for; `heat` None: no heat."""
        self._runs, self._heat = list(runs), heat
        self._painters: OrderedDict[tuple[str, str], dict[str, _Painter]] = OrderedDict()
        self._opened: dict[Path, tuple[tuple[int, int], ...]] = {}
        self._timeframe = Timeframe.parse("1m")
        self._drawn: OrderedDict[tuple[str, ...], bytes | None] = OrderedDict()
        self._lock = threading.Lock()
        self.trouble = ""

    @property
    def has_heat(self) -> bool:
        """Whether heats can be asked for."""
        return self._heat is not None

    def follow(self, runs: Sequence[Path]) -> None:
        """Draw for these runs from now on; the same ones change nothing."""
        with self._lock:
            if list(runs) != self._runs:
                self._runs, self.trouble = list(runs), ""
                self._painters.clear()
                self._opened.clear()
                self._drawn.clear()

    def members(self, model: str, identity: str = "") -> tuple[str, ...]:
        """Names of the pictures of a model: its members, or itself; empty when it is not known here."""
        with self._lock:
            return tuple(self._known(model, identity))

    def picture(
        self,
        candles: Mapping[str, Sequence[Sequence[float]]],
        symbol: str,
        close_ms: int,
        *,
        model: str,
        member: str,
        identity: str = "",
        class_index: int | None = None,
    ) -> bytes | None:
        """The picture as a PNG file.

        Args:
            candles: rows by symbol, see `Desk.candles`.
            symbol, close_ms: of the decision.
            model: that the prediction was signed with; member: of `members(model, identity)`.
            identity: beginning of the model's fingerprint; empty where the journal does not tell it: the newest one.
            class_index: lay the heat of this class over it, 0 sell, 1 hold, 2 buy; None: the picture alone.

        Returns None when the model or the candles are not there any more, or there is no heat.
        """
        key = (symbol, str(close_ms), model, identity, member, str(class_index))
        with self._lock:
            if key in self._drawn:
                return self._drawn[key]
            painter = self._known(model, identity).get(member)
            drawn = None if painter is None else self._draw(painter, candles, symbol, close_ms, class_index)
            if drawn is not None:  # candles may still be coming in
                self._drawn[key] = drawn
                while len(self._drawn) > KEPT:
                    self._drawn.popitem(last=False)
            return drawn

    def _draw(
        self,
        painter: _Painter,
        candles: Mapping[str, Sequence[Sequence[float]]],
        symbol: str,
        close_ms: int,
        class_index: int | None,
    ) -> bytes | None:
        window = painter.predictor.window_now(_Past(candles, self._timeframe, close_ms), symbol)
        if window is None:
            return None
        window = np.ascontiguousarray(window, dtype=np.float32)
        encoding = painter.classifier.encoding
        assert isinstance(encoding, AbstractEncoding)
        low: float | torch.Tensor
        high: float | torch.Tensor
        low, high = value_range(encoding)
        with torch.inference_mode():
            image = painter.classifier.images(torch.from_numpy(window[None]))
            if image.shape[2] == 1:  # a sequence: channels as rows, each in its own range, time from left to right
                image = image.transpose(1, 2)
                low, high = image.amin(3, keepdim=True), image.amax(3, keepdim=True) + 1e-9
            pixels = to_pixels(((image - low) / (high - low)).clamp(0.0, 1.0))
        scale = max(1, -(-SMALLEST // max(pixels.shape[1:3])))
        painted = paint(pixels, colors=look_of(painter.artifact.card.encoding["name"]).colors, scale=scale).rgb()[0]
        if class_index is not None:
            heat = None if self._heat is None else self._heat(painter.classifier, window, class_index)
            if heat is None:
                return None
            painted = _laid_over(painted, heat)
        return encode_png(painted, smooth=True)

    def _known(self, model: str, identity: str) -> Mapping[str, _Painter]:
        """Painters of a model by member; opens what was replaced since it was opened, when the model is not known."""
        found = self._find(model, identity)
        if found is None:
            for folder in self._runs:
                self._open(folder)
            found = self._find(model, identity)
        return found or {}

    def _find(self, model: str, identity: str) -> Mapping[str, _Painter] | None:
        fitting = [key for key in self._painters if key[0] == model and key[1].startswith(identity)]
        return self._painters[fitting[-1]] if fitting else None

    def _open(self, folder: Path) -> None:
        """Make a run's model ready; nothing where its card is the one that was read before."""
        try:
            place = open_run(folder).artifact
            written = artifact_written(place)
            if self._opened.get(folder) == written:
                return
            self._opened[folder] = written
            self._take(open_any_artifact(place))
        except (TriptychError, OSError, KeyError) as error:
            self.trouble = f"No pictures of {folder.name}: {getattr(error, 'message', error)}"

    def _take(self, artifact: Artifact | ConsensusArtifact) -> None:
        self._timeframe = Timeframe.parse(artifact.card.timeframe)
        members = {artifact.card.name: artifact} if isinstance(artifact, Artifact) else dict(artifact.members)
        # PyTorch cuts and draws here; nothing is predicted, so no runtime has to be started.
        self._painters[artifact.card.name, fingerprint(artifact)] = {
            name: _Painter(artifact=one, predictor=one.predictor("torch"), classifier=one.classifier())
            for name, one in members.items()
        }
        while len(self._painters) > len(self._runs) + KEPT_MODELS:
            self._painters.popitem(last=False)


def _laid_over(painted: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture darkened where the heat is low and coloured where it is high."""
    palette = palette_of("inferno")
    assert palette is not None
    rows = np.linspace(0, heat.shape[0] - 1, painted.shape[0]).round().astype(int)
    columns = np.linspace(0, heat.shape[1] - 1, painted.shape[1]).round().astype(int)
    strength = np.clip(heat[np.ix_(rows, columns)], 0.0, 1.0)[..., None]
    colours = palette[(strength[..., 0] * 255).astype(np.uint8)]
    mixed = painted * (1.0 - 0.65 * strength) * 0.75 + colours * 0.75 * strength
    pixels: NDArray[np.uint8] = np.clip(mixed, 0, 255).astype(np.uint8)
    return pixels
