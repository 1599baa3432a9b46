"""What alarms can tell apart, whatever their thresholds: the share of switches answered against realised false alarms.

Each point is one threshold, read on the market that is judged, and of several the one that answers most is taken. So a
curve says what a method could do were its threshold known beforehand; nobody knows it, and it is no setting to be used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.explanation_pictures import new_figure, save_figure

Array = NDArray[np.float64]
MOST = 4.0
"""False alarms in 1,000 candles up to which curves are drawn."""


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A method on one market at each of its thresholds.

    Attributes:
        share: of the switches answered, shape (n_thresholds,).
        false: false alarms in 1,000 candles, shape (n_thresholds,).
        switches: how many there were.
    """

    share: Array
    false: Array
    switches: int


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What the thresholds of a method do, in their order; both of shape (n_thresholds,).

    A higher threshold may raise more false alarms: those that would have answered in time come late, and are false.
    """

    false: Array
    share: Array
    switches: int

    def at(self, false: float) -> float:
        """The greatest share with no more false alarms in 1,000 than these, on the lines between neighbouring
        thresholds; NaN below the curve."""
        found = self.share[self.false <= false].tolist()
        for i, j in zip(range(len(self.false) - 1), range(1, len(self.false)), strict=True):
            low, high = sorted((i, j), key=lambda place: float(self.false[place]))
            if self.false[low] <= false < self.false[high]:
                part = (false - self.false[low]) / (self.false[high] - self.false[low])
                found.append(float(self.share[low] + part * (self.share[high] - self.share[low])))
        return max(found, default=float("nan"))

    def error(self, false: float) -> float:
        """Standard error of that share, as if each switch were answered by itself."""
        share = self.at(false)
        return float(np.sqrt(share * (1.0 - share) / self.switches))


def pooled(parts: Sequence[Swept]) -> Curve:
    """One curve of several markets of one length: thresholds of one place in their list are taken together."""
    weights = [one.switches for one in parts]
    share = np.average([one.share for one in parts], axis=0, weights=weights)
    return Curve(false=np.mean([one.false for one in parts], axis=0), share=share, switches=int(np.sum(weights)))


def best_of(tuning: Sequence[Curve], rates: Sequence[float]) -> int:
    """The place of the curve that answers most, on average over the rates; where a rate is not reached, nothing."""
    return int(np.argmax([np.mean([np.nan_to_num(one.at(rate)) for rate in rates]) for one in tuning]))


def draw(curves: Mapping[str, Mapping[str, Curve]], rates: Sequence[float], path: Path) -> None:
    """A picture (.png): bold the most that is answered with so many false alarms, faint each threshold.

    The rates that are read are marked.
    """
    grid = np.linspace(0.0, MOST, 401)
    figure = new_figure(path, width=4.8 * len(curves), height=4.2)
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for axes, (kind, methods) in zip(panels, curves.items(), strict=True):
        for name, curve in methods.items():
            (line,) = axes.plot(grid, [100.0 * curve.at(rate) for rate in grid], label=name, linewidth=1.8)
            axes.plot(curve.false, 100.0 * curve.share, ".", color=line.get_color(), alpha=0.35, markersize=4)
        for rate in rates:
            axes.axvline(rate, color="#bbbbbb", linewidth=0.8, zorder=0)
        axes.set(xlim=(0.0, MOST), ylim=(0.0, 100.0), title=kind, xlabel="false alarms in 1,000 candles, realised")
    panels[0].set_ylabel("switches answered, %")
    panels[0].legend(loc="lower right")
    save_figure(figure, path)
