"""Chart patterns on generated charts: precision and recall at IoU .5, delay, false alarms on random walks, by pattern.

Rules, rules with as few false alarms as the network, and the network at two thresholds. The network is trained here
first (by the recipe of `triptych patterns train`: a quarter of an hour on one idle core), so it is left out under
--quick; a folder of that command in the variable TRIPTYCH_CHART_NETWORK is taken instead. Shares have Wilson's
intervals, 95 %.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._table import Row, main
from triptych.bootstrap.chart_patterns import ChartPatternRecipe, train_chart_patterns
from triptych.features.chart_patterns import PATTERNS, Detection, box_overlap, find_chart_patterns
from triptych.inference.chart_patterns import Config as DetectionConfig
from triptych.inference.chart_patterns import find_by_network
from triptych.inference.pattern_predictor import open_patterns
from triptych.inference.pattern_reader import AbstractPatternReader
from triptych.market.charts import Chart, draw_chart
from triptych.market.charts import Config as ChartConfig

SEED = 20_000
"""Of charts that no network was trained on: trainings use other seeds. SEED + 1 are walks, SEED + 2 those by which the
rules' least score is chosen."""
HIT = 0.5
LENGTH, CHARTS = 160, 600
"""Candles of a chart, and charts."""
WALKS, WALK = 20, 1000
THRESHOLDS = (0.5, 0.7)
SCORES = (0.3, 0.4, 0.5, 0.6, 0.7)
Detector = Callable[[NDArray[np.float64]], Sequence[Detection]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A detection on a chart: its score, whether it hit, and if it was the first to, candles after the last point."""

    pattern: str
    score: float
    hit: bool
    delay: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """All detections of a detector, those on random walks by their scores, and what was planted."""

    events: tuple[Event, ...]
    planted: tuple[str, ...]
    on_walks: tuple[float, ...]

    def at(self, least: float) -> Found:
        """Without those of a lower score."""
        return replace(
            self,
            events=tuple(one for one in self.events if one.score >= least),
            on_walks=tuple(score for score in self.on_walks if score >= least),
        )

    def of(self, pattern: str) -> Found:
        """Those of one pattern."""
        return replace(
            self,
            events=tuple(one for one in self.events if one.pattern == pattern),
            planted=tuple(one for one in self.planted if one == pattern),
        )


def events_on(detect: Detector, chart: Chart) -> list[Event]:
    """Hold a detector against what is planted in a chart.

    A detection is a hit when pattern and box agree with it (IoU of at least .5 in time and price). A planted pattern is
    hit once; further hits on it are neither hits nor alarms. Everything else is an alarm, also on near misses and in
    the candles around a pattern.
    """
    true, events = chart.planted, []
    done = False
    for one in detect(chart.values):
        hit = bool(true and one.pattern == true.pattern and box_overlap(one, true) >= HIT)
        if hit and done:
            continue
        done = done or hit
        delay = one.known_at - true.end if hit and true else None
        events.append(Event(pattern=one.pattern, score=one.score, hit=hit, delay=delay))
    return events


def look(detect: Detector, charts: Sequence[Chart], walks: Sequence[NDArray[np.float64]]) -> Found:
    """Everything that a detector says of charts and walks."""
    return Found(
        events=tuple(event for chart in charts for event in events_on(detect, chart)),
        planted=tuple(chart.planted.pattern for chart in charts if chart.planted),
        on_walks=tuple(one.score for walk in walks for one in detect(walk)),
    )


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Interval of a share, 95 %: Wilson 1927."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def random_walks(count: int, length: int, seed: int = SEED + 1) -> list[NDArray[np.float64]]:
    """Charts without anything in them, each of one volatility."""
    config = ChartConfig(share_planted=0.0, share_broken=0.0, trend=0.0, length=length)
    return [draw_chart(config, seed, number).values for number in range(count)]


def share(name: str, hits: int, count: int) -> Row:
    """A share with its interval in its name."""
    low, high = wilson(hits, count)
    return Row(name=f"{name} ({low:.2f} to {high:.2f}; {hits} of {count})", ours=hits / max(count, 1), unit="share")


def rows_of(name: str, found: Found, candles: int, *, by_pattern: bool) -> list[Row]:
    """Rows of one detector; `candles` of random walk."""
    hits = sum(one.hit for one in found.events)
    delays = [one.delay for one in found.events if one.delay is not None]
    late = [delay for delay in delays if delay >= 0]
    rows = [
        share(f"{name}: precision", hits, len(found.events)),
        share(f"{name}: recall", hits, len(found.planted)),
        Row(
            name=f"{name}: median delay of hits after the last point",
            ours=float(np.median(late or [0])),
            unit="candles",
        ),
        share(f"{name}: hits before the last point", len(delays) - len(late), len(delays)),
        Row(name=f"{name}: false alarms on random walk", ours=1000.0 * len(found.on_walks) / candles, unit="in 1,000"),
    ]
    for pattern in PATTERNS if by_pattern else ():
        mine = found.of(pattern)
        hits = sum(one.hit for one in mine.events)
        rows.append(share(f"{name}, {pattern}: precision", hits, len(mine.events)))
        rows.append(share(f"{name}, {pattern}: recall", hits, len(mine.planted)))
    return rows


def rows(quick: bool) -> list[Row]:
    """The table."""
    count, walks = (100, 4) if quick else (CHARTS, WALKS)
    charts = [draw_chart(ChartConfig(length=LENGTH), SEED, number) for number in range(count)]
    judged = random_walks(walks, WALK)
    candles = walks * WALK
    rules = look(find_chart_patterns, charts, judged)
    table = rows_of("rules", rules, candles, by_pattern=not quick)
    for least in SCORES:
        better = rules.at(least)
        hits = sum(one.hit for one in better.events)
        table.append(share(f"rules, score of at least {least:g}: precision", hits, len(better.events)))
        table.append(share(f"rules, score of at least {least:g}: recall", hits, len(better.planted)))
    if quick and "TRIPTYCH_CHART_NETWORK" not in os.environ:
        return table
    network = trained()
    tuning = [one.score for walk in random_walks(walks, WALK, SEED + 2) for one in find_chart_patterns(walk)]
    for threshold in THRESHOLDS:
        found = look(partial(find_by_network, network, config=DetectionConfig(threshold=threshold)), charts, judged)
        name = f"network, threshold {threshold:g}"
        table += rows_of(name, found, candles, by_pattern=not quick and threshold == THRESHOLDS[0])
        kept = min(len(found.on_walks), len(tuning))
        least = sorted(tuning, reverse=True)[kept - 1] if kept else 1.0
        table += rows_of(f"rules, score of at least {least:.2f}", rules.at(least), candles, by_pattern=False)
    return table


def trained() -> AbstractPatternReader:
    """The network of the folder named, or one trained here."""
    folder = os.environ.get("TRIPTYCH_CHART_NETWORK")
    if folder:
        return open_patterns(Path(folder))
    with tempfile.TemporaryDirectory() as made:
        return train_chart_patterns(ChartPatternRecipe(), Path(made) / "network")


if __name__ == "__main__":
    main(rows, __doc__.splitlines()[0])
