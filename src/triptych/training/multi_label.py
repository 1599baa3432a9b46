"""Training of networks with several labels a window: binary cross-entropy, and a loss on each label's numbers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import LambdaCallback
from pydantic import Field
from torch import Tensor
from torch.utils.data import DataLoader

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import NotEnoughData, RunError
from triptych.inference.multi_label import MultiLabelNetwork
from triptych.training.optimizer import adamw, warmup_cosine
from triptych.training.seeds import derive_seed

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


def fit_multi_label(
    network: MultiLabelNetwork,
    train: MultiLabelSet,
    validation: MultiLabelSet,
    config: Config,
    seed: int,
    *,
    on_epoch: Callable[[MultiLabelEpoch], None] | None = None,
) -> tuple[MultiLabelEpoch, ...]:
    """Train in place; the network ends with the weights of the epoch of the lowest validation loss, in evaluation mode.

    Order and dropout are fixed by `seed`. Raises NotEnoughData when a set is too small for a batch, RunError when the
    loss diverges.
    """
    if len(train) < config.batch_size or not len(validation):
        raise NotEnoughData(
            f"Training needs at least a batch of {config.batch_size} windows and one to validate, there are "
            f"{len(train)} and {len(validation)}.",
            remedy="Bring more windows or lower `batch_size`.",
        )
    with _quiet():
        order = torch.Generator().manual_seed(derive_seed(seed, "order"))
        loader = _loader(train, config.batch_size, order)
        module = _Module(network.train(), config, len(loader) * config.epochs, seed)
        trainer = Trainer(
            accelerator="auto", devices=1, max_epochs=config.epochs, gradient_clip_val=config.gradient_clip or None,
            logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            num_sanity_val_steps=0,
            callbacks=[_teller(on_epoch)] if on_epoch else [],
        )  # fmt: skip
        trainer.fit(module, loader, _loader(validation, 4 * config.batch_size, None))
    network.cpu().load_state_dict(module.best)
    network.eval()
    return tuple(module.history)


class _Batches:
    """Rows of the tensors of a set by lists of positions: no Python a window."""

    def __init__(self, chosen: MultiLabelSet) -> None:
        self._set = chosen

    def __len__(self) -> int:
        return len(self._set)

    def __getitems__(self, positions: list[int]) -> Triple:
        at = torch.tensor(positions)
        return self._set.windows[at], self._set.labels[at], self._set.numbers[at]


def _loader(chosen: MultiLabelSet, batch_size: int, order: torch.Generator | None) -> DataLoader[Any]:
    data: Any = _Batches(chosen)
    shuffled = order is not None
    return DataLoader(
        data, batch_size=batch_size, shuffle=shuffled, drop_last=shuffled, generator=order, collate_fn=_as_it_is
    )


def _as_it_is(batch: Any) -> Any:
    return batch


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
