"""Chart patterns on real candles: detections in 1,000 candles by rules and network, beside the same candles shuffled.

Nobody knows what is planted in a real chart, so nothing here is right or wrong. What can be counted: how often a
detector speaks, how often it does where there is nothing to find (the same candles in random order), and how many of
the network's detections a rule reports too. The ten patterns of Lo, Mamaysky and Wang stand beside, as they define
them, and how often their kernel's bandwidth is below one candle. Files of candles are named in TRIPTYCH_CANDLES, parted
by colons; without them the embedded market. The network is that of the folder named in TRIPTYCH_CHART_NETWORK; rules
alone without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks._table import Row, main
from triptych.bootstrap.chart_patterns import read_one
from triptych.domain import CandleSeries
from triptych.features.chart_patterns import (
    Detection,
    PaperConfig,
    box_overlap,
    find_chart_patterns,
    find_paper_patterns,
)
from triptych.features.chart_patterns.kernel import KernelExtrema
from triptych.inference.chart_patterns import Config as DetectionConfig
from triptych.inference.chart_patterns import find_by_network
from triptych.inference.pattern_predictor import open_patterns
from triptych.market.shuffling import shuffled
from triptych.market.synthetic import Config as MarketConfig
from triptych.market.synthetic import synthesise

SEED = 51
MOST = 10_000
"""Candles of a history, its last ones."""
THRESHOLDS = (0.5, 0.7)
SCORE = 0.39
"""The rules' least score at which they raise as many false alarms on random walks as the network at .5."""
HIT = 0.5
"""Overlap of two boxes, in time and price, from which on they are of one pattern."""
Detector = Callable[[CandleSeries], Sequence[Detection]]


def by_rules(series: CandleSeries, least: float = 0.0) -> Sequence[Detection]:
    """What the rules report with a score of at least `least`."""
    return [one for one in find_chart_patterns(series.values) if one.score >= least]


def detectors() -> dict[str, Detector]:
    """Rules, and the network at its thresholds where there is one."""
    found: dict[str, Detector] = {
        "rules": by_rules,
        f"rules, score of at least {SCORE}": partial(by_rules, least=SCORE),
        "Lo, Mamaysky and Wang": lambda series: find_paper_patterns(series.values),
    }
    folder = os.environ.get("TRIPTYCH_CHART_NETWORK")
    if folder:
        network = open_patterns(Path(folder))
        for threshold in THRESHOLDS:
            config = DetectionConfig(threshold=threshold)
            found[f"network, threshold {threshold:g}"] = lambda s, c=config: find_by_network(network, s.values, c)  # type: ignore[misc]
    return found


def histories(quick: bool) -> list[tuple[str, CandleSeries]]:
    """The files named, else the embedded market."""
    files = [Path(name) for name in os.environ.get("TRIPTYCH_CANDLES", "").split(":") if name]
    made = synthesise(MarketConfig(seed=SEED, n_candles=MOST, instruments=2)).series if not files else ()
    found = [(file.stem, read_one(file)) for file in files] or [(one.symbol, one) for one in made]
    most = 1_500 if quick else MOST
    return [(name, one.between(max(0, len(one) - most), len(one))) for name, one in found[: 1 if quick else None]]


def agreeing(ours: Sequence[Detection], others: Sequence[Detection]) -> float:
    """Share of detections of which others report the same pattern in a box that overlaps by half."""
    hits = [any(a.pattern == b.pattern and box_overlap(a, b) >= HIT for b in others) for a in ours]
    return float(np.mean(hits)) if hits else 0.0


def unsmoothed(series: CandleSeries) -> float:
    """Share of windows in which the bandwidth of Lo, Mamaysky and Wang is below one candle: nothing is smoothed."""
    paper = PaperConfig()
    kernel = KernelExtrema(paper.length + paper.delay, paper.bandwidth_share)
    ends = range(kernel.length, len(series) + 1)
    return float(np.mean([kernel.bandwidth(series.close[end - kernel.length : end]) < 1.0 for end in ends]))


def rows(quick: bool) -> list[Row]:
    """The table."""
    table = []
    for name, series in histories(quick):
        nothing = shuffled(series, SEED)
        table.append(Row(name=f"{name}, windows with a bandwidth below 1", ours=unsmoothed(series), unit="share"))
        found = {which: detect(series) for which, detect in detectors().items()}
        for which, detect in detectors().items():
            here, there = (1000.0 * len(some) / len(series) for some in (found[which], detect(nothing)))
            table.append(
                Row(
                    name=f"{name}, {which} ({len(series):,} candles)", ours=here, floor=there,
                    unit="in 1,000, floor: shuffled",
                )
            )  # fmt: skip
            if which.startswith("network"):
                share = agreeing(found[which], found["rules"])
                table.append(Row(name=f"{name}, {which}: reported by rules too", ours=share, unit="share"))
    return table


if __name__ == "__main__":
    main(rows, __doc__.splitlines()[0])
