"""Chart patterns on generated charts: event precision and recall at IoU .5, delay, and false alarms on random walks.

The network is trained here first (about 20 minutes on one core), so it is left out under --quick; a folder from
`triptych patterns train` in the variable TRIPTYCH_CHART_NETWORK is taken instead.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._table import Row, main
from triptych.bootstrap.chart_patterns import ChartPatternRecipe, train_chart_patterns
from triptych.features.chart_patterns import PATTERNS, Detection, box_overlap, find_chart_patterns
from triptych.inference.chart_patterns import ChartPatternNetwork
from triptych.market.charts import Chart, draw_chart
from triptych.market.charts import Config as ChartConfig

SEED = 20_000
"""Of charts that no network was trained on: trainings use other seeds."""
HIT = 0.5
LENGTH = 160
"""Candles of a chart."""
Detector = Callable[[NDArray[np.float64]], Sequence[Detection]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Events counted over many charts, and by pattern: hits, misses; alarms that hit nothing."""

    hits: Counter[str]
    planted: Counter[str]
    alarms: Counter[str]
    delays: tuple[int, ...]

    @property
    def precision(self) -> float:
        """Share of the alarms that hit a planted pattern."""
        return sum(self.hits.values()) / max(sum(self.hits.values()) + sum(self.alarms.values()), 1)

    @property
    def recall(self) -> float:
        """Share of the planted patterns that were hit."""
        return sum(self.hits.values()) / max(sum(self.planted.values()), 1)


def score(detect: Detector, charts: Iterable[Chart]) -> Score:
    """Hold a detector against planted patterns.

    A detection is a hit when pattern and box agree with what is planted (IoU of at least .5 in time and price). Each
    planted pattern is hit once; further hits on it are neither hits nor alarms. Everything else is an alarm, also on
    near misses and in the candles around a pattern.
    """
    hits: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    delays = []
    for chart in charts:
        true = chart.planted
        planted.update([true.pattern] if true else [])
        found = False
        for detection in detect(chart.values):
            if true and detection.pattern == true.pattern and box_overlap(detection, true) >= HIT:
                if not found:
                    hits[true.pattern] += 1
                    delays.append(detection.known_at - true.end)
                found = True
            else:
                alarms[detection.pattern] += 1
    return Score(hits=hits, planted=planted, alarms=alarms, delays=tuple(delays))


def random_walks(count: int, length: int) -> list[NDArray[np.float64]]:
    """Charts without anything in them, each of one volatility."""
    config = ChartConfig(share_planted=0.0, share_broken=0.0, trend=0.0, length=length)
    return [draw_chart(config, SEED + 1, number).values for number in range(count)]


def false_alarms(detect: Detector, walks: Sequence[NDArray[np.float64]]) -> float:
    """Detections in 1,000 candles of random walk."""
    return 1000.0 * sum(len(detect(walk)) for walk in walks) / sum(len(walk) for walk in walks)


def measure(name: str, detect: Detector, *, charts: int, walks: int, by_pattern: bool) -> list[Row]:
    """Rows of one detector."""
    found = score(detect, [draw_chart(ChartConfig(length=LENGTH), SEED, number) for number in range(charts)])
    rows = [
        Row(name=f"{name}: precision at IoU .5", ours=found.precision, unit="share"),
        Row(name=f"{name}: recall at IoU .5", ours=found.recall, unit="share"),
        Row(name=f"{name}: median delay", ours=float(np.median(found.delays or (0,))), unit="candles"),
        Row(
            name=f"{name}: false alarms on random walk",
            ours=false_alarms(detect, random_walks(walks, 1000)),
            unit="in 1,000 candles",
        ),
    ]
    if by_pattern:
        for pattern in PATTERNS:
            hits, alarms = found.hits[pattern], found.alarms[pattern]
            rows.append(
                Row(name=f"{name}, {pattern}: recall", ours=hits / max(found.planted[pattern], 1), unit="share")
            )
            rows.append(Row(name=f"{name}, {pattern}: precision", ours=hits / max(hits + alarms, 1), unit="share"))
    return rows


def rows(quick: bool) -> list[Row]:
    """The table."""
    charts, walks = (150, 5) if quick else (1000, 20)
    table = measure("rules", find_chart_patterns, charts=charts, walks=walks, by_pattern=not quick)
    folder = os.environ.get("TRIPTYCH_CHART_NETWORK")
    if folder:
        network = ChartPatternNetwork.load(Path(folder))
    elif quick:
        return table
    else:
        with tempfile.TemporaryDirectory() as made:
            network = train_chart_patterns(ChartPatternRecipe(), Path(made) / "network")
    return table + measure("network", network.find, charts=charts, walks=walks, by_pattern=not quick)


if __name__ == "__main__":
    main(rows, __doc__.splitlines()[0])
