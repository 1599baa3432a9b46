"""What a venue changes while it is traded, told to the server from outside and seen by its clients."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import aiohttp
import pytest
from tests.fakes.served import BITCOIN, gateway_on, server_on, tape

from triptych.domain.errors import DataError, ExchangeError
from triptych.exchanges.simulated.server import BybitServer, Change

BTC = "BTCUSDT"
ORDER = {"category": "linear", "symbol": BTC, "side": "Buy", "orderType": "Market", "qty": "0.01", "positionIdx": 0}


def trial(play):
    async def run():
        async with server_on() as server, gateway_on(server) as gateway, aiohttp.ClientSession() as session:

            async def post(act, **body):
                async with session.post(f"{server.hosts.rest_url}/triptych/{act}", json=body) as answer:
                    return answer.status, await answer.json()

            await play(server, gateway, post)

    asyncio.run(run())


def test_rules_change_and_are_held_to():
    async def play(server, gateway, post):
        rules = {"tickSize": "0.5", "qtyStep": "0.05", "minOrderQty": "0.05", "minNotionalValue": "7",
                 "maxOrderQty": "9", "maxMktOrderQty": "8", "maxLeverage": "20"}  # fmt: skip
        assert await post("rules", symbol=BTC, rules=rules) == (200, {"done": "rules"})
        one = (await gateway.listings([BTC]))[BTC].instrument
        assert (one.price_step, one.quantity_step, one.minimum_quantity) == tuple(map(Decimal, ("0.5", "0.05", "0.05")))
        assert (one.minimum_notional, one.maximum_quantity, one.maximum_market_quantity) == (7, 9, 8)
        assert one.maximum_leverage == 20
        with pytest.raises(ExchangeError, match=r"quantity 0\.01 is not a multiple of the step 0\.05"):
            await gateway._rest.post("/v5/order/create", ORDER)

    trial(play)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"symbol": "NONE"}, "NONE is not served"),
        ({"symbol": BTC, "rules": {"colour": "1"}}, "unknown rules colour; known are tickSize, qtyStep"),
        ({"symbol": BTC, "rules": {"tickSize": "0"}}, "BTCUSDT: price and quantity steps must be above zero."),
        ({"symbol": BTC, "rules": {"tickSize": "x"}}, ""),
        ({"symbol": BTC, "status": "Asleep"}, "status"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(body, words):
    async def play(server, gateway, post):
        before = await gateway.listings([BTC])
        status, said = await post("rules", **body)
        assert status == 400
        assert words in said["error"]
        assert await gateway.listings([BTC]) == before

    trial(play)


def test_status_end_coin_and_listing_change():
    async def play(server, gateway, post):
        await post("rules", symbol=BTC, status="Delivering", settle_coin="USDC", delivery_ms=1_800_000_000_000)
        one = (await gateway.listings([BTC]))[BTC]
        assert (one.status, one.settle, one.delivery_ms) == ("Delivering", "USDC", 1_800_000_000_000)
        assert await gateway.market.listings() == []
        assert len(await gateway.market.listings(status="Delivering")) == 1
        with pytest.raises(ExchangeError, match=r"This contract is not live: BTCUSDT is Delivering \(code 110074\)"):
            await gateway._rest.post("/v5/order/create", ORDER)
        await post("rules", symbol=BTC, is_listed=False)
        assert await gateway.listings([BTC]) == {}
        await post("rules", symbol=BTC, is_listed=True, status="Trading")
        assert len(await gateway.market.listings()) == 1
        await gateway._rest.post("/v5/order/create", ORDER)

    trial(play)


def test_in_hedge_mode_both_sides_are_listed_and_orders_without_a_side_are_refused():
    async def play(server, gateway, post):
        assert await gateway.hedged([BTC]) == []
        await gateway._rest.post("/v5/order/create", ORDER)
        await server.step()
        assert await post("hedge") == (200, {"done": "hedge"})
        assert await gateway.hedged([BTC]) == [BTC]
        rows = await gateway._pages("/v5/position/list", {"symbol": BTC})
        assert [(row.text("side"), row.text("size")) for row in rows[:1]] == [("Buy", "0.01")]
        assert rows[1].text("size") == "0"
        assert (await gateway.positions([BTC]))[BTC].quantity == Decimal("0.01")
        with pytest.raises(ExchangeError, match=r"position idx not match position mode \(code 10001\)"):
            await gateway._rest.post("/v5/order/create", ORDER)
        await post("hedge", on=False)
        await gateway._rest.post("/v5/order/create", ORDER)

    trial(play)


def test_an_instrument_that_is_not_listed_any_more_keeps_nobody_from_settling_the_others():
    both = [BTC, "ETHUSDT"]

    async def run():
        series = [tape(), tape(instrument=replace(BITCOIN, symbol="ETHUSDT"))]
        async with BybitServer(series, known=50) as server, gateway_on(server) as gateway:
            await gateway._rest.post("/v5/order/create", ORDER)
            await server.step()
            server.change(Change(symbol="ETHUSDT", is_listed=False))
            positions = await gateway.positions(both)
            assert {symbol: one.quantity for symbol, one in positions.items()} == {BTC: Decimal("0.01"), "ETHUSDT": 0}
            assert await gateway.open_orders(both) == []
            assert len(await gateway.executions(both, 0)) == 1
            assert set(await gateway.listings(both)) == {BTC}
            with pytest.raises(DataError) as caught:
                await gateway.market.listed(both)
            assert caught.value.message == "Bybit lists no ETHUSDT in linear."

    asyncio.run(run())
