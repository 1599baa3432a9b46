"""Alarms of market switches at equal false alarms: filtered hidden Markov model against CUSUM on the same measure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks._table import Row, alternate, main
from triptych.inference.switches import cusum_alarms, switch_alarms
from triptych.models.hidden_markov import Config, GaussianHmm

SEED = 7
STAY = 0.995
"""Probability that a regime of the made market stays for another candle: it lasts 200 on average."""
WITHIN = 60
"""An alarm so many candles after a switch answers it; every other alarm is a false one."""
FALSE_PER_1000 = (0.5, 1.0, 2.0)
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
    """The threshold whose false alarms come nearest to what is wanted."""
    apart = [abs(judged(alarms(threshold), switches, n)[2] - wanted) for threshold in thresholds]
    return float(thresholds[int(np.argmin(apart))])


def rows(quick: bool) -> list[Row]:
    """The table: thresholds are set on one made market, and figures are read off another."""
    n = 6_000 if quick else 40_000
    (train, _), (tuning, at_tuning), (test, at_test) = (made_market(n, SEED + i) for i in range(3))
    model = GaussianHmm.fit(observed(train), Config(states=3))
    filtered = [model.filter(observed(x)) for x in (tuning, test)]
    scored = [scores(x, train) for x in (tuning, test)]
    steps = 15 if quick else 30
    sure = np.concatenate((np.linspace(0.5, 0.99, steps), 1.0 - np.geomspace(1e-2, 1e-6, steps)))
    sums = np.geomspace(3.0, 60.0, 2 * steps)
    table = []
    for wanted in FALSE_PER_1000:
        hidden = at_false_alarms(partial(switch_alarms, filtered[0]), sure, at_tuning, n, wanted)
        page = at_false_alarms(partial(cusum_alarms, scored[0]), sums, at_tuning, n, wanted)
        ours = judged(switch_alarms(filtered[1], hidden), at_test, n)
        peer = judged(cusum_alarms(scored[1], page), at_test, n)
        for what, unit, position in (
            ("switches answered", "share", 0),
            ("median delay", "candles", 1),
            ("false alarms on the test market", "in 1,000 candles", 2),
        ):
            table.append(
                Row(
                    name=f"{what}, {wanted:g} false alarms in 1,000 asked for", ours=ours[position],
                    peer=peer[position], peer_name="CUSUM", unit=unit, lower_is_better=position > 0,
                )
            )  # fmt: skip
    (seconds,) = alternate(lambda: model.filter(observed(test)), repeats=3)
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
