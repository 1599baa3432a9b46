"""The engine's own limits hold live as in a backtest; a stop that trails moves over real sockets."""

import asyncio
import sys

import polars as pl
import pytest
from tests.fakes.served import COSTS as SERVED_COSTS
from tests.fakes.served import MINUTE, START, server_on, tape
from tests.live.house import CAPITAL, COSTS, LastMove, closes, paper, parts
from tests.live.test_over_the_protocol import CANDLES, KNOWN, decided, house_on
from tests.live.test_trader import SERIES, fills_of, let_happen, open_house

from triptych.backtest.replay import run_backtest
from triptych.live.journal import OrderAnswered, StepRecorded
from triptych.trading import execution, risk

LIMITS = {
    "exposure": (risk.Config(exposure_limits={"AAA": 0.2}), "by the limit of AAA, which is 0.2"),
    "net": (risk.Config(max_net_exposure=0.7), "by max_net_exposure 0.7"),
    "daily loss": (risk.Config(max_daily_loss=0.001), "the daily loss limit of 0.1% was reached"),
    "drawdown": (risk.Config(max_drawdown=0.01, cool_down_hours=1), "the drawdown limit of 1.0% was reached"),
    "order rate": (risk.Config(max_orders_per_hour=1), "1 opening orders in the last hour"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_cuts_and_denies_live_what_it_does_in_a_backtest(tmp_path, name, capsys):
    limit, words = LIMITS[name]
    short = [one.head(90) for one in SERIES]
    settings = parts(risk=limit)
    result = run_backtest(short, LastMove(), costs=COSTS, initial_capital=float(CAPITAL), name="demo", **settings)
    clock, venue = paper(short)

    async def trade():
        with open_house(tmp_path, venue, clock, engine=settings) as house:
            await house.trader.start()
            for candles in closes(short):
                await let_happen(candles, venue, venue, house, clock)
            steps = [entry.record for entry in house.journal.entries(kinds=(StepRecorded,))]
            return [(d.time_ms, d.symbol, d.target, d.reason) for s in steps for d in s.decisions], fills_of(house)

    found, fills = asyncio.run(trade())
    expected = result.decisions.with_columns(pl.col("time").dt.epoch("ms")).sort("time", maintain_order=True)
    rows = list(expected.select("time", "symbol", "target", "reason").iter_rows())
    assert found[: len(rows)] == rows
    touched = sum(words in reason for *_, reason in rows)
    assert touched > 0
    assert [float(f.price) for f in fills] == result.fills["price"].to_list()
    with capsys.disabled():
        sys.stdout.write(f" [{len(rows)} decisions equal, {touched} by the limit]")


def test_a_trailing_stop_is_moved_over_the_wire_as_in_a_backtest(tmp_path, capsys):
    settings = parts(execution=execution.Config(trailing_stop=0.3, minimum_trade=0.5))

    async def trade():
        async with (
            server_on(known=KNOWN, costs=SERVED_COSTS, capital=CAPITAL) as server,
            house_on(server, tmp_path, engine=settings) as (house, runner),
        ):
            await asyncio.sleep(0.2)  # both streams are up
            for n in range(CANDLES):
                await server.step()
                await decided(runner, n + 1)
                stops = house.trader.books.stops.get("BTCUSDT")
                if house.engine.portfolio.position("BTCUSDT").quantity and not house.trader.books.under_way:
                    assert server.desk.venue.protection("BTCUSDT") == stops
            moves = [e.record for e in house.journal.entries(kinds=(OrderAnswered,)) if e.record.command == "move"]
            return moves, fills_of(house)

    moves, fills = asyncio.run(trade())
    expected = run_backtest(
        [tape().head(KNOWN + CANDLES)], LastMove(), costs=SERVED_COSTS, initial_capital=float(CAPITAL), name="demo",
        start_ms=START + (KNOWN + 1) * MINUTE, **settings,
    )  # fmt: skip
    rows = expected.fills.with_columns(pl.col("time").dt.epoch("ms")).select("time", "price", "quantity", "reason")
    assert [(f.time_ms, float(f.price), float(f.quantity)) for f in fills] == [row[:3] for row in rows.iter_rows()]
    assert {one.outcome for one in moves} == {"accepted"}
    assert len(moves) > 5
    with capsys.disabled():
        sys.stdout.write(f" [{len(moves)} stops moved, {len(fills)} fills equal]")
