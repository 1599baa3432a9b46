"""Training with Lightning: resumable after a kill, the same to the last bit as if it had never been interrupted."""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch import Tensor, nn

from triptych.domain.errors import NotEnoughData, RunError
from triptych.inference.classifier import WindowClassifier
from triptych.training.checkpoint import AtomicCheckpointIO, EpochCheckpoint, Recorder
from triptych.training.config import Config
from triptych.training.fitted import CHECKPOINT, FitResult, claim, read_result, write_result
from triptych.training.history import EpochRecord
from triptych.training.loader import WindowLoader, fits_on
from triptych.training.module import TrainingModule
from triptych.training.progress import RichProgress
from triptych.training.seeds import derive_seed
from triptych.training.stopping import StopBetweenEpochs
from triptych.training.surroundings import device_of, precision_of, run_loop, surroundings
from triptych.training.windows import WindowSet

__all__ = ["Config", "FitResult", "fit"]


def fit(
    classifier: WindowClassifier,
    train: WindowSet,
    validation: WindowSet,
    config: Config,
    directory: Path,
    seed: int,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    progress: bool | None = None,
    is_over: Callable[[], bool] | None = None,
) -> FitResult:
    """Train `classifier`, or go on with a training that was interrupted, or return one that has ended.

    The classifier ends on the CPU, in evaluation mode, with the weights of the best epoch. A checkpoint is written at
    the end of every epoch; the same call on the same folder continues from it and ends with the same weights and
    history as an uninterrupted one on the same machine with the same number of threads. Nothing is written outside
    `directory`, and the caller's random state, thread count and determinism settings are as before.

    Args:
        classifier: encoding and network, freshly initialised.
        train, validation: windows to learn from and to choose the best epoch by.
        config: how to train.
        directory: folder of this training; see `fitted.py` for its files.
        seed: of order, dropout and stochastic depth.
        on_epoch: told every record; not for epochs done before a resumption.
        progress: show a progress bar on the error stream; None shows it on terminals.
        is_over: asked before every epoch; true ends the training there, to go on another time.

    Raises:
        StoppedError: `is_over` said so.
        NotEnoughData: a set is empty, or training has fewer than two windows.
        RecipeError: a GPU is asked for and there is none.
        RunError: the folder belongs to another training or is damaged, or the loss diverged.
        StorageError: the disk refused.
    """
    if len(train) < 2 or not len(validation):
        raise NotEnoughData(
            "Training needs at least 2 training windows and 1 validation window, there are "
            f"{len(train)} and {len(validation)}.",
            remedy="Bring more candles, or shorten the window or the horizon.",
        )
    directory = Path(directory)
    claim(directory, _fingerprint(classifier, train, validation, config, seed))
    done = read_result(directory)
    if done is None:
        history, network, stopped = _run(
            classifier, train, validation, config, directory, seed, on_epoch, progress, is_over
        )
        classifier.cpu().network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        classifier.network.load_state_dict(network)
        state = {
            name: value.detach().clone(memory_format=torch.contiguous_format)
            for name, value in classifier.state_dict().items()
        }
        done = write_result(directory, history, state, stopped)
    classifier.cpu().load_state_dict(done.state)
    classifier.eval()
    return done


def _run(
    classifier: WindowClassifier,
    train: WindowSet,
    validation: WindowSet,
    config: Config,
    directory: Path,
    seed: int,
    on_epoch: Callable[[EpochRecord], None] | None,
    progress: bool | None,
    is_over: Callable[[], bool] | None,
) -> tuple[tuple[EpochRecord, ...], dict[str, Tensor], bool]:
    """History, best weights of the network, and whether training stopped early."""
    recorder = Recorder(on_epoch)
    callbacks: list[Callback] = [recorder, EpochCheckpoint(directory / CHECKPOINT)]
    if is_over is not None:
        callbacks.append(StopBetweenEpochs(is_over))
    stopping = None
    if config.early_stopping:
        stopping = EarlyStopping("validation_loss", patience=config.early_stopping, check_on_train_epoch_end=True)
        callbacks.append(stopping)
    if progress if progress is not None else sys.stderr.isatty():
        callbacks.append(RichProgress(config.epochs))
    device = device_of(config.accelerator)
    with surroundings(device, config.num_threads):
        trainer = Trainer(
            accelerator="gpu" if device.type != "cpu" else "cpu",
            devices=1,
            precision=precision_of(config.precision, device),
            max_epochs=config.epochs,
            gradient_clip_val=config.gradient_clip or None,
            deterministic=True,
            callbacks=callbacks,
            plugins=[AtomicCheckpointIO()],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=directory,
        )
        loaders = _loaders(train, validation, config, device, seed)
        module = TrainingModule(classifier.train(), config, train=train, steps_per_epoch=len(loaders[0]), seed=seed)
        checkpoint = directory / CHECKPOINT
        resumes = checkpoint.exists()
        if not resumes or not _ended(checkpoint, config, recorder, stopping):
            run_loop(trainer, module, loaders, checkpoint if resumes else None)
    stopped = len(recorder.history) < config.epochs
    return tuple(recorder.history), recorder.best_state, stopped


def _ended(checkpoint: Path, config: Config, recorder: Recorder, stopping: EarlyStopping | None) -> bool:
    """Whether the checkpoint is that of the last epoch: killed after it was written and before the result was.

    Fills recorder and early stopping from it in that case. Raises RunError when it cannot be read.
    """
    try:
        content: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        states = content["callbacks"]
        recorder.load_state_dict(states[recorder.state_key])
        if stopping is not None:
            stopping.load_state_dict(states[stopping.state_key])
    except (RuntimeError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError) as error:
        # PyTorch's own message advises to load the file unsafely, so it is kept out of ours.
        raise RunError(f"The checkpoint {checkpoint} is damaged.", remedy="Delete its folder to train anew.") from error
    return len(recorder.history) >= config.epochs or (stopping is not None and stopping.stopped_epoch > 0)


def _loaders(
    train: WindowSet, validation: WindowSet, config: Config, device: torch.device, seed: int
) -> tuple[WindowLoader, WindowLoader]:
    """Training and validation batches, cut on the GPU when it holds the windows."""
    train, validation = (s.to(device) if fits_on(s, device) else s for s in (train, validation))
    pin = device.type == "cuda"
    return (
        # The last, smaller batch is left out: batch norm would learn from a handful; the next epoch draws others.
        WindowLoader(
            train,
            batch_size=config.batch_size,
            order=config.sampling,
            seed=derive_seed(seed, "loader"),
            drop_last=True,
            pin_memory=pin,
        ),
        WindowLoader(validation, batch_size=config.batch_size, pin_memory=pin),
    )


def _fingerprint(
    classifier: WindowClassifier, train: WindowSet, validation: WindowSet, config: Config, seed: int
) -> dict[str, str]:
    """What the outcome depends on, one hash per part so that a refusal can name what differs."""
    settings = json.dumps({"config": config.model_dump(), "seed": seed}, sort_keys=True)
    return {
        "settings": hashlib.sha256(settings.encode()).hexdigest(),
        "network": _weights_hash(classifier),
        "training windows": train.fingerprint(),
        "validation windows": validation.fingerprint(),
        "PyTorch version": torch.__version__,
    }


def _weights_hash(classifier: nn.Module) -> str:
    """SHA-256 of the module's structure and initial weights."""
    digest = hashlib.sha256(repr(classifier).encode())
    for name, value in classifier.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
