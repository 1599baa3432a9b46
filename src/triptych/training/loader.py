"""Batches of an epoch: which windows, in which order, as a pure function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from triptych.training.seeds import derive_seed
from triptych.training.windows import Batch, WindowSet

Order = Literal["sequential", "shuffled", "balanced"]


class EpochSampler:
    """Positions of one epoch. Nothing a restart could lose: the epoch is told, the rest follows from the seed."""

    def __init__(self, labels: Tensor, order: Order, seed: int) -> None:
        self._labels = labels.cpu()
        self._order = order
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration runs through; the trainer calls it."""
        self._epoch = epoch

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration runs through, from 0."""
        return self._epoch

    def positions(self) -> Tensor:
        """int64 tensor of shape (n_samples,): positions in the window set."""
        n = len(self._labels)
        if self._order == "sequential":
            return torch.arange(n)
        generator = torch.Generator().manual_seed(derive_seed(self._seed, "order", self._epoch))
        if self._order == "shuffled":
            return torch.randperm(n, generator=generator)
        # A class first, then one of its samples: every class equally often in expectation, however rare it is.
        by_class = torch.argsort(self._labels, stable=True)
        counts = torch.bincount(self._labels)
        first = torch.cumsum(counts, 0) - counts
        present = torch.nonzero(counts).squeeze(1)
        drawn = present[torch.randint(len(present), (n,), generator=generator)]
        within = (torch.rand(n, generator=generator, dtype=torch.float64) * counts[drawn]).long()
        return by_class[first[drawn] + within]


class WindowLoader:
    """Iterates over batches of a window set; Lightning takes it as it takes a torch DataLoader.

    On a GPU that holds the whole set the batches are cut there and nothing is copied in between. Otherwise they are
    cut on the CPU and, for a GPU, handed over in pinned memory.
    """

    def __init__(
        self,
        windows: WindowSet,
        *,
        batch_size: int,
        order: Order = "sequential",
        seed: int = 0,
        drop_last: bool = False,
        pin_memory: bool = False,
    ) -> None:
        """Prepare the epochs.

        Args:
            windows: what to iterate over.
            batch_size: windows in a batch.
            order: `sequential`, `shuffled` or `balanced` (see `sampling` in the training settings).
            seed: of the order.
            drop_last: leave out the last, smaller batch; ignored when it is the only one.
            pin_memory: hand CPU batches over in pinned memory.
        """
        self.windows = windows
        self.batch_size = batch_size
        self.sampler = EpochSampler(windows.labels, order, seed)
        self.batch_sampler = None  # Lightning looks for both, and tells the sampler the epoch
        self._drop_last = drop_last and len(windows) > batch_size
        self._pin_memory = pin_memory and windows.values.device.type == "cpu"

    def __len__(self) -> int:
        full, rest = divmod(len(self.windows), self.batch_size)
        return full + (0 if self._drop_last else rest > 0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration runs through."""
        self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[Batch]:
        # A generator: the order is drawn at the first batch, after Lightning has told the epoch.
        positions = self.sampler.positions().to(self.windows.values.device)
        for step in range(len(self)):
            chosen = positions[step * self.batch_size : (step + 1) * self.batch_size]
            yield self.windows.gather(chosen, pin=self._pin_memory)


def fits_on(windows: WindowSet, device: torch.device, share: float = 0.25) -> bool:
    """Whether the set takes at most `share` of the free memory of a CUDA device; False for any other device."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return windows.size_bytes <= share * free
