"""Training of networks with several labels a window: binary cross-entropy, and a loss on each label's numbers."""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, LambdaCallback
from pydantic import Field
from torch import Tensor

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import NotEnoughData, RunError
from triptych.inference.multi_label import MultiLabelNetwork
from triptych.training.checkpoint import AtomicCheckpointIO, EpochCheckpoint
from triptych.training.loader import EpochSampler, Order
from triptych.training.optimizer import adamw, warmup_cosine
from triptych.training.seeds import derive_seed
from triptych.training.surroundings import run_loop

Triple = tuple[Tensor, Tensor, Tensor]


class Config(BaseConfig):
    """How a network of several labels is trained."""

    epochs: int = Field(8, ge=1, le=10_000, description="Passes over the training windows.")
    batch_size: int = Field(128, ge=2, le=1_000_000, description="Windows in a batch.")
    learning_rate: float = Field(2e-3, gt=0, le=10, description="Highest learning rate of AdamW.")
    weight_decay: float = Field(0.02, ge=0, le=10, description="Decay of AdamW.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of all steps that warm up.")
    numbers_weight: float = Field(
        2.0, ge=0, le=100, description="Weight of the loss on the numbers of a label (boxes, quality)."
    )
    positive_weight: float = Field(1.0, gt=0, le=1000, description="Weight of windows that have a label, in its loss.")
    gradient_clip: float = Field(1.0, ge=0, description="Greatest norm of the gradient; 0 does not clip.")


@dataclass(frozen=True, kw_only=True, slots=True)
class MultiLabelSet:
    """Windows with their labels.

    Attributes:
        windows: float32 of shape (n, length, 5).
        labels: float32 of shape (n, labels), 0 or 1.
        numbers: float32 of shape (n, labels, numbers), from 0 to 1; NaN where there is nothing to learn.
    """

    windows: Tensor
    labels: Tensor
    numbers: Tensor

    def __len__(self) -> int:
        return len(self.windows)


@dataclass(frozen=True, kw_only=True, slots=True)
class MultiLabelEpoch:
    """Losses of one epoch."""

    epoch: int
    train_loss: float
    validation_loss: float


def multi_label_loss(scores_BLN: Tensor, labels: Tensor, numbers: Tensor, config: Config) -> Tensor:
    """Binary cross-entropy of the labels, plus the mean absolute error of the numbers that are known.

    Args:
        scores_BLN: logits of shape (batch, labels, 1 + numbers).
        labels, numbers: as in `MultiLabelSet`.
        config: weights.
    """
    weight = torch.tensor(config.positive_weight, device=scores_BLN.device)
    loss = F.binary_cross_entropy_with_logits(scores_BLN[..., 0], labels, pos_weight=weight, reduction="none")
    total = loss.sum(dim=1).mean()
    known = torch.isfinite(numbers)
    if config.numbers_weight and bool(known.any()):
        error = (torch.sigmoid(scores_BLN[..., 1:]) - torch.where(known, numbers, 0.0)).abs()
        total = total + config.numbers_weight * (error * known).sum() / known.sum()
    return total


class _Module(LightningModule):
    def __init__(self, network: MultiLabelNetwork, config: Config, steps: int, seed: int) -> None:
        super().__init__()
        self.network = network
        self.history: list[MultiLabelEpoch] = []
        self.best: dict[str, Tensor] = {}
        self._config, self._steps, self._seed = config, steps, seed
        self._train: list[float] = []
        self._validation: list[tuple[float, int]] = []

    def configure_optimizers(self) -> Any:
        config = self._config
        optimizer = adamw(self.network, config.learning_rate, config.weight_decay)
        factor = partial(warmup_cosine, steps=self._steps, warmup_steps=round(config.warmup * self._steps), floor=0.01)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(derive_seed(self._seed, "network", self.current_epoch))
        self._train, self._validation = [], []

    def training_step(self, batch: Triple, batch_idx: int) -> Tensor:
        loss = multi_label_loss(self.network(batch[0]), batch[1], batch[2], self._config)
        if not bool(torch.isfinite(loss)):
            raise RunError(
                f"Training diverged: the loss became NaN or infinite in epoch {self.current_epoch}.",
                remedy="Lower `learning_rate` or keep `gradient_clip` on.",
            )
        self._train.append(float(loss.detach()))
        return loss

    def validation_step(self, batch: Triple, batch_idx: int) -> None:
        loss = multi_label_loss(self.network(batch[0]), batch[1], batch[2], self._config)
        self._validation.append((float(loss), len(batch[0])))

    def on_validation_epoch_end(self) -> None:
        count = sum(n for _, n in self._validation)
        record = MultiLabelEpoch(
            epoch=self.current_epoch,
            train_loss=sum(self._train) / max(len(self._train), 1),
            validation_loss=sum(loss * n for loss, n in self._validation) / count,
        )
        if not self.history or record.validation_loss < min(e.validation_loss for e in self.history):
            self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.history.append(record)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = [asdict(record) for record in self.history]
        checkpoint["best"] = self.best

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = [MultiLabelEpoch(**record) for record in checkpoint["history"]]
        self.best = dict(checkpoint["best"])


def fit_multi_label(
    network: MultiLabelNetwork,
    train: MultiLabelSet | Callable[[int], MultiLabelSet],
    validation: MultiLabelSet,
    config: Config,
    seed: int,
    *,
    on_epoch: Callable[[MultiLabelEpoch], None] | None = None,
    checkpoint: Path | None = None,
) -> tuple[MultiLabelEpoch, ...]:
    """Train in place; the network ends with the weights of the epoch of the lowest validation loss, in evaluation mode.

    Args:
        network: freshly initialised.
        train: windows to learn from; or what draws those of an epoch by its number, from 0, always as many. Windows
            that are never seen twice cannot be learnt by heart.
        validation: windows to choose the best epoch by.
        config: how to train.
        seed: of order and dropout.
        on_epoch: told every record; not for epochs done before a resumption.
        checkpoint: file that is written at the end of every epoch; the same call goes on from it and ends with the same
            weights and history as one that was never stopped. It stays. None: a training that is stopped is lost.

    Raises NotEnoughData when a set is too small for a batch, RunError when the loss diverges or the checkpoint is
    damaged, StorageError when the disk refuses.
    """
    drawn = train if callable(train) else lambda epoch: train
    count = len(drawn(0))
    if count < config.batch_size or not len(validation):
        raise NotEnoughData(
            f"Training needs at least a batch of {config.batch_size} windows and one to validate, there are "
            f"{count} and {len(validation)}.",
            remedy="Bring more windows or lower `batch_size`.",
        )
    callbacks: list[Callback] = [_teller(on_epoch)] if on_epoch else []
    if checkpoint is not None:
        callbacks.append(EpochCheckpoint(checkpoint))
    loaders = (
        _Loader(drawn, count, config.batch_size, "shuffled", derive_seed(seed, "order")),
        _Loader(lambda epoch: validation, len(validation), 4 * config.batch_size, "sequential", 0),
    )
    with _quiet():
        module = _Module(network.train(), config, len(loaders[0]) * config.epochs, seed)
        resumes = checkpoint is not None and checkpoint.exists()
        if checkpoint is not None and resumes:
            module.on_load_checkpoint(_read(checkpoint))
        if len(module.history) < config.epochs:
            trainer = Trainer(
                accelerator="auto", devices=1, max_epochs=config.epochs, gradient_clip_val=config.gradient_clip or None,
                logger=False, enable_checkpointing=checkpoint is not None, enable_progress_bar=False,
                enable_model_summary=False, num_sanity_val_steps=0, callbacks=callbacks, plugins=[AtomicCheckpointIO()],
                default_root_dir=None if checkpoint is None else checkpoint.parent,
            )  # fmt: skip
            run_loop(trainer, module, loaders, checkpoint if resumes else None)
    network.cpu().load_state_dict(module.best)
    network.eval()
    return tuple(module.history)


def _read(checkpoint: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if not {"history", "best"} <= content.keys():
            raise KeyError
    except (RuntimeError, KeyError, TypeError, AttributeError, EOFError, OSError, pickle.UnpicklingError) as error:
        # PyTorch's own message advises to load the file unsafely, so it is kept out of ours.
        raise RunError(f"The checkpoint {checkpoint} is damaged.", remedy="Delete its folder to train anew.") from error
    return content


class _Loader:
    """Batches of a set by lists of positions; Lightning takes it as it takes a DataLoader, and tells it the epoch.

    Set and order of an epoch follow from its number and the seed, so that a training that goes on has the same.
    """

    def __init__(
        self, drawn: Callable[[int], MultiLabelSet], count: int, batch_size: int, order: Order, seed: int
    ) -> None:
        self._drawn, self._count = drawn, count
        self._batch_size, self._whole = batch_size, order == "shuffled"
        self.sampler = EpochSampler(torch.zeros(count, dtype=torch.int64), order, seed)
        self.batch_sampler = None  # Lightning looks for both, and tells the sampler the epoch

    def __len__(self) -> int:
        full, rest = divmod(self._count, self._batch_size)
        return full + (not self._whole and rest > 0)

    def __iter__(self) -> Iterator[Triple]:
        chosen, positions = self._drawn(self.sampler.epoch), self.sampler.positions()
        for step in range(len(self)):
            at = positions[step * self._batch_size : (step + 1) * self._batch_size]
            yield chosen.windows[at], chosen.labels[at], chosen.numbers[at]


def _teller(on_epoch: Callable[[MultiLabelEpoch], None]) -> LambdaCallback:
    return LambdaCallback(on_train_epoch_end=lambda _, module: on_epoch(module.history[-1]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's messages, and with torch's random state as it was before."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
