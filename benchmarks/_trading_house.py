"""A house that trades by a simple rule on the simulated exchange's server, for benchmarks and for tests of processes.

The parts are those of `triptych live`, joined in the same way; only the model is a rule, so that a process is up soon.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triptych.domain import AbstractClock, Candle, CandleSeries, Instrument, SystemClock, Timeframe
from triptych.exchanges.bybit import hosts as hosts_
from triptych.exchanges.bybit.connection import BybitConnection
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.bybit.limits import Config as LimitConfig
from triptych.exchanges.bybit.rest import Config as RestConfig
from triptych.exchanges.bybit.stream import Config as StreamConfig
from triptych.exchanges.gateway import AbstractCandleSource, AbstractGateway
from triptych.exchanges.simulated import Config as Costs
from triptych.exchanges.simulated.gateway import SimulatedGateway
from triptych.exchanges.simulated.tape import TapeSource
from triptych.inference.base import AbstractPredictor
from triptych.live.books import Books
from triptych.live.dispatch import Records
from triptych.live.failover import Config as LadderConfig
from triptych.live.failover import Ladder, Level
from triptych.live.following import Following
from triptych.live.gate import Config as GateConfig
from triptych.live.gate import Gate
from triptych.live.journal import Journal
from triptych.live.monitoring import Metrics
from triptych.live.reconciliation import Config as ReconciliationConfig
from triptych.live.reconciliation import Reconciler
from triptych.live.rivals import Rivals
from triptych.live.rules import Config as RulesConfig
from triptych.live.rules import Rules
from triptych.live.runner import Config as RunnerConfig
from triptych.live.runner import Runner
from triptych.live.sender import Config as SenderConfig
from triptych.live.sender import Sender
from triptych.live.trader import Trader
from triptych.strategies import Config as StrategyConfig
from triptych.strategies import create_strategy
from triptych.trading import execution, risk, sizing
from triptych.trading.engine import Engine

NAME = "benchmark"
MINUTE = Timeframe.parse("1m")
CAPITAL = Decimal(10_000)


class LastMove(AbstractPredictor):
    """Sure of buying after a rise of the last two candles, of selling after a fall."""

    name, length = "last move", 3

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.floating]:
        rise = windows[:, -1, 3] - windows[:, 0, 3]
        buy = np.where(rise > 0, 0.8, 0.1)
        return np.stack([0.9 - buy, np.full(len(buy), 0.1), buy], axis=1).astype(np.float32)


class Slow(AbstractPredictor):
    """Asks a model, as a house would that trades by it, and then goes by the last move: the model was never trained."""

    name = "slow"

    def __init__(self, folder: Path) -> None:
        from triptych.inference import load_artifact

        self._model, self._rule = load_artifact(folder).predictor(), LastMove()
        self.length = self._model.length

    def probabilities(self, windows: NDArray[np.floating]) -> NDArray[np.floating]:
        self._model.probabilities(windows)
        return self._rule.probabilities(windows[:, -LastMove.length :])


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long things are waited for; short, because the venue is on the same machine.

    With a request valid for 0.7 s and sent within 0.3 s of its decision, an order that was cut off between journal and
    wire is certain after 2 s.
    """

    rest: RestConfig = field(
        default_factory=lambda: RestConfig(
            timeout_s=2, receive_window_ms=700, back_off_s=0.02, longest_back_off_s=0.1, read_attempts=8
        )
    )
    stream: StreamConfig = field(
        default_factory=lambda: StreamConfig(heartbeat_s=2, grace_s=2, back_off_s=0.02, longest_back_off_s=0.2)
    )
    limits: LimitConfig = field(
        default_factory=lambda: LimitConfig(order_rate_per_s=100, read_rate_per_s=100, address_rate_per_s=120)
    )
    runner: RunnerConfig = field(
        default_factory=lambda: RunnerConfig(pulse_seconds=0.1, doubt_seconds=0.1, lease_seconds=3)
    )
    overlap_minutes: float = 0.1
    rival_minutes: float = 0.2
    rules: RulesConfig = field(default_factory=RulesConfig)
    sending: SenderConfig = field(default_factory=lambda: SenderConfig(within_seconds=0.3))


@dataclass(frozen=True, kw_only=True)
class House:
    """A house that is put together and has not started."""

    runner: Runner
    trader: Trader
    engine: Engine
    ladder: Ladder
    journal: Journal
    metrics: Metrics
    said: list[tuple[str, str, str, str]]

    def close(self) -> None:
        """Let go of threads and of the journal; the lease stays."""
        self.ladder.close()
        self.journal.close()


@asynccontextmanager
async def house_on(
    hosts: hosts_.Config,
    symbols: Sequence[str],
    journal: Journal,
    *,
    credentials: Credentials | None = None,
    patience: Patience | None = None,
    predictor: AbstractPredictor | None = None,
    stop_loss_percent: float = 0.3,
    policy: Literal["freeze", "adopt"] = "freeze",
    execution_config: execution.Config | None = None,
    seed: int = 1,
) -> AsyncIterator[House]:
    """A house on a served exchange; the journal's lease must be held. Ends its connections on leaving.

    `execution_config` is taken instead of a stop at `stop_loss_percent`.
    """
    patience, clock = patience or Patience(), SystemClock()
    assert journal.lease is not None
    async with BybitConnection(
        hosts, rest=patience.rest, limits=patience.limits, stream=patience.stream, seed=seed
    ) as connection:
        gateway = connection.gateway(credentials or Credentials(key="key", secret="secret"))
        instruments = [one.instrument for one in (await connection.market.listed(symbols)).values()]
        now = connection.clock.now_ms()
        (newest,) = await connection.market.candles(symbols[0], MINUTE, start_ms=0, end_ms=now, limit=1)
        candles = Following(connection.candles(symbols, MINUTE), newest.close_time_ms)
        house = _joined(
            symbols, instruments, gateway, candles, candles.clock, clock, journal, patience, predictor or LastMove(),
            execution_config or execution.Config(stop_loss=stop_loss_percent, protection_unit="percent"), policy,
        )  # fmt: skip
        try:
            yield house
        finally:
            house.ladder.close()


@contextmanager
def house_on_paper(
    series: Sequence[CandleSeries], start_ms: int, journal: Journal, *, costs: Costs, execution_config: execution.Config
) -> Iterator[House]:
    """A house that trades a tape on the simulated venue, without sockets, as `triptych live --tape` does."""
    source = TapeSource(series, start_ms=start_ms)
    instruments = [one.instrument for one in series]
    gateway = SimulatedGateway(instruments, costs, CAPITAL, clock=source.clock)
    house = _joined(
        [one.symbol for one in instruments], instruments, gateway, source, source.clock, source.clock, journal,
        Patience(), LastMove(), execution_config, "freeze", before=gateway.on_candles,
    )  # fmt: skip
    try:
        yield house
    finally:
        house.ladder.close()


def _joined(
    symbols: Sequence[str],
    instruments: Sequence[Instrument],
    gateway: AbstractGateway,
    candles: AbstractCandleSource,
    market_clock: AbstractClock,
    clock: AbstractClock,
    journal: Journal,
    patience: Patience,
    predictor: AbstractPredictor,
    execution_config: execution.Config,
    policy: Literal["freeze", "adopt"],
    before: Callable[[Sequence[Candle]], None] | None = None,
) -> House:
    """The parts, joined as `triptych live` joins them."""
    assert journal.lease is not None
    metrics, records = Metrics(), Records()
    said: list[tuple[str, str, str, str]] = []

    def note(severity: str, topic: str, text: str, symbol: str) -> None:
        said.append((severity, topic, text, symbol))
        del said[:-1000]

    engine = Engine(
        name=NAME, instruments=instruments, predictor=predictor,
        strategy=create_strategy(StrategyConfig()), initial_capital=CAPITAL, sizing=sizing.Config(),
        execution=execution_config, risk=risk.Config(),
        observer=records.append, token=journal.lease.token,
    )  # fmt: skip
    books = Books(engine, journal, note=lambda text: note("critical", "journal", text, ""))
    sender = Sender(
        gateway=gateway, books=books, clock=clock, metrics=metrics, note=note, config=patience.sending
    )  # fmt: skip
    reconciler = Reconciler(
        config=ReconciliationConfig(foreign=policy, overlap_minutes=patience.overlap_minutes), strategy=NAME,
        gateway=gateway, books=books, sender=sender, clock=clock, metrics=metrics, started_ms=clock.now_ms(),
        note=note,
        rivals=Rivals(
            journal=journal, gateway=gateway, clock=clock, quiet_minutes=patience.rival_minutes, note=note
        ),
    )  # fmt: skip
    level = Level("model", predictor, deadline_s=5)
    ladder = Ladder([level], LadderConfig(), lambda text: note("warning", "fallback", text, ""))
    age = {"of": lambda _symbol: 0.0}
    rules = Rules(
        symbols=symbols,
        gateway=gateway,
        books=books,
        clock=clock,
        metrics=metrics,
        config=patience.rules,
        note=note,
    )
    trader = Trader(
        symbols=list(symbols), books=books, records=records, ladder=ladder,
        gate=Gate(GateConfig(max_orders_per_minute=1_000_000), rules.closing_only), sender=sender,
        reconciler=reconciler, clock=clock, metrics=metrics, data_age_s=lambda symbol: age["of"](symbol), note=note,
        market_clock=market_clock, rules=rules,
    )  # fmt: skip
    runner = Runner(
        trader=trader, candles=candles, gateway=gateway, symbols=symbols, timeframe=MINUTE, clock=market_clock,
        metrics=metrics, config=patience.runner, note=note, before=before,
    )  # fmt: skip
    age["of"] = runner.close_age_s
    return House(
        runner=runner, trader=trader, engine=engine, ladder=ladder, journal=journal, metrics=metrics, said=said
    )


def open_journal(path: Path, *, owner: str = NAME, lease_ms: int = 3_000) -> Journal:
    """The journal of the house; its lease is not acquired."""
    return Journal.open(path, NAME, owner=owner, clock=SystemClock(), lease_ms=lease_ms)
