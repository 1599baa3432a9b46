"""Somebody else trades in the account, or a former life did: a whole house over real sockets."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from benchmarks._trading_house import house_on, open_journal
from tests.fakes.served import gateway_on, server_on, tape
from tests.live.wired import BTC, PATIENCE, Wish, play

from triptych.domain import FillReason, OrderFilled, Side
from triptych.exchanges.bybit import hosts


async def by_hand(scene, side, quantity, **more):
    async with gateway_on(scene.server) as human:
        body = {"category": "linear", "symbol": BTC, "side": side, "orderType": "Market", "qty": quantity}
        await human._rest.post("/v5/order/create", body | more)


def fills(scene):
    return [entry.record for entry in scene.house.journal.entries(kinds=(OrderFilled,))]


@pytest.mark.parametrize("policy", ["freeze", "adopt"])
def test_a_stop_that_is_not_ours_makes_no_position_of_ours(tmp_path, policy):
    """A person's own position is closed by the person's own stop: the instrument is free again."""
    series = tape()
    values = series.values.copy()
    values[54:, :4] -= 1_500

    async def act(scene):
        await by_hand(scene, "Buy", "0.02", stopLoss=str(scene.server.desk.venue.mark(BTC) - 800))
        await scene.close()
        assert (scene.trader.standings[BTC].is_settled, scene.held()[1]) == (policy == "adopt", Decimal("0.02"))
        scene.wish.says = 0
        await scene.close(4)
        assert scene.held() == (0, 0)
        assert scene.trader.reasons() == {}
        if policy == "freeze":
            assert fills(scene) == []
        scene.wish.says = 1
        await scene.close(2)
        ours, theirs = scene.held()
        assert ours == theirs > Decimal("0.4")

    play(tmp_path, act, policy=policy, series=replace(series, values=values))


def test_a_position_that_somebody_closes_is_gone_and_what_he_opens_then_is_left_alone(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        ours, _ = scene.held()
        await by_hand(scene, "Sell", str(ours))
        await scene.close()
        assert scene.held() == (0, 0)
        assert fills(scene)[-1].reason is FillReason.BY_HAND
        assert f"-{ours}: a position of ours was closed by somebody else or by a stop" in scene.notes()
        await scene.close(2)
        assert scene.held() == (0, 0)  # not bought again as long as the model says the same
        await by_hand(scene, "Buy", "0.3")
        await scene.close()
        scene.wish.says = -1
        await scene.close(2)
        scene.wish.says = 0
        await scene.close(2)
        assert scene.held() == (0, Decimal("0.3"))
        assert scene.trader.reasons() == {BTC: "the venue holds 0.3, our fills make 0.000"}
        assert scene.server.desk.venue.protection(BTC) == (None, None)
        assert scene.told("unprotected") == []
        assert len(scene.sent()) == 1
        await by_hand(scene, "Sell", "0.3")
        scene.wish.says = 1
        await scene.close(3)
        ours, theirs = scene.held()
        assert ours == theirs > 0

    play(tmp_path, act)


def test_what_somebody_adds_is_his_and_our_part_can_be_closed(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        ours, _ = scene.held()
        await by_hand(scene, "Buy", "0.02")
        await scene.close()
        assert scene.held() == (ours, ours + Decimal("0.02"))
        scene.wish.says = 0
        await scene.close(2)
        assert scene.held() == (0, Decimal("0.02"))
        assert scene.trader.reasons() == {BTC: "the venue holds 0.02, our fills make 0.000"}

    play(tmp_path, act)


def test_after_a_restart_what_was_told_apart_stays_apart(tmp_path):
    """The fills are asked for again: what was entered once is not entered twice, what was theirs stays theirs."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        ours, _ = scene.held()
        await by_hand(scene, "Sell", str(ours))
        await scene.close()
        await by_hand(scene, "Buy", "0.3")
        before, books = fills(scene), scene.trader.books
        async with scene.trader.between_decisions():
            await scene.server.step()
            books._strangers, books._agreed = type(books._strangers)(), set()
            books.recover()
        await scene.trader.reconcile()
        assert fills(scene) == before
        assert scene.held() == (0, Decimal("0.3"))
        assert books._strangers.theirs == {BTC: Decimal("0.3")}
        await by_hand(scene, "Sell", "0.3")
        await scene.close()
        assert (scene.held(), scene.trader.reasons()) == ((0, 0), {})

    play(tmp_path, act)


@pytest.mark.parametrize("policy", ["freeze", "adopt"])
@pytest.mark.parametrize("is_stopped_again", [True, False])
def test_stops_that_fired_on_both_sides_of_our_last_order_while_we_were_away_are_ours(
    tmp_path, policy, is_stopped_again
):
    """By sums alone the two look like what a stranger did and undid, and one like a stranger's position."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        held, _ = scene.held()
        books, order, now = scene.trader.books, scene.sent()[0], scene.trader._reconciler.clock.now_ms()
        stop = OrderFilled(
            order_id="", fill_id="stop-1", symbol=BTC, side=Side.SELL, quantity=held, price=Decimal(19_000),
            fee=Decimal(1), is_maker=False, time_ms=now + 1, reference_price=Decimal(19_000),
            reason=FillReason.STOP_LOSS,
        )  # fmt: skip
        entry = replace(stop, order_id=order, fill_id="entry", time_ms=now + 2, reason=FillReason.ORDER)
        again = replace(stop, fill_id="stop-2", side=Side.BUY, time_ms=now + 3)
        away = [stop, entry, again][: 3 if is_stopped_again else 2]
        async with scene.trader.between_decisions():
            books._strangers, books._agreed = type(books._strangers)(), set()
            books.recover()
            books.take_executions(away)
            venue = Decimal(0) if is_stopped_again else -held
            assert books.agree(BTC, venue, now + 4, has_strangers=policy == "freeze") is not None
            assert scene.house.engine.portfolio.position(BTC).quantity == venue
            assert not books._strangers.are_in(BTC)
            assert {one.fill_id for one in fills(scene)} >= {one.fill_id for one in away}

    play(tmp_path, act, policy=policy)


def test_a_position_of_a_lost_journal_is_frozen_until_its_stop_closes_it(tmp_path):
    series = tape()
    values = series.values.copy()
    values[55:, :4] -= 1_500
    series = replace(series, values=values)

    async def life(places, server, name, says, closes):
        journal = open_journal(tmp_path / name)
        journal.lease.acquire()
        seen = []
        async with house_on(
            places, [BTC], journal, patience=PATIENCE, predictor=Wish(says), stop_loss_percent=5.0
        ) as house:
            await house.runner.start(house.engine.memory)
            running = asyncio.create_task(house.runner.run(asyncio.Event()))
            await asyncio.sleep(0.4)
            for _ in range(closes):
                before = house.runner.decisions
                await server.step()
                while house.runner.decisions == before:
                    await asyncio.sleep(0.01)
                held = house.engine.portfolio.position(BTC).quantity, server.desk.venue.position(BTC).quantity
                seen.append((*held, bool(house.trader.reasons())))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        journal.lease.release()
        journal.close()
        return seen

    async def run():
        async with server_on(series) as server:
            places = hosts.Config(
                environment="custom", rest=server.hosts.rest, public=f"ws://127.0.0.1:{server.port}/v5/public",
                private=f"ws://127.0.0.1:{server.port}/v5/private",
            )  # fmt: skip
            async with gateway_on(server) as former:
                stop = str(server.desk.venue.mark(BTC) - 1_000)
                body = {"category": "linear", "symbol": BTC, "side": "Buy", "orderType": "Market", "qty": "0.4"}
                await former._rest.post("/v5/order/create", body | {"stopLoss": stop})
            await server.step()
            seen = await life(places, server, "new.db", 1, 9)
            assert seen[0] == (0, Decimal("0.4"), True)
            assert (0, 0, False) in seen
            assert seen[-1][0] == seen[-1][1] > 0

    asyncio.run(run())
