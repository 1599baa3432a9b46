"""Windows per second of the loader, beside the same windows through a per-sample Dataset and torch's DataLoader.

    python -m benchmarks.loader [--quick] [--json FILE]

Both sides shuffle, cut the same float32 windows from the same candles, with the same batch size, in this process, on
the threads printed below the table. The floor is how fast the machine writes that many bytes: one copy from a tensor
to another.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks._table import Row, alternate, main
from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.training.loader import WindowLoader
from triptych.training.samples import Samples
from triptych.training.windows import WindowSet

BATCH_SIZE = 256
FIELDS = 5


class PerSampleDataset(Dataset[tuple[Tensor, Tensor]]):
    """The usual way: one window per `__getitem__`."""

    def __init__(self, candles: Tensor, labels: Tensor, length: int) -> None:
        self._candles, self._labels, self._length = candles, labels, length

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        """A window and its label."""
        return self._candles[position : position + self._length], self._labels[position]


def candles(n: int) -> CandleSeries:
    """A random walk around 30,000."""
    random = np.random.default_rng(0)
    close = 30_000 * np.exp(np.cumsum(random.normal(0, 0.001, n)))
    values = np.column_stack([close, close * 1.001, close * 0.999, close, random.uniform(1, 9, n)])
    minute = Timeframe.parse("1m")
    times = minute.milliseconds * np.arange(n, dtype=np.int64)
    return CandleSeries(instrument=Instrument(symbol="WALK"), timeframe=minute, open_time_ms=times, values=values)


def window_set(series: CandleSeries, length: int) -> WindowSet:
    """Every window of the series."""
    index = np.arange(length - 1, len(series))
    samples = Samples(
        instrument=np.zeros(len(index), dtype=np.int64),
        index=index,
        label=index % 3,
        time_ms=series.close_time_ms[index],
        end_ms=series.close_time_ms[index],
        uniqueness=np.ones(len(index)),
    )
    return WindowSet.of([series], samples, length=length)


def measure(length: int, n: int, repeats: int) -> Row:
    """One row: epochs over all windows of `length` candles."""
    windows = window_set(candles(n), length)
    ours = WindowLoader(windows, batch_size=BATCH_SIZE, order="shuffled")
    dataset = PerSampleDataset(windows.values, windows.labels, length)
    peer = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True, generator=torch.Generator().manual_seed(0))
    source = torch.rand(BATCH_SIZE, length, FIELDS)
    sink = torch.empty_like(source)

    def run_ours() -> None:
        for _ in ours:
            pass

    def run_peer() -> None:
        for _ in peer:
            pass

    def write_memory() -> None:
        for _ in range(len(ours)):
            sink.copy_(source)

    require_equal(windows, dataset)
    ours_s, peer_s, floor_s = alternate(run_ours, run_peer, write_memory, repeats=repeats)
    return Row(
        name=f"{length} candles, batches of {BATCH_SIZE}",
        ours=len(windows) / ours_s,
        peer=len(windows) / peer_s,
        peer_name="Dataset + DataLoader",
        floor=len(windows) / floor_s,
        unit="windows/s",
    )


def require_equal(windows: WindowSet, dataset: PerSampleDataset) -> None:
    """Both sides must hand over the same windows, else the comparison says nothing."""
    positions = torch.arange(0, len(windows), max(1, len(windows) // 100))
    batch = windows.gather(positions)
    for row, position in enumerate(positions.tolist()):
        window, label = dataset[position]
        assert torch.equal(batch.windows[row], window)
        assert batch.labels[row] == label


def rows(quick: bool) -> list[Row]:
    """Short, usual and long windows."""
    n, repeats = (20_000, 3) if quick else (60_000, 7)
    return [measure(length, n, repeats) for length in (32, 64, 256)]


if __name__ == "__main__":
    main(rows, "Windows per second, shuffled: gathered by index beside one at a time.")
