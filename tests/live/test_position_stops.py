"""Stop and target of a position stand among the venue's open orders: they are nobody's orders."""

from decimal import Decimal

from tests.live.wired import BTC, play

from triptych.domain import OrderFilled, Side, SubmitOrder
from triptych.exchanges.simulated.server.rows import OrderRecord
from triptych.live.audit import Auditor


def auditor(scene):
    fills = [entry.record for entry in scene.house.journal.entries(kinds=(OrderFilled,))]
    reconciler = scene.trader._reconciler
    return Auditor(books=scene.trader.books, gateway=reconciler.gateway, strategy="benchmark", fills=fills, since_ms=0)


def listed(scene):
    """Stops that the venue lists: kind, quantity, trigger price."""
    rows = [one for one in scene.server.desk.orders.values() if one.status == "Untriggered"]
    return [(one.stop_type, one.order.quantity, one.trigger_price) for one in rows]


def test_the_stop_of_our_position_is_no_strangers_order_and_no_difference(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(3)
        ours, theirs = scene.held()
        stop, _ = scene.server.desk.venue.protection(BTC)
        assert listed(scene) == [("StopLoss", ours, stop)]
        assert (ours, scene.trader.reasons(), scene.told("foreign order")) == (theirs, {}, [])
        assert await auditor(scene).look(BTC) == []

    play(tmp_path, act)


def test_a_conditional_order_of_somebody_else_is_still_a_strangers(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        order = SubmitOrder(
            order_id="theirs", symbol=BTC, side=Side.SELL, quantity=Decimal("0.1"), time_ms=0, reduce_only=True
        )
        record = OrderRecord(
            venue_id="theirs", link_id="", order=order, created_ms=1, updated_ms=1, status="Untriggered",
            trigger_price=Decimal(10_000),
        )  # fmt: skip
        scene.server.desk.orders["theirs"] = record
        await scene.close()
        assert scene.told("foreign order")[0] == "open order theirs is not ours; it is left alone"
        (found,) = await auditor(scene).look(BTC)
        assert (found.kind, found.explanation) == ("order", "Somebody else has placed it.")
        assert record.status == "Untriggered"

    play(tmp_path, act)


def test_a_stop_that_bears_the_id_of_our_entry_is_left_where_it_is_and_goes_with_the_position(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        (stop,) = [one for one in scene.server.desk.orders.values() if one.status == "Untriggered"]
        # Bybit may let the stop bear the id of the entry that brought it.
        stop.link_id = scene.sent()[0]
        await scene.close()
        assert stop.status == "Untriggered"
        scene.wish.says = 0
        await scene.close(2)
        assert scene.held() == (0, 0)
        assert (stop.status, stop.cancel_type) == ("Deactivated", "CancelByTpSlTsClear")
        assert listed(scene) == []

    play(tmp_path, act)
