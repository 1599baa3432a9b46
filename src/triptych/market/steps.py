"""The timeframe of a history, told by its commonest step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import Timeframe
from triptych.domain.errors import DataError

_DAY_MS: Final = 86_400_000
_LONGEST_MS: Final = 27 * _DAY_MS
_SMALLEST_SHARE: Final = 0.1
_SAY_IT: Final = "Say the timeframe: `--timeframe 15m`, in Python timeframe='15m'."


def commonest_step_ms(times: Sequence[NDArray[np.int64]]) -> tuple[int, float]:
    """The commonest step within histories of strictly rising times, the smallest of equals, and its share of all."""
    steps = np.concatenate([np.diff(one) for one in times]) if times else np.empty(0, dtype=np.int64)
    if not steps.size:
        return 0, 0.0
    sizes, counts = np.unique(steps, return_counts=True)
    best = int(np.argmax(counts))
    return int(sizes[best]), float(counts[best] / steps.size)


def find_timeframe(times: Sequence[NDArray[np.int64]], *, hint: Timeframe | None, where: str) -> tuple[Timeframe, str]:
    """The timeframe of one or more histories of strictly rising times, and a note when a hint had to be put aside.

    `hint` is what a file name says: it is believed when at least a tenth of the steps agree. Raises DataError when
    the times show no timeframe: one candle, months, ticks.
    """
    step, share = commonest_step_ms(times)
    if step == 0:
        if hint is not None:
            return hint, ""
        raise DataError(f"{where}: the timeframe cannot be told from a single candle.", remedy=_SAY_IT)
    if hint is not None:
        steps = np.concatenate([np.diff(one) for one in times])
        if float(np.mean(steps == hint.milliseconds)) >= _SMALLEST_SHARE:
            return hint, ""
    if step > _LONGEST_MS:
        raise DataError(
            f"{where}: the candles are {step / _DAY_MS:.0f} days apart; months and quarters have no fixed length.",
            remedy="Bring weekly candles or shorter ones.",
        )
    if step % 1000 or share < _SMALLEST_SHARE:
        raise DataError(
            f"{where}: the times have no regular step (the commonest, {step} ms, makes {share:.0%} of them): "
            "these look like ticks or snapshots, not candles.",
            remedy=f"Bring candles. If the history is only sparse: {_SAY_IT[0].lower()}{_SAY_IT[1:]}",
        )
    found = Timeframe(step)
    note = f"timeframe {found} taken from the candles; the file name says {hint}" if hint is not None else ""
    return found, note


def check_timeframe(times: Sequence[NDArray[np.int64]], timeframe: Timeframe, *, where: str) -> None:
    """Raise DataError when the candles are closer to one another than the timeframe the user has named."""
    step, _ = commonest_step_ms(times)
    if 0 < step < timeframe.milliseconds:
        raise DataError(
            f"{where}: the candles are {Timeframe(step)} apart, not {timeframe}.",
            remedy=f"Import them as {Timeframe(step)} and resample them to {timeframe}.",
        )
