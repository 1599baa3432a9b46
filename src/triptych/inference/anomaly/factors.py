"""A fitted CATCH detector as factors: its score and its latent state beside indicators, for other networks to read."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from triptych.domain.errors import ArtifactError
from triptych.features.channels import CHANNELS, SETTLE, channels_of, symbols_and_extras
from triptych.features.extra_channels import book_channels, levels_of
from triptych.features.factor import Factor
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.catch import CatchDetector
from triptych.inference.anomaly.channel_rows import bridge_of, bridged
from triptych.inference.anomaly.market_watch import refuse_funding
from triptych.inference.anomaly.sliding import sliding

FAMILY = "catch"


class _Columns:
    """Computes all columns of a history at once and hands them out; a history that is gone is forgotten."""

    def __init__(self, detector: CatchDetector, extras: tuple[str, ...]) -> None:
        self._detector, self._extras = detector, extras
        self._kept: WeakKeyDictionary[object, NDArray[np.float64]] = WeakKeyDictionary()

    def column(self, index: int) -> Callable[[object], NDArray[np.float64]]:
        def compute(history: object) -> NDArray[np.float64]:
            if history not in self._kept:
                self._kept[history] = self._of(history)
            return self._kept[history][:, index]

        return compute

    def _of(self, history: object) -> NDArray[np.float64]:
        detector = self._detector
        candles = np.column_stack([getattr(history, name) for name in ("open", "high", "low", "close", "volume")])
        found = np.full((len(candles), 1 + detector.config.network.width), np.nan)
        levels = levels_of(self._extras)
        book = history.book(levels) if levels else None  # type: ignore[attr-defined]
        named = {**channels_of(candles), **book_channels(book, self._extras, len(candles))}
        values, known = bridged(np.column_stack(list(named.values()))[1:], detector, self._extras)
        for first, windows in sliding(detector.scaling_(values), detector.memory):
            at = slice(first + 1, first + 1 + len(windows))
            found[at, 0] = detector.assess(windows).scores
            found[at, 1:] = detector.latent(windows)
        found[1:][~known] = np.nan
        return found


def detector_factors(detector: AbstractDetector) -> tuple[Factor, ...]:
    """`catch_score` and `catch_state_1`, `catch_state_2`, ... of a detector fitted on `market_channels` of one
    instrument; they may be computed of any instrument. Scores look back only. Of a detector that reads order books they
    are unknown where a window holds closes without one, unless the detector bridges these.

    Raises ArtifactError for a detector of other channels, of funding, one that looks ahead, or one without a network.
    """
    if not isinstance(detector, CatchDetector):
        raise ArtifactError(
            f"A detector of the kind {detector.name!r} has no state that another network could read.",
            remedy='Fit one of the kind "catch".',
        )
    read = symbols_and_extras(detector.columns_)
    if read is None or len(read[0]) != 1 or detector.config.placement != "causal":
        raise ArtifactError(
            f"A detector whose score becomes a factor is causal and reads {', '.join(CHANNELS)} of one instrument; "
            f"this one reads {', '.join(detector.columns_)}.",
            remedy="Fit one on what `triptych.features.channels.market_channels` makes of one instrument.",
        )
    extras = read[1]
    refuse_funding(extras)
    columns = _Columns(detector, extras)
    lookback, settle = detector.memory, detector.memory + SETTLE + bridge_of(detector, extras)
    width = detector.config.network.width
    names = ("catch_score", *(f"catch_state_{i + 1}" for i in range(width)))
    meanings = (
        f"score of the anomaly detector over {lookback} candles",
        *(f"number {i + 1} of {width} of the detector's mean token" for i in range(width)),
    )
    return tuple(
        Factor(
            name=name, family=FAMILY, description=meaning, lookback=lookback, settle=settle, unit="score",
            compute=columns.column(i), levels=levels_of(extras),
        )
        for i, (name, meaning) in enumerate(zip(names, meanings, strict=True))
    )  # fmt: skip
