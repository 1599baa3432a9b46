"""Alarms of market switches at equal false alarms: filtered hidden Markov model and siamese network against CUSUM."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks._likeness import LENGTH, change
from benchmarks._table import Row, alternate, main
from triptych.inference.switches import cusum_alarms, distance_alarms, switch_alarms
from triptych.models.hidden_markov import Config, GaussianHmm

SEEDS = (11, 12, 13)
STAY = 0.995
"""Probability that a regime of the made market stays for another candle: it lasts 200 on average."""
WITHIN = 60
"""An alarm so many candles after a switch answers it; every other alarm is a false one."""
FALSE_PER_1000 = (0.5, 1.0, 2.0)
CUSUMS = ((50, 0.5), (50, 0.25), (30, 0.5), (30, 0.25), (20, 0.25), (20, 0.1))
"""Memory and drift of CUSUM that are tried on the tuning market."""
Alarms = Callable[[float], NDArray[np.int64]]


def made_market(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns of three regimes (calm, falling, wild) in standard deviations, and where they switch."""
    rng = np.random.default_rng(seed)
    state = np.zeros(n, dtype=np.int64)
    for t in range(1, n):
        stays = rng.uniform() < STAY
        state[t] = state[t - 1] if stays else (state[t - 1] + rng.integers(1, 3)) % 3
    shocks = rng.standard_t(5, n) / np.sqrt(5.0 / 3.0)
    returns = np.array([0.05, -0.15, 0.0])[state] + np.array([0.7, 1.2, 2.2])[state] * shocks
    return returns, np.flatnonzero(np.diff(state)) + 1


def judged(alarms: NDArray[np.int64], switches: NDArray[np.int64], n: int) -> tuple[float, float, float]:
    """Share of the switches answered, median delay in candles, and false alarms in 1,000 candles."""
    delays = []
    answered: set[int] = set()
    for number, switch in enumerate(switches):
        until = min(switch + WITHIN, switches[number + 1] if number + 1 < len(switches) else n)
        inside = alarms[(alarms >= switch) & (alarms < until)]
        if inside.size:
            delays.append(int(inside[0] - switch))
            answered.update(inside.tolist())
    false = 1000.0 * (len(alarms) - len(answered)) / n
    return len(delays) / max(len(switches), 1), float(np.median(delays or [WITHIN])), false


def at_false_alarms(
    alarms: Alarms, thresholds: NDArray[np.float64], switches: NDArray[np.int64], n: int, wanted: float
) -> float:
    """Of the thresholds with no more false alarms than wanted the one that answers most; else that with the fewest."""
    found = [(judged(alarms(threshold), switches, n), float(threshold)) for threshold in thresholds]
    within = [(answered, -delay, threshold) for (answered, delay, false), threshold in found if false <= wanted]
    return max(within)[2] if within else min((one[0][2], one[1]) for one in found)[1]


def measured(seed: int, n: int, steps: int) -> dict[tuple[str, float], tuple[float, float, float]]:
    """By detector and false alarms asked for: share answered, median delay, false alarms in 1,000 candles.

    The models learn on one made market, thresholds are set on a second one, and figures are read off a third.
    """
    (train, _), (tuning, at_tuning), (test, at_test) = (made_market(n, 1000 * seed + i) for i in range(3))
    model = GaussianHmm.fit(observed(train), Config(states=3))
    apart = change(train, [tuning, test], seed)
    sure = np.concatenate((np.linspace(0.5, 0.99, steps), 1.0 - np.geomspace(1e-2, 1e-6, steps)))
    far = np.quantile(apart[0][np.isfinite(apart[0])], 1.0 - np.geomspace(0.2, 1e-4, 2 * steps))
    detectors: dict[str, tuple[list[Alarms], NDArray[np.float64]]] = {
        "filter": ([partial(switch_alarms, model.filter(observed(one))) for one in (tuning, test)], sure),
        "siamese": ([partial(distance_alarms, one, apart=LENGTH) for one in apart], far),
    }  # fmt: skip
    heights = np.geomspace(3.0, 60.0, 2 * steps)
    found = {
        ("CUSUM", wanted): cusum(scores(tuning, train), scores(test, train), heights, at_tuning, at_test, n, wanted)
        for wanted in FALSE_PER_1000
    }
    for name, ((on_tuning, on_test), thresholds) in detectors.items():
        for wanted in FALSE_PER_1000:
            threshold = at_false_alarms(on_tuning, thresholds, at_tuning, n, wanted)
            found[name, wanted] = judged(on_test(threshold), at_test, n)
    return found


def cusum(
    tuning: NDArray[np.float64],
    test: NDArray[np.float64],
    heights: NDArray[np.float64],
    at_tuning: NDArray[np.int64],
    at_test: NDArray[np.int64],
    n: int,
    wanted: float,
) -> tuple[float, float, float]:
    """CUSUM with the memory, the drift and the threshold that answer most on the tuning market."""
    best: tuple[float, float, float, int, float] | None = None
    for memory, drift in CUSUMS:
        alarms = partial(cusum_alarms, tuning, memory=memory, drift=drift)
        height = at_false_alarms(alarms, heights, at_tuning, n, wanted)
        answered, delay, false = judged(alarms(height), at_tuning, n)
        one = (answered if false <= wanted else -1.0, -delay, height, memory, drift)
        best = one if best is None else max(best, one)
    assert best is not None
    _, _, height, memory, drift = best
    return judged(cusum_alarms(test, height, memory=memory, drift=drift), at_test, n)


def rows(quick: bool) -> list[Row]:
    """The table: means over the seeds."""
    seeds, n, steps = (SEEDS[:1], 6_000, 15) if quick else (SEEDS, 20_000, 30)
    parts = [measured(seed, n, steps) for seed in seeds]
    table = []
    for wanted in FALSE_PER_1000:
        for name in ("filter", "siamese"):
            ours, peer = (np.mean([part[which, wanted] for part in parts], axis=0) for which in (name, "CUSUM"))
            for what, unit, position in (
                ("switches answered", "share", 0),
                ("median delay", "candles", 1),
                ("false alarms on the test market", "in 1,000 candles", 2),
            ):
                table.append(
                    Row(
                        name=f"{name}, {wanted:g} false alarms in 1,000 asked for: {what}", ours=float(ours[position]),
                        peer=float(peer[position]), peer_name="CUSUM", unit=unit, lower_is_better=position > 0,
                    )
                )  # fmt: skip
    x, _ = made_market(n, SEEDS[0])
    model = GaussianHmm.fit(observed(x[:3000]), Config(states=3))
    (seconds,) = alternate(lambda: model.filter(observed(x)), repeats=3)
    table.append(Row(name="filter, a candle", ours=1e6 * seconds / n, unit="µs", lower_is_better=True))
    return table


def observed(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the Markov model sees of returns: logarithms of their sizes, shape (n, 1)."""
    return np.log(np.abs(x) + 0.1)[:, None]


def scores(x: NDArray[np.float64], train: NDArray[np.float64]) -> NDArray[np.float64]:
    """What CUSUM sees of returns: the same, in standard deviations of the training market, shape (n,)."""
    usual = observed(train)
    scored: NDArray[np.float64] = ((observed(x) - usual.mean()) / usual.std())[:, 0]
    return scored


if __name__ == "__main__":
    main(rows, __doc__.splitlines()[0])
