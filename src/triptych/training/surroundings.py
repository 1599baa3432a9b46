"""What every training with Lightning needs around it: device, precision, quiet and determinism, a Ctrl-C that works."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from triptych.domain.errors import RecipeError


def run_loop(trainer: Trainer, module: LightningModule, loaders: tuple[Any, Any], checkpoint: Path | None) -> None:
    """Run Lightning's loop; a Ctrl-C comes out as one (Lightning would end the process and ignore the next)."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, *loaders, ckpt_path=checkpoint, weights_only=True)
    except SIGTERMException:
        raise
    except SystemExit as error:
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from error


def device_of(accelerator: str) -> torch.device:
    """Where to train. Raises RecipeError when a GPU is asked for and there is none."""
    if accelerator != "cpu":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        if torch.backends.mps.is_available():
            return torch.device("mps")
    if accelerator == "gpu":
        raise RecipeError(
            'accelerator = "gpu", but PyTorch finds no GPU.',
            remedy='Set accelerator = "auto" or install a PyTorch build for your GPU.',
        )
    return torch.device("cpu")


def precision_of(precision: str, device: torch.device) -> Any:
    """Lightning's name of the precision."""
    if precision == "auto":
        if device.type != "cuda":
            return "32-true"
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[precision]


@contextmanager
def surroundings(device: torch.device, num_threads: int | None) -> Iterator[None]:
    """Quiet and deterministic inside; everything as it was outside."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    memory: Any = torch.utils.deterministic
    fills = memory.fill_uninitialized_memory
    # cuBLAS is deterministic only with a fixed workspace (CUDA's own documentation); read when its handle is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        if num_threads is not None:
            torch.set_num_threads(num_threads)
        # Filling every new tensor finds reads of memory that was never written; it changes no result, and costs time.
        memory.fill_uninitialized_memory = False
        devices = [device.index] if device.type == "cuda" else []
        with torch.random.fork_rng(devices), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
        memory.fill_uninitialized_memory = fills
