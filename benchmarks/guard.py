"""What the guard costs in quiet markets and saves in planted crashes: the same strategy with and without it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks._table import Row, main
from triptych.backtest import run_backtest
from triptych.bootstrap import create_detector
from triptych.domain import CandleSeries
from triptych.features.channels import market_channels
from triptych.inference.anomaly.market_watch import MarketWatch
from triptych.inference.base import AbstractPredictor
from triptych.inference.watch import RecordedWatch
from triptych.market.synthetic import Config as SyntheticConfig
from triptych.market.synthetic import synthesise
from triptych.market.synthetic.anomalies import Config as AnomalyConfig
from triptych.market.synthetic.anomalies import plant_anomalies
from triptych.strategies import Config as StrategyConfig
from triptych.strategies import ThresholdStrategy
from triptych.trading import sizing
from triptych.trading.guard import Config

SEEDS = (11, 12, 13)
"""Markets on which nothing was ever chosen."""
FALSE_ALARMS = 0.005
POLICIES = ("reduce", "block", "flatten")
SCOPES: tuple[Literal["market", "instrument"], ...] = ("market", "instrument")
NONE = "none"


def name_of(policy: str, scope: str) -> str:
    """What a guard is called in tables."""
    return policy if scope == "market" else f"{policy} by instrument"


VARIANTS = (NONE, *(name_of(policy, scope) for scope in SCOPES for policy in POLICIES))


class Trend(AbstractPredictor):
    """Buys what has risen over a day, sells what has fallen."""

    length, name = 97, "trend"

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        """See the interface."""
        returns = np.diff(np.log(windows[:, :, 3]), axis=1)
        strength = returns.sum(axis=1) / (returns.std(axis=1) * np.sqrt(returns.shape[1]) + 1e-12)
        lean = 0.35 * np.tanh(strength)
        return np.stack([0.4 - lean, np.full_like(lean, 0.2), 0.4 + lean], axis=1).astype(np.float32)


def figures(
    series: tuple[CandleSeries, ...], first: int, guard: Config | None = None, watch: RecordedWatch | None = None
) -> tuple[float, float, int]:
    """Total return and deepest fall in percent, and closes acted on, of the candles from `first` on, costs included."""
    result = run_backtest(
        series, Trend(), strategy=ThresholdStrategy(StrategyConfig(enter=0.5, exit=0.35)),
        sizing=sizing.Config(capital_fraction=1.0), start_ms=int(series[0].close_time_ms[first]),
        guard=guard, watch=watch,
    )  # fmt: skip
    equity = result.equity["equity"].to_numpy()
    depth = float((1.0 - equity / np.maximum.accumulate(equity)).max())
    acted = result.guard.filter(pl.col("action") != "release").select("time").n_unique()
    return 100 * (float(equity[-1]) / result.initial_capital - 1), 100 * depth, acted


def on_one_market(seed: int, *, quick: bool = False) -> dict[tuple[str, str], tuple[float, float, int]]:
    """`figures` by market (quiet, planted) and guard: fitted on the first half, traded on the second."""
    market = synthesise(SyntheticConfig(seed=seed, n_candles=8_000 if quick else 20_000))
    planted = plant_anomalies(market, AnomalyConfig(seed=seed, each=2 if quick else 6))
    made = market_channels([one.head(planted.first) for one in market.series])
    detector = create_detector("catch", training={"num_threads": 1, "epochs": 1 if quick else 6})
    detector.fit(pl.DataFrame(made.values, schema=list(made.columns)))
    found = {}
    for market_name, series in (("quiet", market.series), ("planted", planted.series)):
        found[market_name, NONE] = figures(series, planted.first)
        for scope in SCOPES:
            watch = MarketWatch(detector, false_alarms=FALSE_ALARMS, scope=scope)
            record = watch.record(series, [one.symbol for one in series])
            for policy in POLICIES:
                guard = Config(policy=policy, scope=scope, calm=8)
                found[market_name, name_of(policy, scope)] = figures(series, planted.first, guard, record)
    return found


def rows(quick: bool) -> list[Row]:
    """One market a seed, its second half traded as it is and with planted anomalies."""
    found: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    for seed in SEEDS[:1] if quick else SEEDS:
        for key, made in on_one_market(seed, quick=quick).items():
            found.setdefault(key, []).append(made)
    table = []
    for (name, policy), values in found.items():
        mean = np.mean(np.array(values, dtype=float), axis=0)
        if policy == NONE:
            base = mean
            continue
        for i, (what, unit) in enumerate((("return", "%"), ("deepest fall", "%"))):
            table.append(
                Row(
                    name=f"{name}: {what}, {policy}", ours=float(mean[i]), peer=float(base[i]), peer_name="no guard",
                    unit=unit, lower_is_better=i == 1,
                )
            )  # fmt: skip
        table.append(Row(name=f"{name}: times the guard acted, {policy}", ours=float(mean[2]), unit="closes"))
    return table


if __name__ == "__main__":
    main(rows, __doc__ or "")
