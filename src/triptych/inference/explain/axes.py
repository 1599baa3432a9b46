"""What an explanation comes to by price, factor, frequency or level, as shares of the whole picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.images import AxisKind

OUTSIDE: Final = "elsewhere"
"""The name of what lies on pixels that stand for no entry of an axis."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A row of a table of importance: an entry, several, or the rest of the picture.

    Attributes:
        name: of it.
        importance: in the unit of the explanation; of several entries their sum.
        share: of the whole picture, see `AxisImportance.shares`; of several entries their sum.
    """

    name: str
    importance: float
    share: float


@dataclass(frozen=True, kw_only=True)
class AxisImportance:
    """Importance of the entries of an axis: prices, factors, frequencies.

    Attributes:
        kind: what they are.
        names: of the entries; of prices the price in the middle of each row, then those of `areas`.
        values: importance, float64 of shape (entries,), in the unit of the explanation. With `outside` they sum to
            that of all pixels.
        areas: how many of the last entries are areas of the picture beside the rows of prices, such as the pane of
            volumes.
        outside: importance of pixels that stand for no entry: the empty row between two areas, channels of other
            encodings.
    """

    kind: AxisKind
    names: tuple[str, ...]
    values: NDArray[np.float64]
    areas: int = 0
    outside: float = 0.0

    @property
    def shares(self) -> NDArray[np.float64]:
        """Shares of absolute importance, shape (entries + 1,): of every entry, and last of what lies outside of them.

        They are of the whole picture and sum to 1; all are 0 where there is no heat.
        """
        sizes = np.abs(np.append(self.values, self.outside))
        whole = float(sizes.sum())
        found: NDArray[np.float64] = sizes / whole if whole else sizes
        return found

    def leading(self, count: int) -> list[tuple[str, float]]:
        """The `count` entries that matter most, by absolute importance."""
        return [(part.name, part.importance) for part in self._leading(len(self.values), count)[0]]

    def area_parts(self) -> list[Part]:
        """The areas beside the rows of prices; none of most pictures."""
        first = len(self.values) - self.areas
        return [self._part(i) for i in range(first, len(self.values))]

    def parts(self, count: int) -> list[Part]:
        """The `count` entries that matter most, then all other ones together, every area, and what lies elsewhere.

        Their shares sum to 1. What is not there, or has no importance at all outside of the entries, is left out.
        """
        parts, rest = self._leading(len(self.values) - self.areas, count)
        if len(rest):
            importance, share = float(self.values[rest].sum()), float(self.shares[rest].sum())
            parts.append(Part(name=f"the other {len(rest)}", importance=importance, share=share))
        parts += self.area_parts()
        if self.outside:
            parts.append(Part(name=OUTSIDE, importance=self.outside, share=float(self.shares[-1])))
        return parts

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        shares = self.shares.tolist()
        return {
            "kind": self.kind,
            "names": list(self.names),
            "importance": self.values.tolist(),
            "share": shares[:-1],
            "elsewhere": {"importance": self.outside, "share": shares[-1]},
        }

    def _part(self, entry: int) -> Part:
        return Part(name=self.names[entry], importance=float(self.values[entry]), share=float(self.shares[entry]))

    def _leading(self, among: int, count: int) -> tuple[list[Part], NDArray[np.int64]]:
        """The `count` of the first `among` entries that matter most, and the places of the others."""
        order = np.argsort(-np.abs(self.values[:among]), kind="stable")
        return [self._part(int(i)) for i in order[:count]], order[count:]
