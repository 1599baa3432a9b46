"""CATCH beside our own compat="reference": a training step, the score, memory, parameters; scoring and fit in seconds.

How well it detects has a command of its own: `python -m benchmarks.catch_tables`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks._memory import peak_mb
from benchmarks._table import Row, alternate, main
from triptych.bootstrap import create_detector
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.catch import SMALL
from triptych.inference.anomaly.reference_score import reference_score
from triptych.inference.anomaly.stream import DetectorStream
from triptych.models.catch import Catch, ConditionalCatch, Config, build_catch

BATCH, CHANNELS, SIZE = 16, 3, 32
SCORED = (128, 12)
"""Windows and channels of the scoring whose memory is measured."""
STREAMS = 32
"""Symbols whose rows come at once."""
OURS, REFERENCE, PEER = "none", "reference", 'compat="reference"'


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


def weigh_step(compat: str) -> Callable[[], object]:
    """One training step from nothing: weights, losses, gradients, Adam with its moments."""
    windows = torch.randn(BATCH, 192, CHANNELS, generator=torch.Generator().manual_seed(0))
    step(
        build_catch(CHANNELS, SMALL, seed=0), windows[:1, : SMALL.length]
    )  # libraries that load themselves do not count

    def run() -> None:
        network = build_catch(CHANNELS, Config(compat=compat), seed=0)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
        step(network, windows)
        optimiser.step()

    return run


def weigh_scoring(compat: str) -> Callable[[], object]:
    """The network from nothing and its reconstruction of many windows, then the authors' score."""
    windows = _many_windows()
    scored = weigh_score(compat)
    with torch.inference_mode():
        build_catch(SCORED[1], SMALL, seed=0)(windows[:1, : SMALL.length])

    def run() -> None:
        with torch.inference_mode():
            build_catch(SCORED[1], Config(compat=compat), seed=0).eval()(windows)
        scored()

    return run


def weigh_score(compat: str) -> Callable[[], object]:
    """The authors' score of many windows: ours, or in their dense form."""
    windows = _many_windows()
    made = 0.9 * windows
    dense_score(made[:1, :SIZE], windows[:1, :SIZE])
    reference_score(made[:1, :SIZE], size=SIZE)
    if compat == OURS:
        return lambda: reference_score(made - windows, size=SIZE)
    return lambda: dense_score(made, windows)


def _many_windows() -> Tensor:
    return torch.randn(SCORED[0], 192, SCORED[1], generator=torch.Generator().manual_seed(0))


def _memory_rows() -> list[Row]:
    """Peaks of fresh processes, which a busy machine does not change; none where the system does not tell them."""
    if sys.platform != "linux":
        return []
    many = f"{SCORED[0]} x 192 x {SCORED[1]}"
    rows = []
    for name, work in (
        (f"a training step, {BATCH} x 192 x {CHANNELS}", "weigh_step"),
        (f"network and the authors' score, {many}", "weigh_scoring"),
        (f"the authors' score alone, {many}", "weigh_score"),
    ):
        ours, theirs = (peak_mb(f"benchmarks.catch:{work}", kind) for kind in (OURS, REFERENCE))
        rows.append(
            Row(name=f"peak memory, {name}", ours=ours, peer=theirs, peer_name=PEER, unit="MB", lower_is_better=True)
        )
    return rows


def seconds_of(rows: np.ndarray, epochs: int) -> tuple[float, AbstractDetector]:
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


def _stream_rows(detector: AbstractDetector, values: np.ndarray, repeats: int) -> list[Row]:
    """An update of one stream and of many at once, beside an assessment of the same windows anew."""
    found = []
    for symbols in (1, STREAMS):
        stream = DetectorStream(detector)
        parts = [values[7 * i : 7 * i + detector.memory + 1] for i in range(symbols)]
        for step_rows in zip(*parts, strict=True):  # warm, and with something kept of the row before
            stream.update_many({str(i): row for i, row in enumerate(step_rows)})
        latest = {str(i): part[-1] for i, part in enumerate(parts)}
        windows = np.stack([detector.scaling_(part[-detector.memory :]) for part in parts])
        ours_s, anew_s = alternate(
            lambda s=stream, r=latest: s.update_many(r), lambda w=windows: detector.assess(w), repeats=5 * repeats
        )  # fmt: skip
        name = f"stream: a row of {symbols} x {values.shape[1]} channels"
        found.append(Row(name=name, ours=1e3 * ours_s, peer=1e3 * anew_s, peer_name="windows anew", unit="ms",
                         lower_is_better=True))  # fmt: skip
    return found


def rows(quick: bool) -> list[Row]:
    """The table of times, memory and parameters."""
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
    score_s, _ = alternate(lambda: wide.decision_function(twelve[:1095]), lambda: None, repeats=repeats)
    peer = PEER
    return [
        Row(name="parameters, 3 channels", ours=counts[0], peer=counts[1], peer_name=peer, unit="numbers",
            lower_is_better=True),
        Row(name=f"forward and backward, {BATCH} x 192 x {CHANNELS}", ours=1e3 * ours_s, peer=1e3 * theirs_s,
            peer_name=peer, unit="ms", lower_is_better=True),
        *_memory_rows(),
        *score_rows,
        Row(name="detector: 1,000 rows x 12 channels", ours=score_s, unit="s", lower_is_better=True),
        *_stream_rows(wide, twelve, repeats),
        Row(name=f"detector: fit of {len(walk):,} x 3", ours=fit_s, unit="s", lower_is_better=True),
    ]  # fmt: skip


if __name__ == "__main__":
    main(rows, (__doc__ or "").splitlines()[0])
