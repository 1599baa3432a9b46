"""The classifier as Lightning trains it: loss, optimiser, schedule, running average."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from triptych.domain.errors import RunError
from triptych.inference.classifier import WindowClassifier
from triptych.training.averaging import running_average
from triptych.training.config import Config
from triptych.training.history import EpochRecord
from triptych.training.optimizer import adamw, warmup_cosine
from triptych.training.seeds import derive_seed
from triptych.training.tasks.loss import TaskLoss, squared_errors
from triptych.training.windows import Batch, WindowSet


class _Drawing(nn.Module):
    """Draws images as the network in training wants them.

    In float32 under mixed precision too: an image rounded to 8 bits of mantissa is another image. And in the memory
    layout of the network's kernels.
    """

    def __init__(self, encoding: nn.Module, layout: torch.memory_format) -> None:
        super().__init__()
        self.encoding = encoding
        self._layout = layout

    def forward(self, window_BTF: Tensor) -> Tensor:
        with torch.autocast(window_BTF.device.type, enabled=False), torch.no_grad():
            image: Tensor = self.encoding(window_BTF)
        return image.contiguous(memory_format=self._layout) if image.ndim == 4 else image


def _auxiliary_of(network: nn.Module, weight: float, seed: int) -> nn.Module | None:
    """Auxiliary classifiers for a network that has places for them and none of its own, unless their weight is 0."""
    create = getattr(network, "create_auxiliary", None)
    if not weight or create is None or getattr(network, "aux_logits", False):
        return None
    auxiliary: nn.Module = create(seed)
    return auxiliary


def _standardise(network: nn.Module, train: WindowSet) -> None:
    """Tell a network mean and deviation of its figures in the training windows."""
    assert train.figures is not None
    figures = train.figures.double().cpu()
    for column in range(figures.shape[1]):
        known = figures[:, column][torch.isfinite(figures[:, column])]
        network.get_buffer("task_mean")[column] = float(known.mean())
        network.get_buffer("task_scale")[column] = float(known.std().clamp(min=1e-12))


class TrainingModule(LightningModule):
    """What is random in an epoch is seeded at its start, so an epoch cannot tell whether the process is a new one."""

    def __init__(
        self, classifier: WindowClassifier, config: Config, *, train: WindowSet, steps_per_epoch: int, seed: int
    ) -> None:
        """Wrap `classifier`, which is trained in place; `train` tells how frequent classes are and labels overlap."""
        super().__init__()
        # Convolutions train 1.3 to 2.3 times as fast on a CPU with the channels innermost (EfficientNet-B0, V2-S).
        convolves = any(isinstance(part, nn.Conv2d) for part in classifier.network.modules())
        layout = torch.channels_last if convolves else torch.contiguous_format
        network = classifier.network.to(memory_format=layout)  # type: ignore[call-overload]
        self.classifier = WindowClassifier(_Drawing(classifier.encoding, layout), network)
        # Ours, not the network's: checkpoints hold them, and the model that is validated, averaged and kept does not.
        self.auxiliary = _auxiliary_of(network, config.auxiliary_weight, derive_seed(seed, "auxiliary"))
        self._foretells = bool(config.return_weight) and self.classifier.foretells_return and train.returns is not None
        if self._foretells:
            assert train.returns is not None
            self._return_scale = float(train.returns.double().std().clamp(min=1e-12))
            self.classifier.network.get_buffer("return_scale").fill_(self._return_scale)
        self.tasks = TaskLoss(config.tasks) if config.tasks.names and train.figures is not None else None
        if self.tasks is not None:
            _standardise(classifier.network, train)
        self.average = (
            running_average(self.classifier, config.ema, lambda: self.trainer.global_step) if config.ema else None
        )
        self.last_record: EpochRecord | None = None
        self._config = config
        self._steps = steps_per_epoch * config.epochs
        self._seed = seed
        self._learning_rate = config.learning_rate
        self._plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] | None = None
        self._train_sum = torch.zeros(())
        self._validation_sums = torch.zeros(3)
        weights = train.class_weights(by_uniqueness=config.uniqueness_weights)
        self.register_buffer(
            "_class_weights",
            weights if config.class_weights == "balanced" else torch.ones_like(weights),
            persistent=False,
        )
        self._mean_uniqueness = float(train.uniqueness.double().mean())

    @property
    def kept(self) -> WindowClassifier:
        """The classifier that is validated and kept: the running average where there is one."""
        return self.classifier if self.average is None else cast(WindowClassifier, self.average.module)

    def configure_optimizers(self) -> Any:
        """AdamW with its schedule."""
        config = self._config
        parts = [part for part in (self.classifier.network, self.auxiliary, self.tasks) if part is not None]
        optimizer = adamw(nn.ModuleList(parts), config.learning_rate, config.weight_decay)
        if config.schedule == "plateau":
            # Kept by us: Lightning steps such schedulers after the hook in which the checkpoint is written.
            self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer,
                factor=config.plateau_factor,
                patience=config.plateau_patience,
                threshold=0.0,
                min_lr=config.learning_rate * config.final_rate,
            )
        if config.schedule != "cosine":
            return optimizer
        factor = partial(
            warmup_cosine, steps=self._steps, warmup_steps=round(config.warmup * self._steps), floor=config.final_rate
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch without waiting for the copy."""
        return batch if batch.windows.device == device else batch.to(device)

    def on_train_epoch_start(self) -> None:
        """Seed what the epoch draws (dropout, stochastic depth)."""
        torch.manual_seed(derive_seed(self._seed, "network", self.current_epoch))
        self._train_sum = torch.zeros((), dtype=self._precise, device=self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Weighted cross-entropy of a batch, with the losses of auxiliary classifiers and of the foretold return.

        What is recorded is the main classifier's.
        """
        self._learning_rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        foretold: Tensor | None = None
        figures: Tensor | None = None
        if self.tasks is not None:
            first, figures = self.classifier.scores_and_outputs(batch.windows)
            scores: tuple[Tensor, ...] = (first,)
        elif self._foretells:
            first, foretold = self.classifier.scores_and_return(batch.windows)
            scores = (first,)
        else:
            scores = self.classifier.all_scores(batch.windows, self.auxiliary)
        loss = self._train_loss(scores[0], batch)
        self._train_sum += loss.detach()
        if self.tasks is not None and figures is not None:
            loss = self._with_tasks(loss, figures, batch)
        if foretold is not None:
            loss = loss + self._config.return_weight * self._return_loss(foretold, batch)
        if self._config.auxiliary_weight:
            for auxiliary in scores[1:]:
                loss = loss + self._config.auxiliary_weight * self._train_loss(auxiliary, batch)
        # Asking for the value makes a GPU wait, so there it is asked now and then.
        if self.device.type == "cpu" or batch_idx % 32 == 0:
            self._require_finite(self._train_sum, "training")
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Move the running average."""
        if self.average is not None:
            self.average.update_parameters(self.classifier)

    def on_validation_epoch_start(self) -> None:
        """Start the sums: loss, hits, windows."""
        self._validation_sums = torch.zeros(3, dtype=self._precise, device=self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add up loss and hits of a batch."""
        if self._config.tasks.stop_by == "all" and self.tasks is not None:
            scores, figures = self.kept.scores_and_outputs(batch.windows)
            losses = self._losses(scores, batch, 0.0) + squared_errors(figures, self._task_targets(batch)).sum(dim=1)
        else:
            scores = self.kept(batch.windows)
            losses = self._losses(scores, batch, 0.0)
        hits = (scores.argmax(1) == batch.labels).to(self._precise)
        losses = losses.to(self._precise)
        self._validation_sums += torch.stack((losses.sum(), hits.sum(), torch.ones_like(losses).sum()))

    def on_validation_epoch_end(self) -> None:
        """Record the epoch, cut the rate on a plateau, tell early stopping the loss."""
        loss, hits, count = self._validation_sums.tolist()
        self._require_finite(self._train_sum, "training")
        self._require_finite(self._validation_sums, "validation")
        self.last_record = EpochRecord(
            epoch=self.current_epoch,
            train_loss=float(self._train_sum) / self.trainer.num_training_batches,
            validation_loss=loss / count,
            validation_accuracy=hits / count,
            learning_rate=float(self._learning_rate),
        )
        if self._plateau is not None:
            self._plateau.step(self.last_record.validation_loss)
        self.log("validation_loss", torch.tensor(self.last_record.validation_loss, dtype=torch.float32), batch_size=1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the plateau's memory."""
        if self._plateau is not None:
            checkpoint["plateau"] = self._plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the plateau's memory until the optimiser exists."""
        self._plateau_state = checkpoint.get("plateau")

    def on_train_start(self) -> None:
        """Restore the plateau's memory."""
        if self._plateau is not None and self._plateau_state is not None:
            self._plateau.load_state_dict(self._plateau_state)

    @property
    def _precise(self) -> torch.dtype:
        """What sums are kept in: float64 but on Apple's GPUs, which do not have it."""
        return torch.float32 if self.device.type == "mps" else torch.float64

    def _train_loss(self, scores: Tensor, batch: Batch) -> Tensor:
        """Mean loss of one classifier's scores over a batch, weighted by uniqueness where the recipe says so."""
        losses = self._losses(scores, batch, self._config.label_smoothing)
        if self._config.uniqueness_weights:
            losses = losses * (batch.uniqueness / self._mean_uniqueness)
        return losses.mean()

    def _with_tasks(self, loss: Tensor, figures: Tensor, batch: Batch) -> Tensor:
        """The loss of all questions together."""
        assert self.tasks is not None
        targets = self._task_targets(batch)
        weights = torch.ones_like(batch.uniqueness)
        if self._config.uniqueness_weights:
            weights = batch.uniqueness / self._mean_uniqueness
        found: Tensor = self.tasks(loss, figures, targets, weights)
        return found

    def _task_targets(self, batch: Batch) -> Tensor:
        """True figures in standard deviations, (batch, tasks); NaN where they are not known."""
        assert batch.figures is not None
        network = self.classifier.network
        found: Tensor = (batch.figures - network.get_buffer("task_mean")) / network.get_buffer("task_scale")
        return found

    def _return_loss(self, foretold: Tensor, batch: Batch) -> Tensor:
        """Mean squared error in standard deviations, weighted as the classes' loss is."""
        assert batch.returns is not None
        errors = (foretold.float() - batch.returns / self._return_scale).square()
        if self._config.uniqueness_weights:
            errors = errors * (batch.uniqueness / self._mean_uniqueness)
        return errors.mean()

    def _losses(self, scores: Tensor, batch: Batch, smoothing: float) -> Tensor:
        """Loss of each window, class-weighted, float32."""
        weight = self.get_buffer("_class_weights")
        return F.cross_entropy(scores.float(), batch.labels, weight=weight, reduction="none", label_smoothing=smoothing)

    def _require_finite(self, value: Tensor, what: str) -> None:
        if math.isfinite(float(value.sum())):
            return
        raise RunError(
            f"Training diverged: the {what} loss became NaN or infinite in epoch {self.current_epoch}.",
            remedy='Lower `learning_rate`, keep `gradient_clip` on, or set precision = "32".',
        )
