"""A fitted detector that watches a market: candles to channels, channels to windows, windows to readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.domain.errors import ArtifactError
from triptych.features.channels import SETTLE, MarketChannels, market_channels, symbols_and_extras
from triptych.features.extra_channels import levels_of
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.channel_rows import bridge_of, bridged
from triptych.inference.anomaly.sliding import sliding
from triptych.inference.base import AbstractView
from triptych.inference.watch import AbstractWatch, Reading, RecordedWatch

SPARE: Final = 96
"""Candles that an instrument may lack among those that a reading looks back on: more, and there is none."""

MARKET: Final = ""
"""The name under which the reading of all instruments together is kept."""
Seen = dict[str, Reading]
"""Readings of one close, of the market and by instrument."""


class MarketWatch(AbstractWatch):
    """One reading a close for all instruments together, from the channels that `market_channels` makes of them.

    An instrument whose newest candle is missing leaves the close without a reading; so does one without an order book
    where the detector reads books. A window with closes that have none is read where the detector bridges bad rows.
    Closes that not all instruments have are left out: a reading takes as many that all have as it needs, and there is
    none where they do not lie within the last `length` candles of each. A record knows no more than that either.
    """

    def __init__(
        self,
        detector: AbstractDetector,
        *,
        false_alarms: float | None = None,
        scope: Literal["market", "instrument"] = "market",
    ) -> None:
        """Take a detector that was fitted on `market_channels`.

        Args:
            detector: fitted, causal.
            false_alarms: share of normal rows that may alarm; None keeps the detector's threshold.
            scope: `market` tells every instrument the same; `instrument` scales the score for each by how large the
                largest evidence of its own channels is beside the largest of all, which adds no alarm.

        Raises ArtifactError for a detector of other channels, of funding, or one that looks ahead.
        """
        read = symbols_and_extras(detector.columns_)
        if read is None:
            raise ArtifactError(
                f"The detector was fitted on {', '.join(detector.columns_)}, which are not the channels of candles.",
                remedy="Fit it on what `triptych.features.channels.market_channels` makes of candles and order books.",
            )
        self.symbols, self.extras = read
        refuse_funding(self.extras)
        if getattr(detector.config, "placement", "causal") != "causal":
            raise ArtifactError(
                'A detector with placement = "centred" looks ahead and cannot watch a market.',
                remedy='Fit it with placement = "causal".',
            )
        self.levels = levels_of(self.extras)
        self._needed = detector.memory + SETTLE + bridge_of(detector, self.extras)  # closes that all instruments have
        self.length = self._needed + SPARE
        self._detector = detector
        of = [column.split(" ", 1)[0] for column in detector.columns_]
        self._own = {one: np.array([one == name for name in of]) for one in self.symbols if scope == "instrument"}
        self._threshold = detector.threshold_
        if false_alarms is not None:
            self._threshold = detector.threshold_at(false_alarms)

    def read_all(self, view: AbstractView, closes: Mapping[str, int]) -> dict[str, Reading | None]:
        newest = max(closes.values())
        found = [view.history(symbol, self.length) for symbol in self.symbols]
        histories = [one for one in found if one is not None and int(one.close_time_ms[-1]) == newest]
        if len(histories) < len(found):
            return dict.fromkeys(closes)
        common = _common(histories)
        if len(common) < self._needed:  # the instruments have candles at different times
            return dict.fromkeys(closes)
        begins = [int(np.searchsorted(one.open_time_ms, common[-self._needed])) for one in histories]
        newest_of = [one.between(begin, len(one)) for one, begin in zip(histories, begins, strict=True)]
        made = market_channels(newest_of, self.extras)
        (seen,) = self._readings(made, np.array([len(made.values) - 1]))
        return {symbol: _of(seen, symbol) if close_ms == newest else None for symbol, close_ms in closes.items()}

    def record(self, series: Sequence[CandleSeries], symbols: Sequence[str]) -> RecordedWatch:
        """All readings of a history at once, for backtests.

        Args:
            series: histories that hold those of `self.symbols`.
            symbols: instruments that will ask.

        Raises ArtifactError where a history is missing.
        """
        by_symbol = {one.symbol: one for one in series}
        missing = [symbol for symbol in self.symbols if symbol not in by_symbol]
        if missing:
            raise ArtifactError(
                f"The detector watches {', '.join(self.symbols)}; there are no candles of {', '.join(missing)}.",
                remedy="Bring them as data or companions, or fit a detector on the instruments at hand.",
            )
        watched = [by_symbol[symbol] for symbol in self.symbols]
        bare = [one.symbol for one in watched if self.levels and one.books is None]
        if bare:
            raise ArtifactError(
                f"The detector reads {' and '.join(self.extras)} of the order book, and there are no books beside the "
                f"candles of {', '.join(bare)}.",
                remedy="Name a recording in data.books.path, or fit a detector on candles alone.",
            )
        made = market_channels(watched, self.extras)
        rows = np.arange(self._needed - 2, len(made.values))  # row i is that of the candle i + 1 that all have
        there = self._within_reach(watched, rows + 1)
        found = [one if fits else None for one, fits in zip(self._readings(made, rows), there, strict=True)]
        times = made.close_time_ms[rows].tolist()
        record = {name: dict(zip(times, [_of(seen, name) for seen in found], strict=True)) for name in symbols}
        return RecordedWatch(self, record)

    def _within_reach(self, series: Sequence[CandleSeries], ends: NDArray[np.int64]) -> list[bool]:
        """Whether the last `length` candles of each instrument hold the closes that a reading needs.

        `ends` are places among the closes that all instruments have.
        """
        common = _common(series)
        there = np.ones(len(ends), dtype=bool)
        for one in series:
            at = np.searchsorted(one.open_time_ms, common)
            there &= (at[ends] - at[ends - self._needed + 1] < self.length) & (at[ends] >= self.length - 1)
        return [bool(one) for one in there]

    def _readings(self, made: MarketChannels, rows: NDArray[np.int64]) -> list[Seen | None]:
        """Readings of windows that end at `rows`, consecutive ones; None where a window holds unknown rows."""
        if not rows.size:
            return []
        detector = self._detector
        values, is_known = bridged(made.values, detector, self.extras)
        known = is_known[rows].tolist()
        scaled = detector.scaling_(values[rows[0] + 1 - detector.memory : rows[-1] + 1])
        readings: list[Seen] = []
        for _, windows in sliding(scaled, detector.memory):
            assessed = detector.assess(windows)
            for score, evidence in zip(assessed.scores.tolist(), assessed.evidence, strict=True):
                largest = float(evidence.max())
                reasons = detector.reasons_of(evidence) if score > self._threshold else ""
                seen = {MARKET: self._reading(score, reasons)}
                for symbol, own in self._own.items():
                    share = min(max(float(evidence[own].max()), 0.0) / largest, 1.0) if largest > 0 else 1.0
                    seen[symbol] = self._reading(score * share, reasons)
                readings.append(seen)
        return [reading if there else None for reading, there in zip(readings, known, strict=True)]

    def _reading(self, score: float, reasons: str) -> Reading:
        alarm = score > self._threshold
        return Reading(score=score, threshold=self._threshold, alarm=alarm, reasons=reasons if alarm else "")


def _of(seen: Seen | None, symbol: str) -> Reading | None:
    """What an instrument is told: its own reading where it has one, else that of the market."""
    return None if seen is None else seen.get(symbol, seen[MARKET])


def _common(series: Sequence[CandleSeries]) -> NDArray[np.int64]:
    """Open times that all of them have, ascending."""
    return reduce(lambda left, right: np.intersect1d(left, right, assume_unique=True), [s.open_time_ms for s in series])


def refuse_funding(extras: Sequence[str]) -> None:
    """Raise ArtifactError where funding is among the channels: beside candles that are traded stand books alone."""
    if "funding" in extras:
        raise ArtifactError(
            "The detector reads funding, which does not stand beside the candles that are traded.",
            remedy='Fit one without it for guards and networks, such as channels.extras = ["spread", '
            '"depth_imbalance"]; score files with this one.',
        )
