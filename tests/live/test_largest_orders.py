"""A venue takes no order above its largest: closes are sliced, entries are cut, over real sockets."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.fakes.served import BITCOIN, gateway_on, server_on, tape
from tests.live.wired import BTC, play

from triptych.domain.errors import ExchangeError
from triptych.live.journal import Switch

SMALL = tape(instrument=replace(BITCOIN, maximum_market_quantity=Decimal("0.2")))


def sizes(scene):
    """Quantities of our orders at the venue, in order, closes below zero."""
    found = [one.order for one in scene.server.desk.orders.values() if one.link_id]
    return [-one.quantity if one.reduce_only else one.quantity for one in found]


def test_an_entry_is_cut_and_grows_and_a_close_is_sliced(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(5)
        ours, theirs = scene.held()
        assert Decimal("0.48") < ours == theirs
        assert sizes(scene) == [Decimal("0.2"), Decimal("0.2"), ours - Decimal("0.4")]
        assert scene.server.desk.venue.protection(BTC)[0] is not None
        scene.wish.says = 0
        await scene.close(2)
        assert scene.held() == (0, 0)
        assert sizes(scene)[3:] == [Decimal("-0.2"), Decimal("-0.2"), Decimal("0.4") - ours]
        assert scene.told("rejected") == []

    play(tmp_path, act, series=SMALL)


def test_a_kill_closes_what_is_larger_than_any_order(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(5)
        ours, _ = scene.held()
        assert ours > Decimal("0.48")
        await scene.trader.turn(Switch.KILLED, by="test", reason="too large")
        await scene.server.step()
        await scene.until(lambda: scene.held() == (0, 0))
        assert sizes(scene)[3:] == [Decimal("-0.2"), Decimal("-0.2"), Decimal("0.4") - ours]
        assert scene.told("rejected") == []

    play(tmp_path, act, series=SMALL)


def test_a_kill_halves_its_orders_where_the_venue_takes_less_than_it_has_announced(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(3)
        ours, _ = scene.held()
        assert sizes(scene) == [ours]
        desk = scene.server.desk  # the venue lowers its limit in the middle of the session
        desk.instruments[BTC] = replace(desk.instruments[BTC], maximum_market_quantity=Decimal("0.2"))
        await scene.trader.turn(Switch.KILLED, by="test", reason="too large")
        await scene.until(lambda: len(sizes(scene)) == 6)
        await scene.server.step()
        await scene.until(lambda: scene.held() == (0, 0))
        assert sum(sizes(scene)) == 0
        assert sizes(scene)[1] == -(ours / 4).quantize(Decimal("0.001"), "ROUND_DOWN")

    play(tmp_path, act)


def test_the_simulated_exchange_refuses_what_it_has_announced_to_refuse():
    async def run():
        async with server_on(SMALL) as server, gateway_on(server) as client:
            listing = await client.market.listing(BTC)
            assert listing.maximum_market_quantity == listing.instrument.maximum_market_quantity == Decimal("0.2")
            assert listing.instrument.maximum_quantity == Decimal(10**12)
            body = {"category": "linear", "symbol": BTC, "side": "Buy", "orderType": "Market", "qty": "0.201"}
            for more in ({}, {"reduceOnly": True}):
                with pytest.raises(ExchangeError, match=r"quantity 0\.201 is above the largest order 0\.2"):
                    await client._rest.post("/v5/order/create", body | more)

    asyncio.run(run())
