"""Which rows learn, which stop the training, which calibrate and which set the threshold; and what threshold they set.

A threshold holds on fresh rows only if it was taken from rows that decided nothing else: errors of rows that also told
how large errors are come out too small. So the parts are apart in time and no window lies in two of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import NotEnoughData

Part = Literal["stop", "calibrate", "threshold"]
Stretch = tuple[int, int]
_WEIGHTS: Final[Mapping[Part, float]] = {"stop": 0.15, "calibrate": 0.4, "threshold": 0.45}
_FEWEST: Final[Mapping[Part, int]] = {"stop": 8, "calibrate": 50, "threshold": 50}  # windows
_TAIL = 5.0  # effective scores that a tail is fitted to
_FEWEST_IN_TAIL = 4.0  # else two scores would put the threshold where nothing ever comes
ENOUGH = 20.0  # effective scores from which on rows that were learnt from say nothing of the threshold
_FEWEST_BEYOND = 10.0  # rows that were learnt from beyond the threshold, to be asked at all
_SURPLUS, _UNSURE = 0.05, 0.7  # by which these are raised: always, and by one effective score
_MOST_HELD_OUT = 0.6  # share of the rows: where more were needed, too little would be left to learn from


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """First and last + 1 row of the stretches of each part."""

    learn: list[Stretch]
    parts: dict[Part, list[Stretch]]

    def windows(self, part: Part, memory: int) -> int:
        """Windows of `memory` rows in a part."""
        return sum(max(stop - start - memory + 1, 0) for start, stop in self.parts[part])


@dataclass(frozen=True, kw_only=True)
class Portions:
    """Scaled rows by what they are for: unbroken stretches, each float32 (n_rows, channels).

    `stop` and `calibrate` are empty for detectors that do not name them in their `parts`.
    """

    learn: Sequence[NDArray[np.float32]]
    stop: Sequence[NDArray[np.float32]]
    calibrate: Sequence[NDArray[np.float32]]


def hold_out(
    stretches: Sequence[Stretch],
    *,
    share: float,
    blocks: int,
    memory: int,
    contamination: float,
    parts: Sequence[Part],
) -> HeldOut:
    """Cut unbroken stretches into rows to learn from and the parts that are held out.

    The longest stretches are cut into up to `blocks` blocks; the end of each is held out, in the order of `parts`.
    Where the share is too small for the windows that the parts need, there are fewer blocks, then more is held out.
    Where no stretch is long enough for that, whole ones are: of many short recordings some decide and the others learn.

    Args:
        stretches: first and last + 1 row of unbroken rows.
        share: of the rows that is held out, at least.
        blocks: at most.
        memory: rows of a window.
        contamination: share of normal rows that the threshold lets alarm: the smaller, the more windows it takes.
        parts: which parts the detector needs.

    Raises NotEnoughData with the rows that are needed.
    """
    found = _find(stretches, share, blocks, memory, contamination, parts)
    if found is None:
        rows = sum(stop - start for start, stop in stretches)
        longest = max((stop - start for start, stop in stretches), default=0)
        needed = rows_needed(share=share, memory=memory, contamination=contamination, parts=parts)
        raise NotEnoughData(
            f"{rows} rows, {longest} of them without a break, are too few for a detector that looks back on {memory} "
            f"and lets {contamination:g} of the normal rows alarm.",
            remedy=f"Bring at least {needed} unbroken rows, choose a shorter window or a greater contamination.",
        )
    return found


def rows_needed(*, share: float, memory: int, contamination: float, parts: Sequence[Part]) -> int:
    """The fewest unbroken rows that `hold_out` does not refuse."""
    low, high = 0, 1
    while _find([(0, high)], share, 1, memory, contamination, parts) is None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _find([(0, middle)], share, 1, memory, contamination, parts) is None:
            low = middle
        else:
            high = middle
    while _find([(0, high - 1)], share, 1, memory, contamination, parts) is not None:  # rounding makes it uneven
        high -= 1
    return high


def rows_for(held: float, *, share: float, blocks: int, memory: int, parts: int) -> int:
    """About how many unbroken rows leave `held` scores to the part that sets the threshold, to two digits; `hold_out`
    has the other arguments."""
    rows = (held + blocks * (memory - 1)) * parts / share
    return int(round(rows, 1 - math.floor(math.log10(rows))))


def _find(
    stretches: Sequence[Stretch], share: float, blocks: int, memory: int, contamination: float, parts: Sequence[Part]
) -> HeldOut | None:
    needed = {part: _FEWEST[part] for part in parts}
    needed["threshold"] = max(_FEWEST["threshold"], math.ceil(1.0 / contamination) - 1)
    longest = max((stop - start for start, stop in stretches), default=0)
    for held in sorted({share, *(k / 50 for k in range(1, 50) if share < k / 50 <= _MOST_HELD_OUT)}):
        # Each part of each block loses a window's rows: more blocks than this would lose half of what is held out.
        most = max(1, min(blocks, int(longest * held) // (2 * len(parts) * memory)))
        for count in range(most, 0, -1):
            found = _cut(stretches, held, count, memory, parts)
            left = sum(max(stop - start - memory + 1, 0) for start, stop in found.learn)
            if left >= memory // 2 + 8 and all(found.windows(part, memory) >= needed[part] for part in parts):
                return found
    return _whole(stretches, share, memory, needed)


def _whole(stretches: Sequence[Stretch], share: float, memory: int, needed: Mapping[Part, int]) -> HeldOut | None:
    """Whole stretches for each part, evenly spread over all of them; None where there are too few."""
    long = [one for one in stretches if one[1] - one[0] >= memory]
    for held in sorted({share, *(k / 50 for k in range(1, 50) if share < k / 50 <= _MOST_HELD_OUT)}):
        count = round(held * len(long))
        if not len(needed) <= count < len(long):
            continue
        chosen = [long[i] for i in np.linspace(0, len(long) - 1, count).round().astype(int).tolist()]
        found: dict[Part, list[Stretch]] = {part: [] for part in needed}
        for one in chosen:  # to the part that is farthest from its share
            poorest = min(needed, key=lambda part: len(found[part]) / _WEIGHTS[part])
            found[poorest].append(one)
        made = HeldOut(learn=[one for one in stretches if one not in set(chosen)], parts=found)
        left = sum(max(stop - start - memory + 1, 0) for start, stop in made.learn)
        if left >= memory // 2 + 8 and all(made.windows(part, memory) >= needed[part] for part in needed):
            return made
    return None


def _cut(stretches: Sequence[Stretch], share: float, blocks: int, memory: int, parts: Sequence[Part]) -> HeldOut:
    longest = max((stop - start for start, stop in stretches), default=0)
    total = sum(_WEIGHTS[part] for part in parts)
    learn: list[Stretch] = []
    found: dict[Part, list[Stretch]] = {part: [] for part in parts}
    for start, stop in stretches:
        count = max(1, round(blocks * (stop - start) / max(longest, 1)))
        for begin, end in pairwise(np.linspace(start, stop, count + 1).astype(int).tolist()):
            held = int((end - begin) * share)
            # Each part loses a window's rows before its first score: what is left is shared out by weight.
            free = held - len(parts) * (memory - 1)
            if free < len(parts) or end - held - begin < memory:
                learn.append((begin, end))
                continue
            learn.append((begin, end - held))
            at = end - held
            sizes = [memory - 1 + int(free * _WEIGHTS[part] / total) for part in parts]
            sizes[-1] += held - sum(sizes)
            for part, size in zip(parts, sizes, strict=True):
                found[part].append((at, at + size))
                at += size
    return HeldOut(learn=learn, parts=found)


def effective_number(series: Sequence[NDArray[np.float64]], memory: int) -> float:
    """How many independent scores tell as much as these, whose windows of `memory` rows overlap. At least 1.

    Their number over 1 + twice the sum of their autocorrelations (of ranks) up to the first that is not positive; but
    no more than three for each window's length, because short series hide how slowly they move.
    """
    every = np.concatenate(series)
    ranks = np.searchsorted(np.sort(every), every, side="left").astype(np.float64)
    centred = ranks - ranks.mean()
    variance = float((centred**2).mean())
    if variance == 0.0:
        return float(len(every))
    parts = np.split(centred, np.cumsum([len(one) for one in series])[:-1])
    total = 0.0
    for lag in range(1, min(max(len(one) for one in parts) // 2, 4 * memory)):
        products = [one[lag:] * one[:-lag] for one in parts if len(one) > lag]
        correlation = float(np.concatenate(products).mean()) / variance
        if correlation <= 0.0:
            break
        total += correlation
    return max(min(len(every) / (1.0 + 2.0 * total), 3.0 * len(every) / memory), 1.0)


def conformal_threshold(
    ordered: NDArray[np.float64], share: float, effective: float, *, learnt: NDArray[np.float64] | None = None
) -> float:
    """The score that at most `share` of fresh normal rows exceed on average (split conformal, Vovk et al. 2005).

    Among n exchangeable scores it is the ceil((n + 1)(1 - share))-th smallest; scores of overlapping windows count as
    `effective` many. Where these are too few for the share, no quantile tells: then the upper scores, a half or five
    effective ones, are taken for an exponential tail, and the threshold is the point that the next score exceeds with
    the wanted probability, the uncertainty of the tail's mean included: P(X > base + x) = (1 + x / (m mean))^-m
    times their share, m being their effective number.

    A handful of effective scores makes that so unsure that a threshold which holds on average is out of sight in half
    of the histories. So where there are fewer than twenty, the rows that were learnt from have their say, the more the
    fewer these are: they are many, and what they do not know of their own favour, the held-out ones tell.

    Args:
        ordered: scores of normal rows that decided nothing else, ascending, (n,).
        share: of normal rows above, at most a half.
        effective: number of independent scores, at most n.
        learnt: scores of the rows that were learnt from, ascending; None or too few for the share: they are not asked.
    """
    level = (effective + 1.0) * (1.0 - share) / effective
    if level <= 1.0:
        return float(ordered[math.ceil(level * len(ordered) - 1e-9) - 1])
    upper = max(min(0.5, _TAIL / effective), share)
    base = float(np.quantile(ordered, 1.0 - upper))
    beyond = ordered[ordered > base] - base
    if not beyond.size:
        return base
    independent = max(upper * effective, _FEWEST_IN_TAIL)
    reach = independent * float(beyond.mean()) * (math.pow(share / upper, -1.0 / independent) - 1.0)
    trust = max(1.0 - effective / ENOUGH, 0.0)
    if learnt is None or not trust or share * len(learnt) < _FEWEST_BEYOND:
        return base + reach
    return trust * _of_learnt(learnt, ordered, share, effective) + (1.0 - trust) * (base + reach)


def _of_learnt(learnt: NDArray[np.float64], held: NDArray[np.float64], share: float, effective: float) -> float:
    """The threshold that rows which were learnt from ask for, raised by what held-out ones say of their favour.

    Measured from their median: the quantile of the share, times the square root (half believed) of how much farther
    out the upper half of the held-out scores is, never less than 1, times an allowance for so few of these.
    """
    centre = float(np.median(learnt))
    own = float(np.mean(learnt[learnt >= centre])) - centre
    theirs = float(np.mean(held[held >= np.median(held)])) - centre
    favour = math.sqrt(max(theirs / own, 1.0)) if own > 0.0 else 1.0
    return centre + (float(np.quantile(learnt, 1.0 - share)) - centre) * favour * (1 + _SURPLUS + _UNSURE / effective)
