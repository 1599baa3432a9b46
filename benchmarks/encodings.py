"""Images per second of every encoding, beside pyts and mplfinance, and beside what memory can take.

The floor is the rate at which an output-sized buffer, already mapped, can be filled. So that drawing is timed and not
the kernel's page faults, freed memory is kept by the process for all sides alike (glibc only; elsewhere the figures
include the faults). pyts compiles its loops on import, which takes about half a minute and is not timed.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks._table import Row, alternate, main
from triptych.images import AbstractEncoding, create_encoding

BATCH = {64: 2048, 224: 512}
"""Images in a batch of Gramian fields, by size: more than the caches hold, so that the floor is main memory's."""
CHART_BATCH = 64
"""Charts in a batch: one step of training."""
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def rows(quick: bool) -> list[Row]:
    """Measure all encodings."""
    keep_freed_memory()
    repeats = 5 if quick else 21
    table = []
    for size in (64, 224):
        for name, method in (("gasf", "summation"), ("gadf", "difference")):
            table.append(against_pyts(name, method, size, repeats))
    for size, length in ((64, 20), (224, 60)):
        table.append(against_mplfinance(size, length, repeats))
    for length in (20, 60):
        table.append(alone("jkx", length, repeats))
    for size, batch in BATCH.items():
        table.append(memory_writes(batch, (1, size, size), repeats))
        table.append(memory_writes(CHART_BATCH, (3, size, size), repeats))
    return table


def against_pyts(name: str, method: str, size: int, repeats: int) -> Row:
    """GASF or GADF of the close, float32, beside pyts, float64 (the only type it offers)."""
    encoding = create_encoding(name, size)
    window = windows(BATCH[size], size)
    closes = window[..., 3].double().numpy()
    pyts_image, missing = peer_module("pyts.image")
    transform = None
    if pyts_image is not None:
        field = pyts_image.GramianAngularField(sample_range=(-1, 1), method=method)
        transform = lambda: field.transform(closes)  # noqa: E731 - a side of the measurement
    return measure(f"{name} {size} x {size}", encoding, window, transform, len(closes), missing or "pyts", repeats)


def against_mplfinance(size: int, length: int, repeats: int) -> Row:
    """Candles and volume as an RGB array, one figure at a time, which is all mplfinance offers."""
    encoding = create_encoding("candlestick", length, height=size, width=size)
    window = windows(CHART_BATCH, length)
    mplfinance, missing = peer_module("mplfinance")
    draw = None
    if mplfinance is not None:
        import matplotlib as mpl
        import matplotlib.pyplot as plt
        import pandas as pd

        mpl.use("Agg")
        frame = pd.DataFrame(
            window[0].double().numpy(),
            columns=["Open", "High", "Low", "Close", "Volume"],
            index=pd.date_range("2024-01-01", periods=length, freq="h"),
        )

        def draw() -> object:
            figure, _ = mplfinance.plot(
                frame, type="candle", volume=True, axisoff=True, returnfig=True, figsize=(size / 100, size / 100)
            )
            figure.set_dpi(100)
            figure.canvas.draw()
            image = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
            plt.close(figure)
            return image

    name = f"candlestick {size} x {size}, {length} candles"
    return measure(name, encoding, window, draw, 1, missing or "mplfinance", min(repeats, 9))


def alone(name: str, length: int, repeats: int) -> Row:
    """An encoding without a peer."""
    encoding = create_encoding(name, length)
    window = windows(CHART_BATCH, length)
    label = f"{name} {encoding.height} x {encoding.width}, {length} candles"
    return measure(label, encoding, window, None, 0, "", repeats)


def memory_writes(batch: int, shape: tuple[int, int, int], repeats: int) -> Row:
    """The floor itself: float32 images of one value."""
    (seconds,) = alternate(filler(batch, shape), repeats=repeats)
    name = f"memory writes, {batch} x " + " x ".join(str(side) for side in shape)
    return Row(name=name, ours=batch / seconds, floor=batch / seconds, unit="images/s")


def measure(
    name: str,
    encoding: AbstractEncoding,
    window: torch.Tensor,
    peer: Callable[[], object] | None,
    peer_images: int,
    peer_name: str,
    repeats: int,
) -> Row:
    """Ours, the floor and the peer in turns."""
    batch = len(window)
    sides = [lambda: encoding(window), filler(batch, (encoding.channels, encoding.height, encoding.width))]
    with torch.inference_mode():
        seconds = alternate(*sides, *([] if peer is None else [peer]), repeats=repeats, warm_ups=3)
    return Row(
        name=name,
        ours=batch / seconds[0],
        floor=batch / seconds[1],
        peer=peer_images / seconds[2] if peer is not None else None,
        peer_name=peer_name,
        unit="images/s",
    )


def windows(batch: int, length: int) -> torch.Tensor:
    """A random walk around 20,000, float32, shape (batch, length, 5)."""
    random = np.random.default_rng(0)
    close = 20_000 * np.exp(np.cumsum(random.normal(0, 1e-3, (batch, length)), axis=1))
    opening = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    reach = np.abs(random.normal(0, 1e-3, (2, batch, length)))
    high = np.maximum(opening, close) * (1 + reach[0])
    low = np.minimum(opening, close) * (1 - reach[1])
    volume = random.gamma(2.0, 10.0, (batch, length))
    return torch.tensor(np.stack([opening, high, low, close, volume], axis=-1), dtype=torch.float32)


def filler(batch: int, shape: tuple[int, int, int]) -> Callable[[], object]:
    """Fills one buffer again and again."""
    buffer = torch.empty(batch, *shape)
    return lambda: buffer.fill_(0.5)


def peer_module(name: str) -> tuple[Any, str]:
    """The peer, or None and why it is missing."""
    try:
        return importlib.import_module(name), ""
    except ImportError as error:
        return None, f"not installed: {error}"


def keep_freed_memory() -> None:
    """Make glibc keep freed memory instead of handing it back after every batch."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(M_MMAP_MAX, 0)
            library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


if __name__ == "__main__":
    main(
        rows,
        "Encodings: images per second, raw candle windows to float32 images, one batch after another.",
        packages=("pyts", "mplfinance", "matplotlib"),
    )
