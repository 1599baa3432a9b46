"""Chart patterns candle by candle: one path for a whole history and for a live stream."""

from __future__ import annotations

import math
from collections import deque
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CANDLE_FIELDS, CLOSE, HIGH, LOW, OPEN
from triptych.domain.errors import DataError
from triptych.features.chart_patterns.config import Config
from triptych.features.chart_patterns.detection import PATTERNS, Detection, KeyPoint, time_overlap
from triptych.features.chart_patterns.families import FAMILIES
from triptych.features.chart_patterns.kernel import KernelExtrema
from triptych.features.chart_patterns.quality import quality
from triptych.features.chart_patterns.recent import RecentCandles
from triptych.features.chart_patterns.skeleton import Found, Skeleton
from triptych.features.chart_patterns.zigzag import ZigZag

_SHAPE: Final = (len(CANDLE_FIELDS),)


class ChartPatternScanner:
    """Takes closed candles in time order and tells which patterns became known with each.

    A pattern is reported once, at the candle at which it was first known; nothing reported is taken back. What it
    remembers is bounded, however long the stream.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._begin(0)
        share, delay = self.config.bandwidth_share, self.config.delay
        self._kernels = [KernelExtrema(n + delay, share) for n in self.config.windows]
        self._reported: dict[str, deque[tuple[int, int]]] = {name: deque(maxlen=64) for name in PATTERNS}

    def _begin(self, start: int) -> None:
        """Forget all candles before one: neither extrema nor the average true range reach behind it."""
        self._candles = RecentCandles(2 * self.config.longest, self.config.atr_period, start=start)
        self._zigzags = [ZigZag(scale) for scale in self.config.scales]

    def update(self, candle: NDArray[np.float64], *, after_outage: bool = False) -> tuple[Detection, ...]:
        """Patterns first known at the close of this candle: open, high, low, close, volume.

        After an outage the scanner begins anew, as with the first candle, so that no pattern runs across it.

        Raises DataError for another shape, a price that is not a positive number, and an open or a close outside of
        low .. high; the scanner is then as it was.
        """
        candle = np.asarray(candle, dtype=np.float64)
        if candle.shape != _SHAPE or not _is_candle(candle):
            raise DataError(
                "Expected one candle (open, high, low, close, volume) with prices above zero, open and close within "
                f"low .. high, was {candle.tolist()}.",
                remedy="Feed closed candles one by one, without gaps of NaN.",
            )
        if after_outage:
            self._begin(len(self._candles))
        self._candles.append(candle)
        now, atr = len(self._candles) - 1, self._candles.atr
        found: list[Detection] = []
        for zigzag in self._zigzags:
            prices = float(candle[HIGH]), float(candle[LOW]), float(candle[CLOSE])
            confirmed = zigzag.update(now, *prices, atr)
            is_settled = now - self._candles.start >= self.config.atr_period
            for later in reversed(range(confirmed if is_settled else 0)):
                found += self._ask(self._from_zigzag(zigzag, later, now, atr))
        for kernel in self._kernels:
            skeleton = self._from_kernel(kernel, now, atr)
            if skeleton is not None:
                found += self._ask(skeleton)
        return tuple(found)

    def _unit(self, atr: float, scale: float) -> float:
        if self.config.unit == "percent":
            return float(self._candles.close(len(self._candles) - 1, len(self._candles))[0]) / 100.0
        return atr * scale

    def _from_zigzag(self, zigzag: ZigZag, later: int, now: int, atr: float) -> Skeleton:
        """The pivots but for the `later` last ones."""
        known = list(zigzag.pivots)[: len(zigzag.pivots) - later]
        kept = [pivot for pivot in known if self._candles.has(pivot[0])]
        return self._skeleton("zigzag", kept, zigzag.last_is_top == (later % 2 == 0), now, atr, zigzag.scale)

    def _from_kernel(self, kernel: KernelExtrema, now: int, atr: float) -> Skeleton | None:
        """The extrema of the window that ends now, if the candle `delay` before now is one, as LMW ask."""
        start = now + 1 - kernel.length
        if start < self._candles.start:
            return None
        close = self._candles.close(start, now + 1)
        positions, tops = kernel.find(close)
        ripe = int(np.searchsorted(positions, kernel.length - self.config.delay))
        if ripe < 3 or positions[ripe - 1] != kernel.length - self.config.delay - 1:
            return None
        points = [(start + int(at), float(close[at])) for at in positions[:ripe]]
        # The swings of a window grow with the root of its length; a scale of 1.5 belongs to LMW's 35 + 3 candles.
        return self._skeleton("kernel", points, bool(tops[ripe - 1]), now, atr, math.sqrt(kernel.length) / 4.0)

    def _skeleton(
        self,
        source: Literal["kernel", "zigzag"],
        points: list[tuple[int, float]],
        last_is_top: bool,
        now: int,
        atr: float,
        scale: float,
    ) -> Skeleton:
        return Skeleton(
            source=source,
            index=tuple(at for at, _ in points),
            price=tuple(price for _, price in points),
            last_is_top=last_is_top,
            known_at=now,
            unit=self._unit(atr, scale),
            atr=atr,
            candles=self._candles,
        )

    def _ask(self, skeleton: Skeleton) -> list[Detection]:
        if skeleton.unit <= 0:  # the price has stood still
            return []
        seen = []
        for family in FAMILIES:
            if skeleton.source in family.SOURCES:
                for found in family.find(skeleton, self.config):
                    detection = _detection(found, skeleton)
                    if (
                        found.closeness >= self.config.least_closeness
                        and self._is_large(detection, skeleton.atr)
                        and self._is_new(detection)
                    ):
                        seen.append(detection)
        return seen

    def _is_large(self, detection: Detection, atr: float) -> bool:
        config = self.config
        return (
            detection.end - detection.start >= config.shortest
            and detection.high - detection.low >= config.least_height * atr
        )

    def _is_new(self, detection: Detection) -> bool:
        span = (detection.start, detection.end)
        reported = self._reported[detection.pattern]
        if any(time_overlap(span, other) >= self.config.overlap for other in reported):
            return False
        reported.append(span)
        return True


def _is_candle(candle: NDArray[np.float64]) -> bool:
    low, high = candle[LOW], candle[HIGH]
    return bool(0 < low <= high < math.inf and low <= candle[OPEN] <= high and low <= candle[CLOSE] <= high)


def _detection(found: Found, skeleton: Skeleton) -> Detection:
    start, end = skeleton.index[found.points[0]], skeleton.index[found.points[-1]]
    low = float(skeleton.candles.low(start, end + 1).min())
    high = float(skeleton.candles.high(start, end + 1).max())
    index = tuple(skeleton.index[p] for p in found.points)
    price = tuple(skeleton.price[p] for p in found.points)
    return Detection(
        pattern=found.pattern,
        side=PATTERNS[found.pattern],
        start=start,
        end=end,
        low=low,
        high=high,
        known_at=skeleton.known_at,
        score=quality(found.closeness, skeleton.candles.close(start, end + 1), index, price, high - low),
        key_points=tuple(KeyPoint(index=skeleton.index[p], price=skeleton.price[p]) for p in found.points),
    )


def find_chart_patterns(
    values: NDArray[np.float64], config: Config | None = None, *, after_outage: NDArray[np.bool_] | None = None
) -> tuple[Detection, ...]:
    """All chart patterns of a history, in the order in which they became known.

    Args:
        values: candles of shape (n_candles, 5): open, high, low, close, volume.
        config: sizes and tolerances.
        after_outage: candles before which the history has a hole that no pattern may span (see `outages`), bool of
            shape (n_candles,); None: there is none.

    Raises what `ChartPatternScanner.update` raises.

    Equal to feeding the candles to a `ChartPatternScanner` one by one, because that is what it does.
    """
    scanner = ChartPatternScanner(config)
    values = np.asarray(values, dtype=np.float64)
    outage = [False] * len(values) if after_outage is None else after_outage.tolist()
    return tuple(
        detection
        for candle, after in zip(values, outage, strict=True)
        for detection in scanner.update(candle, after_outage=after)
    )
