"""Journal entries for tests of what is told of them: one session in a few lines."""

from decimal import Decimal

from triptych.domain import (
    OrderCancelled,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    Position,
    Prediction,
    Side,
    SubmitOrder,
)
from triptych.domain.order import FillReason
from triptych.domain.signal import Vote
from triptych.live.journal import Entry, NoteWritten, OrderAnswered, StepRecorded, SwitchSet
from triptych.trading.decision import Decision, EngineState
from triptych.trading.portfolio import PortfolioState
from triptych.trading.risk import RiskState

SYMBOL = "BTCUSDT"
MINUTE = 60_000
START = 1_700_006_400_000


class Scribe:
    """Writes entries one after the other; `token` is the process that writes."""

    def __init__(self):
        self.entries, self.token, self.now = [], 1, START

    def write(self, record, *, after_ms=0):
        self.now += after_ms
        entry = Entry(seq=len(self.entries) + 1, time_ms=self.now, token=self.token, record=record)
        self.entries.append(entry)
        return entry

    def tell(self, reader):
        for entry in self.entries:
            reader.take(entry)
        return reader


def order(order_id="o1", *, side=Side.BUY, quantity="2", reduce_only=False, stop="95"):
    return SubmitOrder(
        order_id=order_id, symbol=SYMBOL, side=side, quantity=Decimal(quantity), time_ms=START, reason="long",
        reduce_only=reduce_only, stop_loss=Decimal(stop) if stop else None,
    )  # fmt: skip


def prediction(sell=0.2, hold=0.2, buy=0.6, votes=()):
    return Prediction(
        symbol=SYMBOL, time_ms=START, probability_sell=sell, probability_hold=hold, probability_buy=buy, model="eye",
        votes=votes,
    )  # fmt: skip


def vote(model, sell, hold, buy):
    return Vote(model=model, probability_sell=sell, probability_hold=hold, probability_buy=buy)


def step(
    *commands,
    close_ms=START,
    cash="10000",
    quantity="0",
    mark=100.0,
    said=None,
    reason="long: sure",
    denied="",
    stops=None,
):
    portfolio = PortfolioState(
        initial_capital=Decimal(10_000), cash=Decimal(cash), realised=Decimal(0), fees=Decimal(1), funding=Decimal(0),
        spread_slippage=Decimal(0), turnover=Decimal(0),
        positions=(Position(symbol=SYMBOL, quantity=Decimal(quantity), entry_price=Decimal(100)),),
        marks=((SYMBOL, mark),), fill_ids=(),
    )  # fmt: skip
    risk = RiskState(
        day=-1, day_start_equity=1e4, last_equity=1e4, peak_equity=1e4, day_halted=False, drawdown_halt_ms=None,
        order_times_ms=(),
    )  # fmt: skip
    denials = (OrderDenied(order_id="d1", symbol=SYMBOL, time_ms=close_ms, reason=denied),) if denied else ()
    decision = Decision(SYMBOL, close_ms, prediction() if said is None else said, 1.0, 0.5, reason)
    return StepRecorded(
        close_ms=close_ms, decisions=(decision,), denials=denials, commands=commands,
        state=EngineState(portfolio=portfolio, risk=risk, desks=()),
        stops={SYMBOL: (Decimal("95"), None)} if stops is None else stops,
    )  # fmt: skip


def answered(outcome, order_id="o1", text=""):
    return OrderAnswered(order_id=order_id, symbol=SYMBOL, command="submit", outcome=outcome, text=text)


def filled(quantity="2", order_id="o1", fill_id="f1", *, price="100", side=Side.BUY, reason=FillReason.ORDER):
    return OrderFilled(
        order_id=order_id, fill_id=fill_id, symbol=SYMBOL, side=side, quantity=Decimal(quantity), price=Decimal(price),
        fee=Decimal("0.1"), is_maker=False, time_ms=START, reference_price=Decimal(price), reason=reason,
    )  # fmt: skip


def rejected(order_id="o1", reason="never reached the venue"):
    return OrderRejected(order_id=order_id, symbol=SYMBOL, time_ms=START, reason=reason)


def cancelled(order_id="o1", reason="expired"):
    return OrderCancelled(order_id=order_id, symbol=SYMBOL, time_ms=START, reason=reason)


def note(topic, text):
    return NoteWritten(topic=topic, text=text, symbol=SYMBOL)


def switched(switch, reason="a storm"):
    return SwitchSet(switch=switch, by="anna", reason=reason)
