"""Two sessions on one account with a journal each, over real sockets."""

from decimal import Decimal

import pytest
from benchmarks._trading_house import NAME, house_on, open_journal
from tests.fakes.served import gateway_on
from tests.live.wired import BTC, PATIENCE, play

from triptych.domain import OrderType, Side, SubmitOrder, SystemClock
from triptych.domain.errors import LeaseError
from triptych.live.journal import Journal, NoteWritten
from triptych.trading.order_id import OrderIds, opener_token


def order(token, *, name=NAME, leg="open", **changes):
    words = {"side": Side.BUY, "quantity": Decimal("0.01"), "time_ms": 0, "type": OrderType.MARKET} | changes
    return SubmitOrder(order_id=OrderIds(name, BTC, token).make(1_700_000_000_000, leg), symbol=BTC, **words)


async def send(scene, one):
    async with gateway_on(scene.server) as gateway:
        assert (await gateway.submit(one, signed_ms=SystemClock().now_ms())).outcome == "accepted"
    await scene.server.step()


async def second(scene, path):
    """A session with a journal of its own; ends with the error of its start, or None."""
    journal = open_journal(path)
    journal.lease.acquire()
    try:
        async with house_on(scene.server.hosts, [BTC], journal, patience=PATIENCE) as house:
            await house.trader.start()
    except LeaseError as error:
        return error
    finally:
        journal.close()


@pytest.mark.parametrize("name", [NAME, "another"])
def test_a_start_is_refused_while_another_session_opens_positions(tmp_path, name):
    async def act(scene):
        rival = order(77, name=name)
        await send(scene, rival)
        error = await second(scene, tmp_path / "second.db")
        assert error.message == (
            f"{NAME}: another session of this account, which does not write this journal, has opened a position by "
            f"order {rival.order_id} in the last 0.2 minutes."
        )
        assert "One session trades an account: stop the other one." in error.remedy

    play_ended(tmp_path, act)


def test_an_order_of_ours_a_close_and_an_order_by_hand_are_no_rivals(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        await send(scene, order(77, leg="close"))
        assert await scene.trader.reconcile()
        assert scene.told("rival") == []

    play(tmp_path, act, policy="adopt")


def test_who_meets_a_newer_token_ends_and_has_entered_and_withdrawn_nothing(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        fills = len(scene.house.engine.portfolio.state().fill_ids)
        resting = order(78, type=OrderType.LIMIT, limit_price=Decimal(9_000))
        async with gateway_on(scene.server) as gateway:
            await gateway.submit(resting, signed_ms=SystemClock().now_ms())
        with pytest.raises(LeaseError, match="which does not write this journal, opens positions, by order"):
            await scene.trader.reconcile()
        assert len(scene.house.engine.portfolio.state().fill_ids) == fills
        assert [one.status for one in scene.server.desk.orders.values() if one.link_id == resting.order_id] == ["New"]

    play_ended(tmp_path, act)


def play_ended(tmp_path, act):
    """The runner of the scene may have ended by the same error."""
    try:
        play(tmp_path, act)
    except LeaseError:
        return


def test_who_stays_opens_nothing_until_the_other_is_silent(tmp_path):
    """The older token belongs to the other one, which ends as soon as it sees ours."""

    async def act(scene):
        lease = scene.house.journal.lease
        assert lease.token == 5
        scene.wish.says = 1
        await scene.close(2)
        rival = order(3)
        await send(scene, rival)
        await scene.trader.reconcile()
        text = f"another session opens positions in this account, by order {rival.order_id}"
        assert scene.told("rival") == [text]
        assert scene.trader.reasons() == {BTC: text}
        rivals = scene.trader._reconciler.rivals
        rivals._heard_s -= rivals._quiet_s
        await scene.trader.reconcile()
        assert BTC not in scene.trader.reasons()
        notes = [e.record.text for e in scene.house.journal.entries(kinds=(NoteWritten,)) if e.record.topic == "rival"]
        assert notes == [text, "the other session has been silent: entries are allowed again"]

    journal = Journal.open(tmp_path / "j.db", NAME, owner="earlier", first_token=4)
    journal.lease.acquire()
    journal.lease.release()
    journal.close()
    play(tmp_path, act)


def test_what_opens_tells_its_token_and_nothing_else_does():
    assert opener_token(OrderIds("demo", BTC, 77).make(1_700_000_000_000, "open", 12)) == 77
    assert opener_token(OrderIds("demo", BTC, 77).make(1_700_000_000_000, "close")) is None
    assert opener_token(OrderIds("demo", BTC).make(1_700_000_000_000, "open")) is None
    assert opener_token("by-hand") is None
