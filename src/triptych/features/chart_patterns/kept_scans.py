"""Scans that are gone on with: the next close adds a candle to a stretch that was scanned a moment ago.

Chart patterns as factors scan stretches that begin at fixed times. Live, each close asks for the same stretch with one
candle more; its scanner is kept, and is fed that candle alone.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.features.chart_patterns.detection import Detection
from triptych.features.chart_patterns.scanner import ChartPatternScanner

KEPT: Final = 64
"""Stretches, of all instruments, whose scanners are kept: those asked about last."""


@dataclass
class _Scan:
    """A scanner, what it was fed, and what it has found."""

    values: NDArray[np.float64]
    after: NDArray[np.bool_]
    scanner: ChartPatternScanner = field(default_factory=ChartPatternScanner)
    found: list[Detection] = field(default_factory=list)

    def begins(self, values: NDArray[np.float64], after: NDArray[np.bool_]) -> bool:
        """Whether a stretch begins with exactly what was scanned."""
        n = len(self.values)
        return np.array_equal(self.values, values[:n]) and np.array_equal(self.after, after[:n])


class KeptScans:
    """Detections of stretches of candles by the default rules, each candle scanned once where a stretch grows."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int, bytes], _Scan] = OrderedDict()
        self._lock = Lock()

    def detections(
        self, begun: tuple[int, int], values: NDArray[np.float64], after: NDArray[np.bool_]
    ) -> tuple[Detection, ...]:
        """What `find_chart_patterns` gives for these candles, whatever was asked before.

        Args:
            begun: open time of the first candle, UTC milliseconds, and the length of a candle: they say which scan
                might be gone on with; whether it may is told by its candles, number by number.
            values: candles of shape (n_candles, 5), at least one.
            after: candles that follow an outage, bool of shape (n_candles,).
        """
        key = (*begun, values[0].tobytes())
        with self._lock:  # taken out while it is fed: no other thread goes on with it
            scan = self._kept.pop(key, None)
        if scan is None or not scan.begins(values, after):
            scan = _Scan(values[:0], after[:0])
        n = len(scan.values)
        for candle, follows in zip(values[n:], after[n:].tolist(), strict=True):
            scan.found += scan.scanner.update(candle, after_outage=follows)
        scan.values, scan.after = values.copy(), after.copy()
        with self._lock:
            self._kept[key] = scan
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return tuple(scan.found)
