"""Stopping a training between two epochs, where the checkpoint of the last one lets it go on."""

from __future__ import annotations

from collections.abc import Callable

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class StoppedError(Exception):
    """Training was asked to stop; `epochs` of it are done and kept."""

    def __init__(self, epochs: int) -> None:
        super().__init__(f"stopped after {epochs} epochs")
        self.epochs = epochs


class StopBetweenEpochs(Callback):
    """Raises StoppedError before an epoch, once `is_over` says so."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Ask."""
        if self._is_over():
            raise StoppedError(trainer.current_epoch)
