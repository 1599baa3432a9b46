"""Five instruments in one backtest: limits by instrument and for the portfolio hold whenever an order is sent."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from tests.fakes.market import walk

from triptych.backtest import run_backtest
from triptych.domain import Instrument
from triptych.exchanges.simulated.costs import Config as Costs
from triptych.inference.base import AbstractPredictor
from triptych.strategies import Config as StrategyConfig
from triptych.strategies import ThresholdStrategy
from triptych.trading.execution import Config as Execution
from triptych.trading.kelly import Config as Kelly
from triptych.trading.risk import Config as Risk
from triptych.trading.sizing import Config as Sizing

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
RULES = {"maximum_leverage": Decimal(10), "price_step": Decimal("0.01"), "quantity_step": Decimal("0.001")}
WALKS = [walk(400, seed=number, symbol=symbol, momentum=0.2) for number, symbol in enumerate(SYMBOLS)]
SERIES = [replace(one, instrument=Instrument(symbol=one.symbol, **RULES)) for one in WALKS]

KELLY = Kelly(shrinkage=0.2, horizon=8, cost=0.0, cap=4.0, base_rates=(1 / 3, 1 / 3, 1 / 3))


class Follower(AbstractPredictor):
    """Believes that the last candle goes on, the more the larger it was."""

    length, name = 2, "follower"

    def probabilities(self, windows):
        change = np.clip(20 * np.log(windows[:, 1, 3] / windows[:, 0, 3]), -0.6, 0.6)
        return np.stack([0.3 - change / 2, np.full(len(change), 0.4), 0.3 + change / 2], axis=1).astype(np.float32)


def traded(sizing, risk, **execution):
    return run_backtest(
        SERIES, Follower(), strategy=ThresholdStrategy(StrategyConfig(enter=0.35, exit=0.3, margin=0.05)),
        sizing=sizing, risk=risk, costs=Costs(leverage=5.0, taker_fee=0.0005), execution=Execution(**execution),
    )  # fmt: skip


def exposures_when_orders_were_sent(result):
    """At each close after which something was opened: what, whether something was left too, and every exposure."""
    close = {one.symbol: dict(zip(one.close_time_ms.tolist(), one.close.tolist(), strict=True)) for one in SERIES}
    equity = dict(zip(result.equity["time"].cast(pl.Int64), result.equity["equity"], strict=True))
    held = dict.fromkeys(SYMBOLS, 0.0)
    rows = []
    fills = result.fills.with_columns(time=pl.col("time").cast(pl.Int64))
    for (time_ms,), some in fills.group_by("time", maintain_order=True):
        opened, left = set(), False
        for fill in some.iter_rows(named=True):
            change = fill["quantity"] * (1 if fill["side"] == "buy" else -1)
            held[fill["symbol"]] = round(held[fill["symbol"]] + change, 6)
            if held[fill["symbol"]] * change > 0:
                opened.add(fill["symbol"])
            else:
                left = True
        if opened:
            rows.append((opened, left, {s: held[s] * close[s][time_ms] / equity[time_ms] for s in SYMBOLS}))
    return rows


@pytest.mark.parametrize(
    ("sizing", "risk"),
    [
        (Sizing(capital_fraction=1.5, max_leverage=1.5), {"max_leverage": 1.2}),
        (Sizing(capital_fraction=1.0), {"max_net_exposure": 0.5}),
        (Sizing(capital_fraction=2.0, max_leverage=2.0), {"exposure_limits": {"BBB": 0.0}, "max_leverage": 1.5}),
        (Sizing(method="volatility", volatility_target=1.0, max_leverage=3.0), {"max_leverage": 2.0}),
        (Sizing(method="kelly", kelly=KELLY, max_leverage=3.0),
         {"max_exposure": 0.55, "max_net_exposure": 0.9, "max_leverage": 1.5}),
    ],
)  # fmt: skip
def test_no_order_ever_leads_beyond_a_limit(sizing, risk):
    limits = Risk(**risk)
    rows = exposures_when_orders_were_sent(traded(sizing, limits))
    assert len(rows) > 20
    for opened, left, exposure in rows:
        for symbol in opened:
            limit = limits.exposure_limits.get(symbol, limits.max_exposure)
            assert abs(exposure[symbol]) <= limit + 1e-6
        assert sum(abs(value) for value in exposure.values()) <= limits.max_leverage + 1e-6
        if limits.max_net_exposure is not None and not left:  # leaving a long leaves the account shorter
            net = sum(exposure.values())
            assert abs(net) <= limits.max_net_exposure + 1e-6 or any(exposure[s] * net < 0 for s in opened)
    assert max(sum(abs(value) for value in exposure.values()) for *_, exposure in rows) > 0.3


def test_limits_in_money_hold_in_a_backtest_as_at_the_last_gate():
    limits = {"max_order_quote": 2050, "max_position_quote": 2500, "max_gross_quote": 5000, "max_net_quote": 3000}
    sizing = Sizing(capital_fraction=1.0)
    free, bound = traded(sizing, Risk()), traded(sizing, Risk(**limits))
    assert abs(free.equity["equity"][0] - 10_000) < 100

    beyond = 0
    for result, is_bound in ((free, False), (bound, True)):
        rows = list(exposures_when_orders_were_sent(result))
        assert len(rows) > 20
        for opened, left, exposure in rows:
            money = {symbol: 10_000 * share for symbol, share in exposure.items()}
            gross = sum(map(abs, money.values()))
            if is_bound:  # equity moves by a few percent
                assert gross <= 5000 * 1.1
                assert all(abs(money[symbol]) <= 2500 * 1.1 for symbol in opened)
                net = sum(money.values())
                assert left or abs(net) <= 3000 * 1.1 or any(money[s] * net < 0 for s in opened)
            else:
                beyond += gross > 5500
    assert beyond > 5
    reasons = bound.decisions["reason"]
    for said in ("by max_order_quote 2,050", "by max_gross_quote 5,000"):
        assert reasons.str.contains(said).any(), said


def test_all_instruments_are_held_at_the_same_time_and_the_one_that_is_forbidden_never():
    result = traded(Sizing(capital_fraction=1.0), Risk(exposure_limits={"BBB": 0.0}))
    assert sorted(result.fills["symbol"].unique()) == ["AAA", "CCC", "DDD", "EEE"]
    reasons = result.decisions.filter(symbol="BBB")["reason"]
    assert reasons.str.contains("cut from 0.2 to 0 by the limit of BBB, which is 0").any()


def test_a_drawdown_halts_all_instruments_and_they_stay_flat():
    result = traded(Sizing(capital_fraction=2.0, max_leverage=2.0), Risk(max_leverage=2.0, max_drawdown=0.03))
    halted = result.decisions.filter(pl.col("reason").str.starts_with("flat: halted until the end"))
    assert len(halted)
    after = halted["time"].min()
    later = result.equity.filter(pl.col("time") > pl.lit(after).dt.offset_by("2h"))
    assert len(later) > 5
    assert (later["exposure"] == 0).all()


def test_a_daily_loss_halts_until_the_next_day():
    result = traded(Sizing(capital_fraction=2.0, max_leverage=2.0), Risk(max_leverage=2.0, max_daily_loss=0.02))
    halted = result.decisions.filter(pl.col("reason").str.starts_with("flat: halted until the next UTC day"))
    assert len(halted)
    assert (halted["target"] == 0).all()
    last = halted["time"].max()
    assert len(result.fills.filter((pl.col("time") > last) & (pl.col("reason") == "order")))


def test_trailing_stops_of_several_instruments_fill_at_or_beyond_their_stop():
    result = traded(Sizing(capital_fraction=1.0), Risk(), trailing_stop=1.5, minimum_trade=0.5)
    trailed = result.trades.filter(exit_reason="trailing_stop")
    assert len(trailed) > 10
    assert trailed["symbol"].n_unique() == 5
    by_time = {one.symbol: dict(zip(one.close_time_ms.tolist(), one.values.tolist(), strict=True)) for one in SERIES}
    for symbol, side, price, time_ms in trailed.select(
        "symbol", "side", "exit_price", pl.col("exit_time").cast(pl.Int64)
    ).iter_rows():
        open_, high, low, *_ = by_time[symbol][time_ms]
        worse = price <= open_ * 1.0001 if side == "long" else price >= open_ * 0.9999
        assert worse  # never better than the open: a gap fills there
        assert low * 0.999 <= price <= high * 1.001
