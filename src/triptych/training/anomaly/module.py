"""A CATCH network as Lightning trains it: a clean alternation of two optimisers.

The network learns in every batch with the masks drawn as they fall, as if they were data. Every few batches the masks
learn: the network stands still, the same batch is run again with freshly drawn masks, and the gradient goes into the
mask generator alone. Nothing is summed over batches that were seen with other weights, and each optimiser has its own
learning rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from triptych.domain.errors import RunError
from triptych.models.catch import Catch, ConditionalCatch, Losses
from triptych.training.anomaly.config import Config
from triptych.training.optimizer import adamw, warmup_cosine
from triptych.training.seeds import derive_seed
from triptych.training.windows import Batch


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochRecord:
    """One epoch. It holds no wall-clock time, so two runs of one training leave the same history.

    Attributes:
        epoch: counted from 0.
        train_time, train_frequency, train_channel: mean losses of the training batches, without their weights. Where
            rows are hidden, `time` is their negative log likelihood and there is no `frequency`.
        validation_time: the same as `train_time` over the validation windows, masks decided, dropout off.
        open_share: share of pairs of different channels whose mask is open in validation; 1 for one channel.
        learning_rate, mask_learning_rate: at the last step of the epoch.
    """

    epoch: int
    train_time: float
    train_frequency: float
    train_channel: float
    validation_time: float
    open_share: float
    learning_rate: float
    mask_learning_rate: float


class CatchModule(LightningModule):
    """What is random in an epoch is seeded at its start, so an epoch cannot tell whether the process is a new one."""

    def __init__(self, network: Catch | ConditionalCatch, config: Config, *, steps_per_epoch: int, seed: int) -> None:
        """Wrap `network`, which is trained in place."""
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self.last_record: EpochRecord | None = None
        self._config = config
        self._steps = steps_per_epoch * config.epochs
        self._steps_per_epoch = steps_per_epoch
        self._seed = seed
        self._train_sums: Tensor = torch.zeros(3)
        self._validation_sums: Tensor = torch.zeros(3)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW of the network, Adam of the mask generator."""
        config = self._config
        masks = set(self.network.mask_generator.parameters())
        rest = torch.nn.ParameterList(p for p in self.network.parameters() if p not in masks)
        return [
            adamw(rest, config.learning_rate, config.weight_decay),
            torch.optim.Adam(list(masks_in_order(self.network)), lr=config.mask_learning_rate),
        ]

    def on_train_epoch_start(self) -> None:
        """Seed what the epoch draws (masks, dropout)."""
        torch.manual_seed(derive_seed(self._seed, "catch", self.current_epoch))
        self._train_sums = torch.zeros(3, device=self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of the network; every few batches one of the masks."""
        optimizers: Any = self.optimizers()
        network, masks = optimizers
        step = self.current_epoch * self._steps_per_epoch + batch_idx
        self._set_rates(optimizers, step)
        losses = self._step(network, batch, fixed_mask=True)
        self._train_sums += torch.stack([losses.time, losses.frequency, losses.channel]).detach()
        if (batch_idx + 1) % self._config.mask_every == 0 and self.network.channels > 1:
            self._step(masks, batch, fixed_mask=False)

    def on_validation_epoch_start(self) -> None:
        """Start the sums: squared error, open pairs, windows."""
        self._validation_sums = torch.zeros(3, device=self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add up the error of a batch."""
        loss, mask = self.network.validate(batch.windows)
        n, channels = len(batch.windows), self.network.channels
        error = loss * n
        pairs = max(channels * (channels - 1), 1)
        share = (mask.sum(dim=(-1, -2)).mean() - channels) / pairs if channels > 1 else error.new_ones(())
        self._validation_sums += torch.stack([error.float(), share.float() * n, error.new_tensor(n)])

    def on_validation_epoch_end(self) -> None:
        """Record the epoch and tell early stopping the error."""
        error, share, count = self._validation_sums.tolist()
        time, frequency, channel = (self._train_sums / self.trainer.num_training_batches).tolist()
        if not math.isfinite(error + time + frequency + channel):
            self._refuse_divergence()
        rates = [optimizer.param_groups[0]["lr"] for optimizer in self.trainer.optimizers]
        self.last_record = EpochRecord(
            epoch=self.current_epoch, train_time=time, train_frequency=frequency, train_channel=channel,
            validation_time=error / count, open_share=share / count,
            learning_rate=float(rates[0]), mask_learning_rate=float(rates[1]),
        )  # fmt: skip
        self.log("validation_time", torch.tensor(error / count), batch_size=1)

    def _refuse_divergence(self) -> NoReturn:
        """Raise RunError with the likeliest cause: no NaN leaves a training."""
        what = f"Training diverged: a loss became NaN or infinite in epoch {self.current_epoch}."
        if getattr(self.network.mask_generator, "saturates", False):
            raise RunError(
                f"{what} The masks are drawn by the logarithm of a sigmoid, as the reference does it, which is no "
                "number once the sigmoid has rounded to 0 or 1.",
                remedy="Lower `mask_learning_rate` (the authors' is 1e-5), or leave the choice out: all but "
                '"log_of_sigmoid" in `reference_choices`, and compat = "none".',
            )
        raise RunError(
            what,
            remedy='Lower `learning_rate` and `mask_learning_rate`, keep `gradient_clip` on, or set precision = "32".',
        )

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch without waiting for the copy."""
        return batch if batch.windows.device == device else batch.to(device)

    def _step(self, optimizer: Any, batch: Batch, *, fixed_mask: bool) -> Losses:
        """One step of one optimiser; the other's parameters have no gradient meanwhile."""
        self.toggle_optimizer(optimizer)
        losses = self.network.losses(batch.windows, fixed_mask=fixed_mask)
        optimizer.zero_grad()
        config = self._config
        self.manual_backward(losses.total(frequency=config.frequency_weight, channel=config.channel_weight))
        if config.gradient_clip:
            self.clip_gradients(optimizer, gradient_clip_val=config.gradient_clip, gradient_clip_algorithm="norm")
        optimizer.step()
        self.untoggle_optimizer(optimizer)
        return losses

    def _set_rates(self, optimizers: Any, step: int) -> None:
        config = self._config
        factor = 1.0
        if config.schedule == "cosine":
            factor = warmup_cosine(step, steps=self._steps, warmup_steps=0, floor=0.01)
        for optimizer, rate in zip(optimizers, (config.learning_rate, config.mask_learning_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor


def masks_in_order(network: Catch | ConditionalCatch) -> list[torch.nn.Parameter]:
    """Parameters of the mask generator, always in the same order."""
    return list(network.mask_generator.parameters())
