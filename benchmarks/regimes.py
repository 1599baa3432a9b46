"""Alarms of market switches at equal false alarms: all that `triptych regimes alarms` knows, on two made markets.

Equal twice: as asked for on a tuning market, which comes out otherwise on the test market, and as realised there.

One is made as a hidden Markov model supposes; the other is not: its levels of volatility are any numbers, its regimes
last by another law than a chain's, volatility clusters inside them, and a third of the switches change the drift alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks._alarm_curves import Curve, Swept, best_of, draw, pooled
from benchmarks._likeness import LENGTH, change
from benchmarks._switching import MADE, Market, candles_of
from benchmarks._table import Row, alternate, main
from triptych.bootstrap.alarm_thresholds import CALM, FALSE_ALARMS, set_threshold, threshold_for
from triptych.bootstrap.alarm_watchers import HEIGHTS, MEMORY, SURE, FilterWatcher, SwitchWatcher, cusum_watcher
from triptych.bootstrap.regime_alarms import in_nothing_to_find
from triptych.inference.regime_teller import RegimeTeller
from triptych.inference.regimes import WARM_UP, RegimeFilter
from triptych.inference.switches import distance_alarms

SEEDS = (11, 12, 13)
CANDLES = 12_000
WITHIN = 60
"""An alarm so many candles after a switch answers it; every other alarm is a false one."""
FALSE_PER_1000 = (0.5, 1.0, 2.0)
CUSUMS = ((50, 0.5), (50, 0.25), (30, 0.5), (30, 0.25), (20, 0.25), (20, 0.1))
"""Memory and drift of CUSUM that are tried on the tuning market; the first is what `regimes alarms` takes."""
CUSUM: Final = "CUSUM"
Alarms = Callable[[float], NDArray[np.int64]]
Judged = tuple[float, float, float]
"""Share of the switches answered, median delay in candles, false alarms in 1,000 candles."""


@dataclass(frozen=True, kw_only=True)
class Detector:
    """One way to raise alarms, on a market to set its threshold by and on one to be judged on."""

    tuning: Alarms
    test: Alarms
    thresholds: NDArray[np.float64]


def judged(alarms: NDArray[np.int64], market: Market) -> Judged:
    """How well alarms answer the switches of a market; what comes before any method knows enough is left out."""
    n, switches = len(market.returns), market.switches[market.switches > WARM_UP + MEMORY]
    alarms = alarms[alarms > WARM_UP + MEMORY]
    delays = []
    answered: set[int] = set()
    for number, switch in enumerate(switches):
        until = min(switch + WITHIN, switches[number + 1] if number + 1 < len(switches) else n)
        inside = alarms[(alarms >= switch) & (alarms < until)]
        if inside.size:
            delays.append(int(inside[0] - switch))
            answered.update(inside.tolist())
    false = 1000.0 * (len(alarms) - len(answered)) / (n - WARM_UP - MEMORY)
    return len(delays) / max(len(switches), 1), float(np.median(delays or [WITHIN])), false


def swept(alarms: Alarms, thresholds: NDArray[np.float64], market: Market) -> list[Judged]:
    """How well each threshold does on a market."""
    return [judged(alarms(threshold), market) for threshold in thresholds.tolist()]


def at_false_alarms(
    thresholds: NDArray[np.float64], found: Sequence[Judged], wanted: float
) -> tuple[float, tuple[float, float]]:
    """The threshold that answers most with no more false alarms than wanted, and how much; else the quietest."""
    pairs = list(zip(found, thresholds.tolist(), strict=True))
    within = [((answered, -delay), threshold) for (answered, delay, false), threshold in pairs if false <= wanted]
    if within:
        most, threshold = max(within)
        return threshold, most
    return min((result[2], threshold) for result, threshold in pairs)[1], (-1.0, 0.0)


def detectors_of(train: Market, tuning: Market, test: Market, seed: int, steps: int) -> dict[str, list[Detector]]:
    """All methods, learnt on the first market; several of one name are tried on the tuning market."""
    learnt = candles_of(train)
    both = candles_of(tuning), candles_of(test)

    def by(watcher: SwitchWatcher | FilterWatcher, thresholds: NDArray[np.float64]) -> Detector:
        on_tuning, on_test = (watcher.read(one, 0).raised for one in both)
        return Detector(tuning=on_tuning, test=on_test, thresholds=thresholds)

    beside = FilterWatcher(teller=RegimeTeller(filter=RegimeFilter.fit([learnt]), memory=MEMORY))
    model = set_threshold([learnt], MEMORY, FALSE_ALARMS, seed)
    apart = change(train.returns, [tuning.returns, test.returns], seed)
    far = np.quantile(apart[0][np.isfinite(apart[0])], 1.0 - np.geomspace(0.2, 1e-4, 2 * steps))
    likeness = [partial(distance_alarms, one, apart=LENGTH) for one in apart]
    heights = np.geomspace(3.0, 300.0, 3 * steps)  # at the last ones it is silent, as the others are at theirs
    cusums = [cusum_watcher(learnt, None, memory=memory, drift=drift) for memory, drift in CUSUMS]
    return {
        "switches": [by(SwitchWatcher(model=model, memory=MEMORY, beside=beside), SURE)],
        "filter": [by(beside, SURE)],
        "likeness": [Detector(tuning=likeness[0], test=likeness[1], thresholds=far)],
        CUSUM: [
            Detector(tuning=one.read(both[0], 0).raised, test=one.read(both[1], 0).raised, thresholds=heights)
            for one in cusums
        ],
    }


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One seed of a made market.

    Attributes:
        asked: by method and false alarms asked for how it did on the test market; for 0: as `regimes alarms` is set.
        tuning, test: by method, of each way of it that is tried, how all its thresholds do on a market.
    """

    asked: Mapping[tuple[str, float], Judged]
    tuning: Mapping[str, list[Swept]]
    test: Mapping[str, list[Swept]]


@cache
def measured(kind: str, seed: int, n: int, steps: int) -> Measured:
    """The models learn on one made market, thresholds are set on a second one, and figures are read off a third."""
    train, tuning, test = (MADE[kind](n, 1000 * seed + i) for i in range(3))
    found: dict[tuple[str, float], Judged] = {}
    sides: tuple[dict[str, list[Swept]], dict[str, list[Swept]]] = {}, {}
    for name, tried in detectors_of(train, tuning, test, seed, steps).items():
        by_tuning, by_test = (
            [swept(getattr(one, side), one.thresholds, market) for one in tried]
            for side, market in (("tuning", tuning), ("test", test))
        )
        for wanted in FALSE_PER_1000:
            chosen = [
                (at_false_alarms(one.thresholds, results, wanted), one)
                for one, results in zip(tried, by_tuning, strict=True)
            ]
            (threshold, _), best = max(chosen, key=lambda pair: pair[0][1])
            found[name, wanted] = judged(best.test(threshold), test)
        for side, results, market in zip(sides, (by_tuning, by_test), (tuning, test), strict=True):
            side[name] = [as_swept(one, market) for one in results]
    return Measured(asked={**found, **as_shipped(train, test, seed)}, tuning=sides[0], test=sides[1])


def as_swept(found: Sequence[Judged], market: Market) -> Swept:
    """What all thresholds do on a market, in columns."""
    share, _, false = np.array(found).T
    return Swept(share=share, false=false, switches=int((market.switches > WARM_UP + MEMORY).sum()))


def curves_of(kind: str, quick: bool) -> dict[str, Curve]:
    """The curve of each method on the test markets of all seeds; of CUSUM the way that answers most on tuning ones."""
    seeds, n, steps = size_of(quick)
    parts = [measured(kind, seed, n, steps) for seed in seeds]
    found = {}
    for name, tried in parts[0].test.items():
        tuning = [pooled([part.tuning[name][way] for part in parts]) for way in range(len(tried))]
        found[name] = pooled([part.test[name][best_of(tuning, FALSE_PER_1000)] for part in parts])
    return found


def size_of(quick: bool) -> tuple[tuple[int, ...], int, int]:
    """Seeds, candles of a market, and thresholds (half of them)."""
    return (SEEDS[:1], 5_000, 15) if quick else (SEEDS, CANDLES, 30)


def as_shipped(train: Market, test: Market, seed: int) -> dict[tuple[str, float], Judged]:
    """Switches and CUSUM with thresholds from the training market in random order, for 1 false alarm in 1,000."""
    learnt, asked = candles_of(train), candles_of(test)
    model = set_threshold([learnt], MEMORY, FALSE_ALARMS, seed)
    watcher = cusum_watcher(learnt, None)
    calm, n_calm = in_nothing_to_find(
        watcher, learnt.between(max(0, len(learnt) - CALM), len(learnt)), FALSE_ALARMS, seed
    )
    height, _ = threshold_for(
        FALSE_ALARMS, lambda height: sum(len(one.raised(height)) for one in calm), HEIGHTS, n_calm
    )
    return {
        ("switches", 0.0): judged(model.alarms(asked, MEMORY), test),
        (CUSUM, 0.0): judged(watcher.read(asked, 0).raised(height), test),
    }


def rows(quick: bool) -> list[Row]:
    """The table: means over the seeds."""
    seeds, n, steps = size_of(quick)
    table = []
    for kind in MADE:
        parts = [measured(kind, seed, n, steps).asked for seed in seeds]
        for name, wanted in parts[0]:
            if name == CUSUM:
                continue
            mean = {which: np.mean([part[which, wanted] for part in parts], axis=0) for which in (name, CUSUM)}
            how = f"{wanted:g} false alarms in 1,000 asked for" if wanted else "threshold by random order, 1 asked for"
            for what, unit, position in (
                ("switches answered", "share", 0),
                ("median delay", "candles", 1),
                ("false alarms on the test market", "in 1,000 candles", 2),
            ):
                table.append(
                    Row(
                        name=f"{kind}, {name}, {how}: {what}", ours=float(mean[name][position]),
                        peer=float(mean[CUSUM][position]), peer_name=CUSUM, unit=unit, lower_is_better=position > 0,
                    )
                )  # fmt: skip
    table += [row for kind in MADE for row in realised_rows(kind, quick)]
    one = candles_of(next(iter(MADE.values()))(n, SEEDS[0]))
    model = set_threshold([one.head(3000)], MEMORY, FALSE_ALARMS, SEEDS[0])
    (seconds,) = alternate(lambda: model.alarms(one, MEMORY), repeats=3)
    table.append(Row(name="switches, a candle", ours=1e6 * seconds / n, unit="µs", lower_is_better=True))
    return table


def realised_rows(kind: str, quick: bool) -> list[Row]:
    """Switches answered at equal realised false alarms, and how sure that share is; all seeds together."""
    curves = curves_of(kind, quick)
    peer = curves[CUSUM]
    table = []
    for name, curve in curves.items():
        for rate in FALSE_PER_1000:
            what = f"{kind}, {name}, {rate:g} false alarms in 1,000 realised ({curve.switches} switches)"
            if name != CUSUM:
                table.append(
                    Row(
                        name=f"{what}: switches answered", ours=curve.at(rate), peer=peer.at(rate), peer_name=CUSUM,
                        unit="share",
                    )
                )  # fmt: skip
            table.append(
                Row(name=f"{what}: standard error", ours=curve.error(rate), unit="share", lower_is_better=True)
            )
    return table


def picture(quick: bool, path: Path) -> None:
    """The curves of both markets, drawn from what the table has measured."""
    draw({kind: curves_of(kind, quick) for kind in MADE}, FALSE_PER_1000, path)


if __name__ == "__main__":
    main(rows, __doc__.splitlines()[0], picture=picture)
