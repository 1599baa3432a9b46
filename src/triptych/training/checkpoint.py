"""One checkpoint file that a kill at any moment leaves whole: state, history and the best weights so far."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint
from torch import Tensor

from triptych.domain.files import write_atomically
from triptych.training.history import EpochRecord, best_of
from triptych.training.module import TrainingModule


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, replaced in one step and flushed to the disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write `checkpoint` to `path`."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomically(Path(path), lambda temporary: temporary.write_bytes(buffer.getvalue()))


class Recorder(Callback):
    """Collects the history and keeps the weights of the best epoch; both travel inside the checkpoint.

    `on_epoch` is told every new record.
    """

    def __init__(self, on_epoch: Callable[[EpochRecord], None] | None = None) -> None:
        self.history: list[EpochRecord] = []
        self.best_state: dict[str, Tensor] = {}
        self._on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Take the record of the epoch that ended."""
        assert isinstance(module, TrainingModule) and module.last_record is not None  # noqa: PT018 - narrows for mypy
        record = module.last_record
        self.history.append(record)
        if best_of(self.history) is record:
            state = module.kept.network.state_dict()
            self.best_state = {name: value.detach().to("cpu", copy=True) for name, value in state.items()}
        if self._on_epoch is not None:
            self._on_epoch(record)

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers and tensors: they load with `weights_only=True`."""
        return {"history": [asdict(record) for record in self.history], "best_state": self.best_state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the checkpoint stood."""
        self.history = [EpochRecord(**record) for record in state["history"]]
        self.best_state = dict(state["best_state"])


class EpochCheckpoint(Checkpoint):
    """Writes the checkpoint at the end of every epoch; Lightning calls such callbacks after all others."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Replace the checkpoint."""
        trainer.save_checkpoint(self._path)
