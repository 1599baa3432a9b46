"""Candles per second of the event backtest, beside plain loops that follow the same rules.

The rules: thresholds with hysteresis on recorded probabilities, 99 % of the equity long or short, market orders filled
at the next open moved by half spread and slippage, taker fee. The peer is what one writes in an afternoon: pandas
`iterrows`, without orders, margin checks, risk limits or reasons. The floor is the same loop on plain lists of floats.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks._table import Row, alternate, main
from triptych.backtest import run_backtest
from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.exchanges.simulated import Config as Costs
from triptych.inference.base import AbstractPredictor
from triptych.inference.recorded import RecordedPredictor
from triptych.strategies import Config, ThresholdStrategy
from triptych.trading.execution import Config as Execution

CAPITAL = 10_000.0
FRACTION = 0.99
STEP_MS = 900_000


class Momentum(AbstractPredictor):
    """Buys what has risen: cheap, so that the loop is measured and not a network."""

    length, name = 64, "momentum"

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        """See AbstractPredictor."""
        move = np.tanh(20 * np.log(windows[:, -1, 3] / windows[:, 0, 3]))
        return np.stack([0.4 - 0.4 * move, np.full_like(move, 0.2), 0.4 + 0.4 * move], axis=1).astype(np.float32)


def market(n: int, seed: int) -> CandleSeries:
    """A random walk of quarter-hour candles."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.003, n)))
    open_ = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(open_, close) * (1 + np.abs(random.normal(0, 0.001, n)))
    low = np.minimum(open_, close) * (1 - np.abs(random.normal(0, 0.001, n)))
    values = np.column_stack([open_, high, low, close, random.uniform(1, 9, n)])
    times = np.arange(n, dtype=np.int64) * STEP_MS
    return CandleSeries(
        instrument=Instrument(symbol=f"WALK{seed}"), timeframe=Timeframe(STEP_MS), open_time_ms=times, values=values
    )


class Account:
    """The rules in the fewest lines: enter at 0.45 with a lead of 0.05, keep above 0.35, trade at the next open."""

    def __init__(self, costs: Costs) -> None:
        self.move = (costs.half_spread_bp + costs.slippage_bp) / 10_000
        self.fee = costs.taker_fee
        self.cash, self.quantity, self.wanted, self.target = CAPITAL, 0.0, 0.0, 0
        self.equity: list[float] = []

    def on_candle(self, open_: float, close: float, sell: float, buy: float) -> None:
        """Fill at the open, mark at the close, decide."""
        change = self.wanted - self.quantity
        if change:
            price = open_ * (1 + self.move) if change > 0 else open_ * (1 - self.move)
            self.cash -= change * price + abs(change) * price * self.fee
            self.quantity = self.wanted
        equity = self.cash + self.quantity * close
        self.equity.append(equity)
        target = self.target
        if buy >= 0.45 and buy - sell >= 0.05:
            target = 1
        elif sell >= 0.45 and sell - buy >= 0.05:
            target = -1
        elif (target > 0 and buy < 0.35) or (target < 0 and sell < 0.35):
            target = 0
        self.target = target
        exposure = self.quantity * close / equity
        if target == 0:
            self.wanted = 0.0
        elif target * self.quantity <= 0 or abs(target * FRACTION - exposure) >= 0.05:
            self.wanted = target * FRACTION * equity / close


def pandas_loop(frame: pd.DataFrame, costs: Costs) -> float:
    """The peer: row by row with `iterrows`."""
    account = Account(costs)
    for _, row in frame.iterrows():
        account.on_candle(row["open"], row["close"], row["sell"], row["buy"])
    return account.equity[-1]


def float_loop(frame: pd.DataFrame, costs: Costs) -> float:
    """The floor: the same on lists of floats."""
    account = Account(costs)
    for values in zip(*(frame[name].tolist() for name in ("open", "close", "sell", "buy")), strict=True):
        account.on_candle(*values)
    return account.equity[-1]


def rows(quick: bool) -> list[Row]:
    """Measure."""
    n = 20_000 if quick else 100_000
    repeats = 3 if quick else 7
    series = [market(n // 4, seed) for seed in range(4)]
    long = market(n, 9)
    predictor = RecordedPredictor.record(Momentum(), [*series, long], start_ms=0, end_ms=STEP_MS * (n + 1))
    start_ms = STEP_MS * Momentum.length
    strategy, costs, stops = ThresholdStrategy(Config()), Costs(), Execution(stop_loss=2.0, take_profit=4.0)
    windows = long.windows(np.arange(Momentum.length - 1, n), Momentum.length)
    probabilities = Momentum().probabilities(windows)
    traded = long.values[Momentum.length - 1 :]
    frame = pd.DataFrame(
        {"open": traded[:, 0], "close": traded[:, 3], "sell": probabilities[:, 0], "buy": probabilities[:, 2]}
    ).astype(float)

    def ours() -> float:
        return float(
            run_backtest([long], predictor, strategy=strategy, costs=costs, start_ms=start_ms).equity["equity"][-1]
        )

    theirs = float_loop(frame, costs)
    # The venue cuts entries whose open is dearer than the close they were sized at; the plain loop overspends a little.
    if abs(ours() / theirs - 1) > 1e-3:
        raise AssertionError(
            f"The plain loop ends at {theirs:.2f} and the event backtest at {ours():.2f}: not the same rules."
        )
    own, peer, floor = alternate(
        ours, lambda: pandas_loop(frame, costs), lambda: float_loop(frame, costs), repeats=repeats
    )
    with_stops, together = alternate(
        lambda: run_backtest([long], predictor, strategy=strategy, costs=costs, execution=stops),
        lambda: run_backtest(series, predictor, strategy=strategy, costs=costs),
        repeats=repeats,
    )
    unit = "candles/s"
    return [
        Row(
            name="event backtest, one instrument", ours=n / own, peer=n / peer, floor=n / floor,
            peer_name="plain pandas iterrows loop; floor: plain float loop", unit=unit,
        ),
        Row(name="with stop-loss and take-profit", ours=n / with_stops, unit=unit),
        Row(name="four instruments together", ours=n / together, unit=unit),
    ]  # fmt: skip


if __name__ == "__main__":
    main(rows, "Candles per second of the event backtest with recorded predictions, buy-and-hold benchmark included.")
