"""Remembered scores, and the score that a given share of them exceeds: what an adaptive threshold is read from."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

_HEAVIEST: Final = 0.5  # a heavier fitted tail is an accident of few peaks and would never alarm again
_FEWEST_PEAKS: Final = 10


class AbstractTail(ABC):
    """The last scores of a stream, and where their tail begins."""

    @abstractmethod
    def value(self, share: float) -> float:
        """The score that so large a share of the remembered ones exceeds, 0 < share <= 0.5."""

    @abstractmethod
    def push(self, score: float) -> None:
        """Remember a score, and forget the oldest where there is no room."""

    @abstractmethod
    def numbers(self) -> dict[str, NDArray[np.float64]]:
        """All that it remembers, by name, each (n,)."""

    @abstractmethod
    def restore(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        """Become the one that gave these `numbers`. Raises KeyError when some are missing."""


class _Window:
    """The last scores, also in order of size."""

    def __init__(self, size: int, first: NDArray[np.float64]) -> None:
        self.recent = deque(first[-size:].tolist(), maxlen=size)
        self.ordered: list[float] = sorted(self.recent)

    def push(self, score: float) -> None:
        if len(self.recent) == self.recent.maxlen:
            del self.ordered[bisect_left(self.ordered, self.recent[0])]
        self.recent.append(score)
        insort(self.ordered, score)

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        return {"recent": np.array(self.recent, dtype=np.float64)}

    def restore(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        self.recent = deque(numbers["recent"].tolist(), maxlen=self.recent.maxlen)
        self.ordered = sorted(self.recent)


class RollingTail(AbstractTail):
    """A quantile of the last scores.

    Its place among n ordered scores is (n + 1)(1 - share), linear between neighbours (NumPy's `weibull`): the next of
    exchangeable scores then exceeds it with the chance `share`. NumPy's usual place lets more of them through, half as
    many again where n times the share is 2.
    """

    def __init__(self, size: int, first: NDArray[np.float64]) -> None:
        self._window = _Window(size, first)

    def value(self, share: float) -> float:
        ordered = self._window.ordered
        last = len(ordered) - 1
        place = min(max((len(ordered) + 1) * (1.0 - share) - 1.0, 0.0), float(last))
        low = int(place)
        return ordered[low] + (place - low) * (ordered[min(low + 1, last)] - ordered[low])

    def push(self, score: float) -> None:
        self._window.push(score)

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        return self._window.numbers()

    def restore(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        self._window.restore(numbers)


class ConformalTail(AbstractTail):
    """The smallest score whose conformal p-value, (1 + as high) / (1 + all), is at most the share.

    With exchangeable scores at most that share of normal rows exceeds it (Vovk et al. 2005). Where too few are
    remembered for so small a p-value it is the highest of them.
    """

    def __init__(self, size: int, first: NDArray[np.float64]) -> None:
        self._window = _Window(size, first)

    def value(self, share: float) -> float:
        ordered = self._window.ordered
        allowed = max(int(share * (len(ordered) + 1)), 1)  # as high as itself, itself included
        return ordered[len(ordered) - allowed]

    def push(self, score: float) -> None:
        self._window.push(score)

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        return self._window.numbers()

    def restore(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        self._window.restore(numbers)


class SpotTail(AbstractTail):
    """Peaks over a drifting level: a generalised Pareto law of the excesses.

    SPOT and DSPOT (Siffer et al. 2017, "Anomaly Detection in Streams with Extreme Value Theory", KDD). There, alarms
    do not join the tail, which over a window that forgets cuts the tail shorter and shorter; here they join it, but at
    most twice as far out as the usual threshold. The law is fitted anew whenever a tenth more peaks have come.
    """

    _base: float
    _share: float
    _shape: float
    _scale: float | None
    _limit: float
    _peaks: int
    _refit_after: int

    def __init__(self, size: int, first: NDArray[np.float64], *, usual: float, level: float) -> None:
        """Begin with `first`; `usual` is the share that is mostly asked for, peaks are those above `level`."""
        self._usual, self._level = usual, level
        self._window = _Window(size, first)
        self._fit()

    def value(self, share: float) -> float:
        if self._scale is None or share >= self._share:
            return float(np.quantile(self._window.ordered, 1.0 - share))
        chance, shape = share / self._share, self._shape
        reach = -math.log(chance) if abs(shape) < 1e-9 else (math.pow(chance, -shape) - 1.0) / shape
        return self._base + self._scale * reach

    def push(self, score: float) -> None:
        room = self._limit - self._base  # none where all peaks are the same: any higher score must then get in
        self._window.push(min(score, self._base + 2.0 * room) if room > 0 else score)
        if score > self._base:
            self._peaks += 1
            if self._peaks >= self._refit_after:
                self._fit()

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        scale = math.nan if self._scale is None else self._scale
        law = [self._base, self._share, self._shape, scale, self._limit, self._peaks, self._refit_after]
        return self._window.numbers() | {"law": np.array(law, dtype=np.float64)}

    def restore(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        self._window.restore(numbers)
        self._base, self._share, self._shape, scale, self._limit, peaks, refit_after = numbers["law"].tolist()
        self._scale = None if math.isnan(scale) else scale
        self._peaks, self._refit_after = int(peaks), int(refit_after)

    def _fit(self) -> None:
        from scipy.stats import genpareto  # takes a second to load, which trading need not wait for

        scores = np.asarray(self._window.ordered)
        self._base = float(np.quantile(scores, self._level))
        excesses = scores[scores > self._base] - self._base
        self._peaks = 0
        self._refit_after = max(_FEWEST_PEAKS, len(excesses) // 10)
        self._share = len(excesses) / len(scores)
        self._shape = 0.0
        self._scale = None
        if len(excesses) >= _FEWEST_PEAKS:
            shape, _, scale = genpareto.fit(excesses, floc=0.0)
            self._shape, self._scale = min(float(shape), _HEAVIEST), float(scale)
        self._limit = self.value(self._usual)
