"""A progress bar over the whole training: epoch, losses, time left."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from triptych.training.module import TrainingModule


class RichProgress(Callback):
    """One line on a terminal, written to the error stream so that what a program prints stays machine-readable."""

    def __init__(self, epochs: int, console: Console | None = None) -> None:
        self._epochs = epochs
        self._task = TaskID(0)
        self._progress = Progress(
            TextColumn("Training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("validation {task.fields[validation]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Show the bar; a resumed training begins where it stood."""
        steps = int(trainer.num_training_batches)
        self._task = self._progress.add_task(
            "train", total=steps * self._epochs, completed=steps * trainer.current_epoch,
            epoch=trainer.current_epoch + 1, epochs=self._epochs, loss="-", validation="-",
        )  # fmt: skip
        self._progress.start()

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Name the epoch."""
        self._progress.update(self._task, epoch=trainer.current_epoch + 1)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One step further; the loss is read now and then, since reading makes a GPU wait."""
        if batch_idx % 16 == 0:
            self._progress.update(self._task, loss=f"{float(outputs['loss']):.4f}")
        self._progress.advance(self._task)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Show the validation loss."""
        if isinstance(module, TrainingModule) and module.last_record is not None:
            self._progress.update(self._task, validation=f"{module.last_record.validation_loss:.4f}")

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Clear the bar."""
        self._progress.stop()

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        """Clear the bar before the error is shown."""
        self._progress.stop()
