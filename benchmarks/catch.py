"""CATCH beside our own compat="reference": a training step, the score, memory, parameters; scoring and fit in seconds.

Detection has a table of its own (`--detection`): AUC-ROC, VUS-PR, affiliation F1 and delay on the embedded market and,
where their files are given, on labelled recordings of machines.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks._detection import DETECTORS, FRESH_SEEDS, mean_of, on_machines, on_market, write
from benchmarks._table import Row, alternate, main
from triptych.bootstrap import create_detector
from triptych.inference.anomaly.reference_score import reference_score
from triptych.models.catch import Catch, Config, build_catch

BATCH, CHANNELS, SIZE = 16, 3, 32


def step(network: Catch, windows: Tensor) -> None:
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


def rows(quick: bool) -> list[Row]:
    """The table of times."""
    repeats = 3 if quick else 9
    windows = torch.randn(BATCH, 192, CHANNELS, generator=torch.Generator().manual_seed(0))
    ours, theirs = (build_catch(CHANNELS, Config(compat=compat), seed=0) for compat in ("none", "reference"))
    counts = [sum(p.numel() for p in network.parameters()) for network in (ours, theirs)]
    ours_s, theirs_s = alternate(lambda: step(ours, windows), lambda: step(theirs, windows), repeats=repeats)
    made = windows + 0.1 * torch.randn(windows.shape, generator=torch.Generator().manual_seed(1))
    fast_s, dense_s = alternate(
        lambda: reference_score(made - windows, size=SIZE), lambda: dense_score(made, windows), repeats=repeats
    )
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
        Row(name=f"the authors' score, {BATCH} windows", ours=1e3 * fast_s, peer=1e3 * dense_s, peer_name="dense",
            unit="ms", lower_is_better=True),
        Row(name="detector: 1,000 rows x 12 channels", ours=score_s, unit="s", lower_is_better=True),
        Row(name=f"detector: fit of {len(walk):,} x 3", ours=fit_s, unit="s", lower_is_better=True),
    ]  # fmt: skip


def detection(files: list[Path], *, market: bool, out: Path | None, names: Sequence[str], seeds: Sequence[int]) -> None:
    """Print the figures of every detector and seed on each file and on the embedded market, then their means."""
    found: dict[str, dict[str, float]] = {}
    subjects = [*files, None] if market else list(files)
    for path in subjects:
        for name in names:
            made = []
            for seed in seeds:
                made.append(on_market(name, seed) if path is None else on_machines(name, path, seed=seed))
                print("#", "market" if path is None else path.stem, name, seed, _rounded(made[-1]), flush=True)
            key = f"{'market' if path is None else path.stem} {name}"
            found[key] = mean_of(made) | {"deviation of auc_roc": float(np.std([one["auc_roc"] for one in made]))}
            print(key, _rounded(found[key]), flush=True)
            if out is not None:
                write(out, found)


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {key: round(value, 3) for key, value in figures.items()}


def main_detection(arguments: list[str]) -> None:
    """`--detection [--json FILE] [--no-market] [--detector NAME] [--seed N] [RECORDING.npz ...]`."""
    parser = argparse.ArgumentParser(description="Detection beside the baselines and the reference's choices.")
    parser.add_argument("files", nargs="*", type=Path, help="labelled recordings (.npz)")
    parser.add_argument("--no-market", action="store_true", help="leave the embedded market out")
    parser.add_argument("--json", type=Path, help="keep the means as JSON")
    parser.add_argument("--detector", action="append", choices=DETECTORS, help="only this one; may be repeated")
    parser.add_argument("--seed", action="append", type=int, help="only this one; may be repeated")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    detection(
        given.files, market=not given.no_market, out=given.json, names=given.detector or DETECTORS,
        seeds=given.seed or FRESH_SEEDS,
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--detection"]:
        main_detection(sys.argv[2:])
    else:
        main(rows, (__doc__ or "").splitlines()[0])
