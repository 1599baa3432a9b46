"""Samples: decisions of several instruments side by side, with what is known about each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES, CandleSeries
from triptych.features.targets import Targets
from triptych.training.overlap import average_uniqueness
from triptych.training.splits import Segment


def thinned(
    segment: Segment, stride: int, turns: Sequence[NDArray[np.int64]] | None = None
) -> Iterator[NDArray[np.int64]]:
    """Decision candles of each series whose window's number is a multiple of `stride`; see `Samples.of`."""
    for i, index in enumerate(segment.indices):
        number = index if turns is None else turns[i][index]
        yield index[number % stride == 0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Decisions in one order: by instrument, then by time. Every array has shape (n_samples,).

    Attributes:
        instrument: int64, position of the instrument among the series.
        index: int64, decision candle in its series.
        label: int64, class of the target, 0 sell, 1 hold, 2 buy.
        time_ms: int64, close of the decision candle, UTC ms.
        end_ms: int64, close of the candle that settles the label at the latest, UTC ms.
        uniqueness: float64, average uniqueness of each label within its instrument and segment, in (0, 1].
    """

    instrument: NDArray[np.int64]
    index: NDArray[np.int64]
    label: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    uniqueness: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.index)

    @classmethod
    def of(
        cls,
        series: Sequence[CandleSeries],
        targets: Sequence[Targets],
        segment: Segment,
        *,
        stride: int = 1,
        turns: Sequence[NDArray[np.int64]] | None = None,
    ) -> Self:
        """The samples of one segment of a fold; of those only every `stride`-th window.

        `turns` numbers the windows of each series, int64 of shape (n_candles,); None counts candles.
        """
        indices = list(thinned(segment, stride, turns))
        parts = list(zip(series, targets, indices, strict=True))
        return cls(
            instrument=np.repeat(np.arange(len(parts)), [len(i) for *_, i in parts]),
            index=np.concatenate([i for *_, i in parts]),
            label=np.concatenate([t.classes[i].astype(np.int64) for _, t, i in parts]),
            time_ms=np.concatenate([s.close_time_ms[i] for s, _, i in parts]),
            end_ms=np.concatenate([s.close_time_ms[t.latest_end[i]] for s, t, i in parts]),
            uniqueness=np.concatenate([average_uniqueness(i, t.end[i]) for _, t, i in parts]),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Samples of several folds one after the other: a walk-forward test as a whole."""
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__}
        )

    def at(self, rows: NDArray[np.int64]) -> Self:
        """Some of the samples, by position."""
        return type(self)(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Number of samples of sell, hold and buy."""
        return tuple(int(count) for count in np.bincount(self.label, minlength=len(CLASSES)))

    @property
    def effective_n(self) -> float:
        """Effective number of samples: the sum of the uniqueness, n / horizon when every candle carries a label.

        Instruments that move together are worth less still; the block intervals account for that, this number does not.
        """
        return float(self.uniqueness.sum())
