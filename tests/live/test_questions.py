"""What a decision asks of the venue does not grow with the number of instruments."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from benchmarks._trading_house import Patience, house_on, open_journal
from tests.fakes.served import COSTS, tape
from tests.live.wired import Wish

from triptych.exchanges.bybit.rest import Config as RestConfig
from triptych.exchanges.simulated.server import BybitServer
from triptych.live.sender import Config as SenderConfig

PATIENT = replace(
    Patience(), rest=RestConfig(timeout_s=60, receive_window_ms=60_000), sending=SenderConfig(within_seconds=60)
)
"""Sixty orders at once take their time on a machine that is busy."""
MANY = tuple(f"S{number:03d}USDT" for number in range(60))


def series(symbols):
    one = tape()
    return [replace(one, instrument=replace(one.instrument, symbol=symbol)) for symbol in symbols]


def counted(server):
    """Requests by path, from now on."""
    paths = Counter()
    ask = server._answers.ask

    def asked(path, parameters):
        paths[path] += 1
        return ask(path, parameters)

    server._answers.ask = asked
    return paths


@pytest.mark.parametrize("symbols", [MANY[:1], MANY[:2], MANY])
def test_a_reconciliation_asks_three_questions_however_many_instruments_there_are(tmp_path, symbols):
    async def play():
        async with BybitServer(series(symbols), known=50, costs=costs()) as server:
            journal = open_journal(tmp_path / "j.db")
            journal.lease.acquire()
            wish = Wish(1)
            async with house_on(server.hosts, symbols, journal, patience=PATIENT, predictor=wish) as house:
                await house.runner.start(house.engine.memory)
                quiet = counted(server)
                assert await house.trader.reconcile()
                settled_quiet = dict(quiet)
                # Every instrument is opened, filled and held: still the same questions.
                await house.trader.on_candles([candle(house, symbol) for symbol in symbols])
                await server.step()
                quiet.clear()
                assert await house.trader.reconcile()
                held = [house.engine.portfolio.position(symbol).quantity for symbol in symbols]
                there = [server.desk.venue.position(symbol).quantity for symbol in symbols]
                house.close()
                return settled_quiet, dict(quiet), held, there, house.trader.standings

    calm, busy, held, there, standings = asyncio.run(play())
    pages = -(-len(symbols) // 100)  # one execution each, a hundred a page
    assert calm == {"/v5/order/realtime": 1, "/v5/execution/list": 1, "/v5/position/list": 1}
    stops = -(-len(symbols) // 50)  # each stop stands among the open orders, fifty a page
    assert busy == {"/v5/order/realtime": stops, "/v5/execution/list": pages, "/v5/position/list": 1}
    assert held == there
    assert all(held)
    assert all(one.is_settled for one in standings.values())


def costs():
    return COSTS.model_copy(update={"leverage": 10.0})


def candle(house, symbol):
    window = house.engine.history(symbol, 3)
    last = window.candle(len(window) - 1)
    step = last.timeframe.milliseconds
    return replace(last, open_time_ms=last.open_time_ms + step)
