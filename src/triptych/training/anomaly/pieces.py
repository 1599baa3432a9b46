"""What is judged by itself: parts that do not belong together in time, and the rows in them that have a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from triptych.training.anomaly.runs import runs


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """Rows in parts: one for each entity, and a new one wherever the history begins anew behind a gap.

    No event, slope, zone, delay or run of alarms reaches from one part into the next.

    Attributes:
        known: bool (n_rows,): rows that have a score. The others (the warm-up of a part, bad rows) keep their place in
            time and are otherwise as if they had never been.
        starts: first row of each part, ascending; the first is 0.
    """

    known: NDArray[np.bool_]
    starts: Sequence[int] = (0,)

    def spans(self) -> list[tuple[int, int]]:
        """First and last + 1 row of each part."""
        return list(pairwise([*self.starts, len(self.known)]))

    def judged(self) -> list[tuple[int, int]]:
        """The same without the rows before the first and behind the last known one; parts without any left out."""
        found = []
        for start, stop in self.spans():
            own = np.flatnonzero(self.known[start:stop])
            if own.size:
                found.append((start + int(own[0]), start + int(own[-1]) + 1))
        return found

    def runs(self, rows: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """First and last + 1 of each run of true rows, parted where a part ends."""
        return [(low + start, low + stop) for low, high in self.spans() for start, stop in runs(rows[low:high])]

    def cut(self, start: int, stop: int) -> tuple[int, int] | None:
        """The rows from `start` to `stop` - 1 without the unknown ones at both ends; None where none is known."""
        own = np.flatnonzero(self.known[start:stop])
        return (start + int(own[0]), start + int(own[-1]) + 1) if own.size else None


def whole(n: int) -> Pieces:
    """One part of `n` rows that all have a score."""
    return Pieces(known=np.ones(n, dtype=bool))
