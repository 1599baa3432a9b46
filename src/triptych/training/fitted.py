"""The folder of a training: whose it is, and what it left when it ended.

fingerprint.json      what the training was started with, as hashes
checkpoint.ckpt       state at the last epoch's end; gone when the training has ended
weights.safetensors   weights of the best epoch
history.csv           one line per epoch
fit.json              written last: the training has ended
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from triptych.domain.errors import RunError
from triptych.domain.files import write_atomically, write_json, write_text
from triptych.training.history import EpochRecord, best_of, to_csv

CHECKPOINT: Final = "checkpoint.ckpt"
_FINGERPRINT, _WEIGHTS, _HISTORY, _RESULT = "fingerprint.json", "weights.safetensors", "history.csv", "fit.json"


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What a training left.

    Attributes:
        best_epoch: epoch with the lowest validation loss, counted from 0.
        history: one record per epoch.
        state: state dict of the whole classifier at the best epoch, on the CPU.
        stopped_early: whether the validation loss ended it before the last epoch.
    """

    best_epoch: int
    history: tuple[EpochRecord, ...]
    state: Mapping[str, Tensor]
    stopped_early: bool


def claim(directory: Path, fingerprint: Mapping[str, str]) -> None:
    """Mark the folder as belonging to a training. Raises RunError when it belongs to another one."""
    path = directory / _FINGERPRINT
    if not path.exists():
        write_json(path, dict(fingerprint))
        return
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise RunError(f"{path} is damaged.", remedy="Choose another folder or delete this one.") from error
    differing = [name for name in fingerprint if found.get(name) != fingerprint[name]]
    if differing:
        raise RunError(
            f"{directory} belongs to another training: {', '.join(differing)} differ(s).",
            remedy="Choose another folder, or delete this one to start anew.",
        )


def read_result(directory: Path) -> FitResult | None:
    """The result of a training that has ended, else None. Raises RunError when its files are damaged."""
    path = directory / _RESULT
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
        history = tuple(EpochRecord(**record) for record in content["history"])
        return FitResult(
            best_epoch=content["best_epoch"],
            history=history,
            state=load_file(directory / _WEIGHTS),
            stopped_early=content["stopped_early"],
        )
    except (ValueError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise RunError(
            f"The finished training in {directory} is damaged: {error}.", remedy="Delete the folder and train again."
        ) from error


def write_result(
    directory: Path, history: tuple[EpochRecord, ...], state: Mapping[str, Tensor], stopped_early: bool
) -> FitResult:
    """Write the result, the file that says so last, then remove the checkpoint."""
    best = best_of(history).epoch
    weights = save({name: value.contiguous() for name, value in state.items()})
    write_atomically(directory / _WEIGHTS, lambda temporary: temporary.write_bytes(weights))
    write_text(directory / _HISTORY, to_csv(history))
    content = {"best_epoch": best, "stopped_early": stopped_early, "history": [asdict(record) for record in history]}
    write_json(directory / _RESULT, content)
    (directory / CHECKPOINT).unlink(missing_ok=True)
    return FitResult(best_epoch=best, history=history, state=state, stopped_early=stopped_early)
