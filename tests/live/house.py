"""A trader on paper, put together as `triptych live` does it, with a simple model."""

from decimal import Decimal

import numpy as np

from triptych.domain import ManualClock
from triptych.exchanges.simulated.costs import Config as Costs
from triptych.exchanges.simulated.gateway import SimulatedGateway
from triptych.inference.base import AbstractPredictor
from triptych.live.books import Books
from triptych.live.failover import Config as LadderConfig
from triptych.live.failover import Ladder, Level
from triptych.live.gate import Config as GateConfig
from triptych.live.gate import Gate
from triptych.live.journal import Journal
from triptych.live.monitoring import Metrics
from triptych.live.observing import Observer
from triptych.live.reconciliation import Config as ReconcileConfig
from triptych.live.reconciliation import Reconciler
from triptych.live.sender import Sender
from triptych.live.trader import Trader
from triptych.strategies import Config as StrategyConfig
from triptych.strategies import create_strategy
from triptych.trading import execution, risk, sizing
from triptych.trading.engine import Engine

CAPITAL = Decimal(10_000)
COSTS = Costs()


class LastMove(AbstractPredictor):
    """Sure of buying after a rise of the last two candles, of selling after a fall."""

    name, length = "last move", 3

    def probabilities(self, windows):
        rise = windows[:, -1, 3] - windows[:, 0, 3]
        buy = np.where(rise > 0, 0.8, 0.1)
        return np.stack([0.9 - buy, np.full(len(buy), 0.1), buy], axis=1).astype(np.float32)


def parts(**changes):
    """Settings of the engine, the same for a backtest and for the house."""
    return {
        "strategy": create_strategy(StrategyConfig()),
        "sizing": sizing.Config(),
        "execution": execution.Config(stop_loss=2.0, protection_unit="percent"),
        "risk": risk.Config(),
    } | changes


class House:
    """One process that trades on paper; `gateway` and `path` outlive it."""

    def __init__(
        self,
        path,
        instruments,
        gateway,
        clock,
        *,
        predictor=None,
        engine=None,
        gate=None,
        policy="freeze",
        name="house",
        market_clock=None,
        started_ms=0,
        levels=None,
        drift=None,
        watcher=None,
    ):
        self.said, self.metrics, self.clock, self.gateway = [], Metrics(), clock, gateway
        self.age_s = 0.0
        self.journal = Journal.open(path, name, owner="test", clock=clock)
        token = self.journal.lease.acquire()
        self.records = []
        self.engine = Engine(
            name="demo", instruments=instruments, predictor=predictor or LastMove(), initial_capital=CAPITAL,
            observer=self.records.append, token=token, **(engine or parts()),
        )  # fmt: skip
        books = Books(self.engine, self.journal, note=lambda text: self.note("critical", "journal", text, ""))
        sender = Sender(gateway=gateway, books=books, clock=clock, metrics=self.metrics, note=self.note)
        reconciler = Reconciler(
            config=ReconcileConfig(foreign=policy), strategy="demo", gateway=gateway, books=books, sender=sender,
            clock=clock, metrics=self.metrics, started_ms=started_ms, note=self.note,
        )  # fmt: skip
        levels = levels or [Level("model", predictor or LastMove(), deadline_s=5)]
        self.ladder = Ladder(levels, LadderConfig(), self.said.append)
        self.observer = None if drift is None else Observer(self.metrics, drift, self.note)
        self.trader = Trader(
            symbols=[one.symbol for one in instruments], books=books, records=self.records, ladder=self.ladder,
            gate=Gate(gate or GateConfig(max_order_quote=1e9, max_position_quote=1e9, max_orders_per_minute=10_000)),
            sender=sender, reconciler=reconciler, clock=clock, metrics=self.metrics,
            data_age_s=lambda _: self.age_s, note=self.note, market_clock=market_clock,
            observer=self.observer, watcher=None if watcher is None else watcher(self.note),
        )  # fmt: skip

    def note(self, severity, topic, text, symbol):
        self.said.append((severity, topic, text, symbol))

    def topics(self):
        return [one[1] for one in self.said if isinstance(one, tuple)]

    def close(self):
        self.ladder.close()
        self.journal.close()


def paper(series, clock=None, costs=COSTS):
    """A clock and the paper gateway for these histories."""
    clock = clock or ManualClock(0)
    return clock, SimulatedGateway([one.instrument for one in series], costs, CAPITAL, clock=clock)


def closes(series):
    """Candles of several histories that close at the same time, in order of time."""
    for row in range(len(series[0])):
        yield [one.candle(row) for one in series]
