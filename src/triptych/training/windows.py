"""Windows of all instruments in one tensor, gathered in batches by index.

The tensor is float32 because networks, artifacts and exported graphs take raw windows in float32: rounding a price
before or after gathering gives the same number, so a float64 copy would only cost memory. At a price of 30,000 the
step of float32 is 0.002, a fifteen-millionth; encodings scale by the window's own range, where such a step cannot be
seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.domain import CLASSES, CandleSeries
from triptych.domain.errors import NotEnoughData
from triptych.training.samples import Samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """`windows` float32 (batch, length, columns), `labels` int64 (batch,), `uniqueness` float32 (batch,).

    `returns` float32 (batch,): what followed, as a fraction; `figures` float32 (batch, tasks): what followed, as
    `training.tasks` has it; None where nothing learns from them.
    """

    windows: Tensor
    labels: Tensor
    uniqueness: Tensor
    returns: Tensor | None = None
    figures: Tensor | None = None

    def to(self, device: torch.device) -> Self:
        """The same batch on another device; from pinned memory the copy overlaps with computing."""
        return replace(self, **{name: one.to(device, non_blocking=True) for name, one in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        found = {name: getattr(self, name) for name in ("windows", "labels", "uniqueness", "returns", "figures")}
        return {name: one for name, one in found.items() if one is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowSet:
    """All windows of a segment.

    Attributes:
        values: float32 tensor of shape (n_candles_of_all, columns), instruments one after the other: candles, or the
            factors that a network reads instead.
        starts: int64 tensor of shape (n_samples,), row of `values` where each window begins.
        labels: int64 tensor of shape (n_samples,).
        uniqueness: float32 tensor of shape (n_samples,): average uniqueness of each label.
        length: candles in a window.
        returns: float32 tensor of shape (n_samples,): the return that each label is about, as a fraction; None where
            nothing learns from it.
        figures: float32 tensor of shape (n_samples, tasks): what is foretold beside the class, NaN where not known.
    """

    values: Tensor
    starts: Tensor
    labels: Tensor
    uniqueness: Tensor
    length: int
    returns: Tensor | None = None
    figures: Tensor | None = None

    @classmethod
    def of(
        cls,
        series: Sequence[CandleSeries],
        samples: Samples,
        *,
        length: int,
        rows: Sequence[NDArray[np.float32]] | None = None,
        ends: Sequence[NDArray[np.int64]] | None = None,
        returns: NDArray[np.float64] | None = None,
        figures: NDArray[np.float64] | None = None,
    ) -> Self:
        """Cut the windows of `samples` from `series`, or from `rows`, one array of shape (n_rows, columns) a series.

        `ends` are the last rows of the windows of each series, int64 of shape (n_candles,); None: a row is a candle.
        `returns` are those of the samples, shape (n_samples,), for networks that learn to foretell them;
        `figures`, shape (n_samples, tasks), likewise.

        Raises NotEnoughData when a window would start before its history.
        """
        last = samples.index if ends is None else _chosen(samples, ends)
        early = np.flatnonzero(last < length - 1)
        if early.size:
            symbol = series[int(samples.instrument[early[0]])].symbol
            raise NotEnoughData(
                f"{symbol}: a window of {length} candles cannot end at candle {int(samples.index[early[0]])}.",
                remedy=f"Bring at least {length} candles or shorten the window.",
            )
        columns = [one.values for one in series] if rows is None else rows
        offsets = np.concatenate(([0], np.cumsum([len(one) for one in columns])))
        return cls(
            values=torch.from_numpy(np.concatenate(columns).astype(np.float32, copy=False)),
            starts=torch.from_numpy(offsets[samples.instrument] + last - (length - 1)),
            labels=torch.from_numpy(samples.label.astype(np.int64)),
            uniqueness=torch.from_numpy(samples.uniqueness.astype(np.float32)),
            length=length,
            returns=None if returns is None else torch.from_numpy(returns.astype(np.float32)),
            figures=None if figures is None else torch.from_numpy(figures.astype(np.float32)),
        )

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def size_bytes(self) -> int:
        """Memory of the tensors in bytes."""
        return sum(one.numel() * one.element_size() for one in self._tensors().values())

    def class_weights(self, *, by_uniqueness: bool) -> Tensor:
        """Balanced class weights, float32 of shape (3,): the inverse of each class's share of the samples.

        Scaled so that their mean over all samples is 1. With `by_uniqueness` a sample counts by its uniqueness, so
        that a class is as frequent as it is in independent observations. A class without samples has weight 0.
        """
        counted = self.uniqueness.cpu().double() if by_uniqueness else torch.ones(len(self), dtype=torch.float64)
        mass = torch.bincount(self.labels.cpu(), weights=counted, minlength=len(CLASSES))
        present = mass > 0
        weights = torch.zeros(len(CLASSES), dtype=torch.float64)
        weights[present] = mass.sum() / (present.sum() * mass[present])
        return weights.float()

    def gather(self, positions: Tensor, *, pin: bool = False) -> Batch:
        """The windows at `positions`, int64 of shape (batch,) on the set's device, in one indexing operation.

        With `pin` they are written into page-locked memory at once, from where a GPU fetches them; the set is then on
        the CPU.
        """
        rows = len(self.values) - self.length + 1
        width = self.values.shape[1]
        # Row i of this view is the window that begins at candle i: overlapping memory, nothing is copied until it is
        # gathered.
        windows = self.values.as_strided((rows, self.length * width), (width, 1))
        chosen = _taken(windows, self.starts.index_select(0, positions), pin)
        return Batch(
            windows=chosen.view(-1, self.length, width),
            labels=_taken(self.labels, positions, pin),
            uniqueness=_taken(self.uniqueness, positions, pin),
            returns=None if self.returns is None else _taken(self.returns, positions, pin),
            figures=None if self.figures is None else _taken(self.figures, positions, pin),
        )

    def to(self, device: torch.device) -> Self:
        """The same set on another device."""
        moved: dict[str, Any] = {name: one.to(device) for name, one in self._tensors().items()}
        return replace(self, **moved)

    def fingerprint(self) -> str:
        """SHA-256 of windows, labels, uniqueness and, where they are learned from, returns."""
        digest = hashlib.sha256(str(self.length).encode())
        for tensor in self._tensors().values():
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _tensors(self) -> dict[str, Tensor]:
        found = {
            name: getattr(self, name) for name in ("values", "starts", "labels", "uniqueness", "returns", "figures")
        }
        return {name: one for name, one in found.items() if one is not None}


def _taken(rows: Tensor, index: Tensor, pin: bool) -> Tensor:
    """The rows at `index`, copied once."""
    if not pin:
        return rows.index_select(0, index)
    there = torch.empty(len(index), *rows.shape[1:], dtype=rows.dtype, pin_memory=True)
    return torch.index_select(rows, 0, index, out=there)


def _chosen(samples: Samples, by_series: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Of each sample the value at its decision candle, shape (n_samples,)."""
    starts = np.concatenate(([0], np.cumsum([len(one) for one in by_series])))
    found: NDArray[np.int64] = np.concatenate(by_series)[starts[samples.instrument] + samples.index]
    return found
