"""The state of a stream in a file, so that a watch that is begun again goes on as if it had never ended.

One safetensors file: arrays of each symbol, the rest as JSON in its metadata. Reading it never runs code.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from triptych.domain.errors import ArtifactError
from triptych.domain.files import write_bytes
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.course import Course
from triptych.inference.anomaly.ring import History, Ring
from triptych.inference.anomaly.saving import fingerprint
from triptych.inference.anomaly.stream import DetectorStream, StreamState

FORMAT: Final = "triptych anomaly stream 1"
_REMEDY: Final = "Name another file, or remove this one: the watch then begins with a warm-up."


class StreamFile:
    """Where the state of one stream is kept."""

    def __init__(self, path: Path, stream: DetectorStream) -> None:
        """Keep the state of `stream`, which is taken up where the file is there.

        Raises ArtifactError for a file that is no such state, is damaged, or was written by another detector or with
        other settings.
        """
        self._path, self._stream = Path(path), stream
        self._detector = fingerprint(stream.detector)  # takes a moment: once, not at each writing
        self.resumed = self._path.exists()
        if self.resumed:
            self._read()

    def write(self) -> None:
        """Write the state as it is: the whole file or nothing. Raises StorageError when the disk refuses."""
        state = self._stream.state()
        arrays: dict[str, NDArray[Any]] = {}
        symbols = []
        for i, (symbol, history) in enumerate(state.histories.items()):
            rings = {"ring": history.ring} | ({} if history.beside is None else {"beside": history.beside})
            for name, ring in rings.items():
                arrays[f"{i}.{name}"] = ring.newest()
                if ring.last is not None:
                    arrays[f"{i}.{name}.last"] = ring.last
            symbols.append(
                {
                    "symbol": symbol, "course": asdict(history.course), "rows": history.rows, "stamp": history.stamp,
                    "ahead": history.ahead, "bad_runs": {name: ring.bad_run for name, ring in rings.items()},
                }
            )  # fmt: skip
        thresholds = list(state.thresholds)
        for i, symbol in enumerate(thresholds):
            arrays |= {f"{i}.threshold.{name}": one for name, one in state.thresholds[symbol].numbers().items()}
        said = {"clock": state.clock, "symbols": symbols, "thresholds": thresholds}
        metadata = self._marks() | {"state": json.dumps(said, allow_nan=False)}
        write_bytes(self._path, save({name: np.ascontiguousarray(one) for name, one in arrays.items()}, metadata))

    def _marks(self) -> dict[str, str]:
        """What must be the same where a state is taken up."""
        stream = self._stream
        settings = stream.threshold.model_dump(mode="json")
        settings |= {"step": stream.step, "breaks": stream.detector.config.breaks}
        return {"format": FORMAT, "detector": self._detector, "settings": json.dumps(settings, sort_keys=True)}

    def _read(self) -> None:
        path, marks = self._path, self._marks()
        try:
            with safe_open(path, framework="np") as file:
                metadata = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        except (SafetensorError, OSError) as error:
            raise ArtifactError(f"{path} is no state of a stream: {error}", remedy=_REMEDY) from error
        if metadata.get("format") != FORMAT:
            raise ArtifactError(f"{path} is no state of a stream of this version.", remedy=_REMEDY)
        if metadata.get("detector") != marks["detector"]:
            raise ArtifactError(f"{path} is the state of another detector.", remedy=_REMEDY)
        try:
            if metadata["settings"] != marks["settings"]:
                raise ArtifactError(
                    f"{path} was written with other settings: {_difference(metadata['settings'], marks['settings'])}.",
                    remedy=f"Give the same settings. {_REMEDY}",
                )
            self._stream.restore(_restored(json.loads(metadata["state"]), arrays, self._stream))
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise ArtifactError(f"{path} is damaged: {error}.", remedy=_REMEDY) from error


def _difference(theirs: str, ours: str) -> str:
    before, now = json.loads(theirs), json.loads(ours)
    other = [name for name in now if before.get(name) != now[name]]
    return ", ".join(f"{name} was {before.get(name)}, is {now[name]}" for name in other)


def _restored(said: dict[str, Any], arrays: dict[str, NDArray[Any]], stream: DetectorStream) -> StreamState:
    detector = stream.detector
    histories: dict[str, History] = {}
    for i, one in enumerate(said["symbols"]):
        history = History(detector.memory, len(detector.columns_))
        history.course = Course(**one["course"] | {"held_times": tuple(one["course"].get("held_times", ()))})
        history.rows, history.stamp, history.ahead = int(one["rows"]), str(one["stamp"]), float(one["ahead"])
        for name, bad_run in one["bad_runs"].items():
            ring = _ring(detector, arrays[f"{i}.{name}"], arrays.get(f"{i}.{name}.last"), int(bad_run))
            setattr(history, "ring" if name == "ring" else "beside", ring)
        histories[str(one["symbol"])] = history
    thresholds = {}
    for i, symbol in enumerate(said["thresholds"]):
        prefix = f"{i}.threshold."
        made = detector.begun_threshold(stream.threshold)
        made.restore({name.removeprefix(prefix): one for name, one in arrays.items() if name.startswith(prefix)})
        thresholds[str(symbol)] = made
    return StreamState(clock=said["clock"], histories=histories, thresholds=thresholds)


def _ring(
    detector: AbstractDetector, rows: NDArray[np.float32], last: NDArray[np.float64] | None, bad_run: int
) -> Ring:
    if rows.shape[1] != len(detector.columns_) or len(rows) > detector.memory:
        raise ValueError(f"rows of shape {rows.shape}")
    ring = Ring(detector.memory, len(detector.columns_))
    ring.fill(rows)
    ring.last, ring.bad_run = last, bad_run
    return ring
