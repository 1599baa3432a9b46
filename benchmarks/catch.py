"""CATCH beside our own compat="reference": a training step, the score, memory, parameters; scoring and fit in seconds.

How well it detects has a command of its own: `python -m benchmarks.catch_tables`.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from benchmarks._table import Row, alternate, main
from triptych.bootstrap import create_detector
from triptych.inference.anomaly.reference_score import reference_score
from triptych.models.catch import Catch, ConditionalCatch, Config, build_catch

BATCH, CHANNELS, SIZE = 16, 3, 32


def step(network: Catch | ConditionalCatch, windows: Tensor) -> None:
    """Losses and their gradients."""
    network.zero_grad()
    network.losses(windows).total(frequency=0.005, channel=0.005).backward()


def dense_score(made: Tensor, windows: Tensor) -> Tensor:
    """The score as the authors compute it: spectra of both sides in every sub-window, spread out over all rows."""
    parts = (made.unfold(1, SIZE, 1), windows.unfold(1, SIZE, 1))
    error = (torch.fft.fft(parts[0]) - torch.fft.fft(parts[1])).abs().mean(-1)  # (B, N, C)
    batch, count, channels = error.shape
    spread = torch.zeros(batch, count, windows.shape[1], channels)
    for i in range(count):
        spread[:, i, i : i + SIZE] = error[:, i, None]
    spectral = spread.sum(1) / (spread != 0).sum(1)
    return (made - windows).square().mean(2) + 0.05 * spectral.mean(2)


def seconds_of(rows: np.ndarray, epochs: int) -> tuple[float, object]:
    """Seconds that a fit takes, and the detector."""
    started = time.perf_counter()
    detector = create_detector("catch", training={"num_threads": torch.get_num_threads(), "epochs": epochs}).fit(rows)
    return time.perf_counter() - started, detector


def _score_row(channels: int, repeats: int) -> Row:
    windows, noise = (
        torch.randn(BATCH, 192, channels, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)
    )
    made = windows + 0.1 * noise
    fast_s, dense_s = alternate(
        lambda: reference_score(made - windows, size=SIZE), lambda: dense_score(made, windows), repeats=5 * repeats
    )
    name = f"the authors' score, {BATCH} windows of {channels} channels"
    return Row(name=name, ours=1e3 * fast_s, peer=1e3 * dense_s, peer_name="dense", unit="ms", lower_is_better=True)


def rows(quick: bool) -> list[Row]:
    """The table of times."""
    repeats = 3 if quick else 9
    windows = torch.randn(BATCH, 192, CHANNELS, generator=torch.Generator().manual_seed(0))
    ours, theirs = (build_catch(CHANNELS, Config(compat=compat), seed=0) for compat in ("none", "reference"))
    counts = [sum(p.numel() for p in network.parameters()) for network in (ours, theirs)]
    ours_s, theirs_s = alternate(lambda: step(ours, windows), lambda: step(theirs, windows), repeats=repeats)
    score_rows = [_score_row(channels, repeats) for channels in (CHANNELS, 12)]
    walk = np.random.default_rng(0).standard_normal((4000 if quick else 13_000, CHANNELS))
    fit_s, _ = seconds_of(walk, 1 if quick else 6)
    twelve = np.random.default_rng(1).standard_normal((3000, 12))
    _, wide = seconds_of(twelve, 1)
    score_s, _ = alternate(lambda: wide.decision_function(twelve[:1095]), lambda: None, repeats=repeats)  # type: ignore[attr-defined]
    peer = 'compat="reference"'
    return [
        Row(name="parameters, 3 channels", ours=counts[0], peer=counts[1], peer_name=peer, unit="numbers",
            lower_is_better=True),
        Row(name=f"forward and backward, {BATCH} x 192 x {CHANNELS}", ours=1e3 * ours_s, peer=1e3 * theirs_s,
            peer_name=peer, unit="ms", lower_is_better=True),
        Row(name="weights and gradients", ours=8e-6 * counts[0], peer=8e-6 * counts[1], peer_name=peer, unit="MB",
            lower_is_better=True),
        *score_rows,
        Row(name="detector: 1,000 rows x 12 channels", ours=score_s, unit="s", lower_is_better=True),
        Row(name=f"detector: fit of {len(walk):,} x 3", ours=fit_s, unit="s", lower_is_better=True),
    ]  # fmt: skip


if __name__ == "__main__":
    main(rows, (__doc__ or "").splitlines()[0])
