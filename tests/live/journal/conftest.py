from decimal import Decimal

import pytest

from triptych.domain import OrderDenied, Prediction, Side, SubmitOrder
from triptych.domain.clock import ManualClock
from triptych.domain.position import Position
from triptych.live.journal import Journal, StepRecorded
from triptych.trading.desk import DeskState
from triptych.trading.engine import Decision, EngineState
from triptych.trading.portfolio import PortfolioState
from triptych.trading.risk import RiskState


@pytest.fixture
def clock():
    return ManualClock(1_700_000_000_000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal" / "live.db"


@pytest.fixture
def journal(path, clock):
    journal = Journal.open(path, "house", owner="one", clock=clock)
    journal.lease.acquire()
    yield journal
    journal.close()


def order(order_id="a", **changes):
    """A buy order with every field filled."""
    fields = {
        "order_id": order_id, "symbol": "BTCUSDT", "side": Side.BUY, "quantity": Decimal("0.10"),
        "time_ms": 1_700_000_000_000, "limit_price": Decimal("30000.50"), "stop_loss": Decimal("29000"),
        "reason": "the network is 0.7 sure",
    }  # fmt: skip
    return SubmitOrder(**(fields | changes))


def step(close_ms=1_700_000_000_000, commands=()):
    """A decision with everything an engine remembers."""
    prediction = Prediction(
        symbol="BTCUSDT", time_ms=close_ms, probability_sell=float("nan"), probability_hold=0.1, probability_buy=0.7
    )
    portfolio = PortfolioState(
        initial_capital=Decimal(10_000), cash=Decimal("9999.10"), realised=Decimal("-0.1"), fees=Decimal("0.8"),
        funding=Decimal(0), spread_slippage=Decimal("1E-8"), turnover=Decimal("3000"),
        positions=(Position(symbol="BTCUSDT", quantity=Decimal("-0.1"), entry_price=Decimal("30000")),),
        marks=(("BTCUSDT", 30_000.1),), fill_ids=("f1",),
    )  # fmt: skip
    risk = RiskState(
        day=19_000, day_start_equity=10_000.0, last_equity=9_999.0, peak_equity=10_001.0, day_halted=False,
        drawdown_halt_ms=None, order_times_ms=(1, 2),
    )  # fmt: skip
    desk = DeskState(symbol="BTCUSDT", target=0.5, barred=-1, orders=((order("under-way"), Decimal("0.05")),))
    return StepRecorded(
        close_ms=close_ms,
        decisions=(Decision("BTCUSDT", close_ms, prediction, 0.5, 0.25, "long"),),
        denials=(OrderDenied(order_id="d", symbol="BTCUSDT", time_ms=close_ms, reason="too large"),),
        commands=tuple(commands),
        state=EngineState(portfolio=portfolio, risk=risk, desks=(desk,)),
        stops={"BTCUSDT": (Decimal("29000.5"), None)},
    )
