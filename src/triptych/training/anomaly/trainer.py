"""Training of a CATCH network: seeded, stopped early, resumable after a kill."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping
from numpy.typing import NDArray
from torch import Tensor

from triptych.domain.errors import NotEnoughData
from triptych.models.catch import Catch, ConditionalCatch
from triptych.training.anomaly.config import Config
from triptych.training.anomaly.module import CatchModule, EpochRecord
from triptych.training.checkpoint import AtomicCheckpointIO, EpochCheckpoint
from triptych.training.fitted import CHECKPOINT, claim
from triptych.training.loader import WindowLoader
from triptych.training.seeds import derive_seed
from triptych.training.surroundings import device_of, precision_of, run_loop, surroundings
from triptych.training.windows import WindowSet


@dataclass(frozen=True, kw_only=True, slots=True)
class CatchFit:
    """What a training left: `history`, one record per epoch, and the epoch whose weights were kept."""

    history: tuple[EpochRecord, ...]
    best_epoch: int


def fit_catch(
    network: Catch | ConditionalCatch,
    train: Sequence[NDArray[np.float32]],
    validation: Sequence[NDArray[np.float32]],
    config: Config,
    *,
    seed: int,
    directory: Path | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> CatchFit:
    """Train a network in place; it ends on the CPU, in evaluation mode, with the weights of the best epoch.

    Args:
        network: freshly initialised.
        train, validation: unbroken stretches of rows, each float32 (n_rows, channels); no window crosses from one to
            the next, and stretches shorter than a window are left out.
        config: how to train.
        seed: of order, masks and dropout.
        directory: folder of the checkpoint; the same call on the same folder goes on where a killed one stopped, and
            ends with the same weights. None keeps it in a temporary folder.
        on_epoch: told every record.

    Raises:
        NotEnoughData: there is no window to learn from or none to validate on.
        RecipeError: a GPU is asked for and there is none.
        RunError: the folder belongs to another training, or the loss diverged.
        StorageError: the disk refused.
    """
    sets = (
        window_set(train, network.length, most=config.windows_per_epoch),
        window_set(validation, network.length, most=config.windows_per_epoch),
    )
    for windows, what in zip(sets, ("learn from", "validate on"), strict=True):
        if not len(windows):
            raise NotEnoughData(
                f"There is no unbroken window of {network.length} rows to {what}.",
                remedy="Bring a longer history without gaps, or shorten the window.",
            )
    if directory is not None:
        return _run(network, sets, config, seed, Path(directory), on_epoch)
    with tempfile.TemporaryDirectory(prefix="triptych-catch-") as temporary:
        return _run(network, sets, config, seed, Path(temporary), on_epoch)


def window_set(stretches: Sequence[NDArray[np.float32]], length: int, *, most: int) -> WindowSet:
    """All windows within the stretches, or `most` of them, evenly spread, where there are more."""
    lengths = np.array([len(stretch) for stretch in stretches], dtype=np.int64)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    starts = [o + np.arange(max(n - length + 1, 0)) for o, n in zip(offsets[:-1], lengths, strict=True)]
    chosen = np.concatenate(starts) if starts else np.zeros(0, dtype=np.int64)
    if len(chosen) > most:
        chosen = chosen[np.linspace(0, len(chosen) - 1, most).astype(np.int64)]
    values = np.concatenate(stretches) if len(stretches) else np.zeros((0, 1), dtype=np.float32)
    n = len(chosen)
    return WindowSet(
        values=torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)),
        starts=torch.from_numpy(chosen),
        labels=torch.zeros(n, dtype=torch.int64),
        uniqueness=torch.ones(n),
        length=length,
    )


def _run(
    network: Catch | ConditionalCatch,
    sets: tuple[WindowSet, WindowSet],
    config: Config,
    seed: int,
    directory: Path,
    on_epoch: Callable[[EpochRecord], None] | None,
) -> CatchFit:
    claim(directory, _fingerprint(network, sets, config, seed))
    keeper = _Keeper(config, on_epoch)
    callbacks: list[Callback] = [keeper]
    if config.early_stopping:
        callbacks.append(
            EarlyStopping("validation_time", patience=config.early_stopping, check_on_train_epoch_end=True)
        )
    callbacks.append(EpochCheckpoint(directory / CHECKPOINT))
    device = device_of(config.accelerator)
    with surroundings(device, config.num_threads):
        trainer = Trainer(
            accelerator="gpu" if device.type != "cpu" else "cpu",
            devices=1,
            precision=precision_of(config.precision, device),
            max_epochs=config.epochs,
            deterministic=True,
            callbacks=callbacks,
            plugins=[AtomicCheckpointIO()],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=directory,
        )
        loaders = (
            WindowLoader(
                sets[0],
                batch_size=config.batch_size,
                order="shuffled",
                seed=derive_seed(seed, "loader"),
                drop_last=True,
            ),
            WindowLoader(sets[1], batch_size=4 * config.batch_size),
        )
        module = CatchModule(network.train(), config, steps_per_epoch=len(loaders[0]), seed=seed)
        checkpoint = directory / CHECKPOINT
        if not keeper.restore(checkpoint):
            run_loop(trainer, module, loaders, checkpoint if checkpoint.exists() else None)
    network.cpu().load_state_dict(keeper.best_state)
    network.eval()
    return CatchFit(history=tuple(keeper.history), best_epoch=keeper.best_epoch)


class _Keeper(Callback):
    """Collects the history and keeps the weights of the best epoch; both travel inside the checkpoint."""

    def __init__(self, config: Config, on_epoch: Callable[[EpochRecord], None] | None) -> None:
        self.history: list[EpochRecord] = []
        self.best_state: dict[str, Tensor] = {}
        self._config = config
        self._on_epoch = on_epoch

    @property
    def best_epoch(self) -> int:
        return min(self.history, key=lambda record: record.validation_time).epoch

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, CatchModule) and module.last_record is not None  # noqa: PT018 - narrows for mypy
        self.history.append(module.last_record)
        if self.best_epoch == module.last_record.epoch:
            state = module.network.state_dict()
            self.best_state = {name: value.detach().to("cpu", copy=True) for name, value in state.items()}
        if self._on_epoch is not None:
            self._on_epoch(module.last_record)

    def state_dict(self) -> dict[str, Any]:
        return {"history": [asdict(record) for record in self.history], "best_state": self.best_state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.history = [EpochRecord(**record) for record in state["history"]]
        self.best_state = dict(state["best_state"])

    def restore(self, checkpoint: Path) -> bool:
        """Take the end of a training from its checkpoint; False where it has not ended."""
        if not checkpoint.exists():
            return False
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        self.load_state_dict(content["callbacks"][self.state_key])
        patience = self._config.early_stopping
        waited = len(self.history) - 1 - self.best_epoch
        return len(self.history) >= self._config.epochs or (patience > 0 and waited >= patience)


def _fingerprint(
    network: Catch | ConditionalCatch, sets: tuple[WindowSet, WindowSet], config: Config, seed: int
) -> dict[str, str]:
    """What the outcome depends on, one hash per part so that a refusal can name what differs."""
    settings = json.dumps({"config": config.model_dump(), "seed": seed}, sort_keys=True)
    digest = hashlib.sha256(repr(network).encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return {
        "settings": hashlib.sha256(settings.encode()).hexdigest(),
        "network": digest.hexdigest(),
        "training windows": sets[0].fingerprint(),
        "validation windows": sets[1].fingerprint(),
        "PyTorch version": torch.__version__,
    }
