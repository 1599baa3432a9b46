"""The state of a live session as plain values: read from its parts, changing none of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from triptych.domain import AbstractClock, PositionReport, SubmitOrder
from triptych.live.failover import Ladder
from triptych.live.gate import Config as GateConfig
from triptych.live.journal import SwitchSet
from triptych.live.monitoring import Metrics
from triptych.live.trader import Trader


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionView:
    """Looks at one session.

    Attributes:
        name: of the instance.
        venue, timeframe, symbols: what is traded, where, at which closes.
        models: of the ladder, the best first: name and folder of the run.
        trader, ladder, metrics: parts that are looked at.
        reports: the venue's own words about each position, when it was asked last.
        gate: limits of the last gate.
        data_age_s: of an instrument.
        market_clock: of the candles.
        clock: of the journal.
        journal: where it is, for people.
        world: what is at stake: paper, simulated, testnet, demo or real.
    """

    name: str
    venue: str
    timeframe: str
    symbols: Sequence[str]
    models: Sequence[tuple[str, str]]
    trader: Trader
    ladder: Ladder
    metrics: Metrics
    reports: Mapping[str, PositionReport]
    gate: GateConfig
    data_age_s: Callable[[str], float]
    market_clock: AbstractClock
    clock: AbstractClock
    journal: str
    world: str = "paper"

    def state(self, switched: SwitchSet | None) -> dict[str, Any]:
        """Ready for JSON; `switched` is what the journal says of the switch. Money in quote currency, times UTC ms."""
        engine = self.trader.books.engine
        portfolio = engine.portfolio
        reasons = self.trader.reasons()
        return {
            "name": self.name, "venue": self.venue, "world": self.world, "timeframe": self.timeframe,
            "symbols": list(self.symbols),
            "now_ms": self.clock.now_ms(), "market_ms": self.market_clock.now_ms(),
            "last_close_ms": self.trader.books.last_close_ms,
            "ready": not reasons, "reasons": reasons,
            "switch": {
                "state": str(self.trader.switch), "by": switched.by if switched else "",
                "reason": switched.reason if switched else "",
                "closure": None if self.trader.closure is None else self.trader.closure.to_dict(),
            },
            "models": [
                {**standing, "folder": folder}
                for standing, (_, folder) in zip(self.ladder.standings(), self.models, strict=True)
            ],
            "on_duty": self.ladder.on_duty,
            "account": {
                "initial": float(portfolio.initial_capital), "equity": portfolio.equity(),
                "realised": float(portfolio.realised), "unrealised": float(portfolio.unrealised()),
                "fees": float(portfolio.fees), "funding": float(portfolio.funding), "cash": float(portfolio.cash),
            },
            "positions": [self._position(symbol) for symbol in self.symbols],
            "under_way": [_order(order) for order in self.trader.books.under_way],
            "held_back": self.trader.held_back, "held": self._held(),
            "limits": self.gate.model_dump(),
            "journal": {"place": self.journal, "works": self.trader.books.has_journal},
            "metrics": self._metrics(),
        }  # fmt: skip

    def _held(self) -> dict[str, str]:
        """By instrument, why nothing is opened: what the venue does not allow before what a limit has held back."""
        rules = self.trader.rules
        return dict(self.trader.held.reasons) | ({} if rules is None else dict(rules.closing_only))

    def _position(self, symbol: str) -> dict[str, Any]:
        books = self.trader.books
        portfolio = books.engine.portfolio
        held, standing = portfolio.position(symbol), self.trader.standings[symbol]
        stop, target = books.stops.get(symbol, (None, None))
        mark = portfolio.last_mark(symbol)
        report = self.reports.get(symbol)
        return {
            "symbol": symbol, "quantity": str(held.quantity), "entry": float(held.entry_price), "mark": mark,
            "unrealised": float(held.unrealised(Decimal(repr(mark)))) if held.quantity else 0.0,
            "stop": _number(stop), "target": _number(target),
            "settled": standing.is_settled, "reason": standing.reason,
            "data_age_s": _finite(self.data_age_s(symbol)),
            "venue": None if report is None else {
                "quantity": str(report.quantity), "entry": float(report.entry_price),
                "stop": _number(report.stop_loss), "target": _number(report.take_profit),
            },
        }  # fmt: skip

    def _metrics(self) -> list[dict[str, Any]]:
        return [
            {"name": sample.name, "labels": dict(sample.labels), "value": _finite(sample.value)}
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]


def _order(order: SubmitOrder) -> dict[str, Any]:
    return {
        "id": order.order_id, "symbol": order.symbol, "side": str(order.side), "quantity": str(order.quantity),
        "type": str(order.type), "reduce_only": order.reduce_only, "time_ms": order.time_ms,
    }  # fmt: skip


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _finite(value: float) -> float | None:
    """JSON knows neither infinity nor NaN."""
    return value if math.isfinite(value) else None
