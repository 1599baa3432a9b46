"""Rows of the private messages that are not about our instruments, or of a kind that nobody knew: over real sockets."""

import asyncio
from decimal import Decimal

import pytest
from tests.live.test_faults_of_strangers import by_hand, fills
from tests.live.wired import BTC, play

from triptych.domain import FillReason
from triptych.exchanges.simulated.server import StreamFaults


def listed(scene, **changes):
    """An execution that the venue lists from now on, not ours, and its row."""
    desk = scene.server.desk
    row = desk.executions[-1] | {"execId": "strange", "orderLinkId": "", "orderId": "strange"} | changes
    desk.executions.append(row)
    desk.told_ms.append(desk._wire_ms())
    return row


@pytest.mark.parametrize("topic", ["execution", "order", "position"])
def test_rows_of_spot_are_none_of_the_perpetual(tmp_path, topic):
    """The private stream tells of the whole account, and BTCUSDT is the name of both."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        ours, _ = scene.held()
        desk = scene.server.desk
        row = {"execution": desk.executions[-1], "order": next(iter(desk.orders.values())).row(),
               "position": desk.position_row(BTC)}[topic]  # fmt: skip
        # Of spot there are words that mean nothing to us: the row costs no connection either.
        row = row | {"category": "spot", "execId": "spot", "orderLinkId": "", "side": "Sell", "size": "7"}
        row |= {"execType": "SpotKind", "orderStatus": "SpotStatus"} if topic != "position" else {"side": "Spot"}
        await scene.server._tell([(topic, row)])
        await asyncio.sleep(0.2)
        await scene.close(2)
        books = scene.trader.books
        assert (scene.held(), books._strangers.pending, scene.trader.reasons()) == ((ours, ours), {}, {})
        assert scene.told("foreign fill") + scene.told("stream") + scene.told("execution") == []
        assert scene.house.trader._reconciler.gateway.private.reconnections == 0
        assert len(fills(scene)) == 1

    play(tmp_path, act)


def test_an_execution_of_an_unknown_kind_without_a_quantity_is_told_once_and_blinds_nobody(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        listed(scene, execType="NewKind", execQty="0")
        await scene.close(2)
        text = "execution strange is of the unknown kind NewKind and names no quantity: it is passed over"
        assert scene.told("execution") == [text]
        assert text in scene.notes()
        scene.wish.says = 0
        await scene.close(2)
        assert (scene.held(), scene.trader.reasons(), scene.told("blind")) == ((0, 0), {}, [])

    play(tmp_path, act)


@pytest.mark.parametrize("is_streamed", [True, False])
def test_an_execution_of_an_unknown_kind_that_closed_our_position_closes_it_in_the_books(tmp_path, is_streamed):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        ours, _ = scene.held()
        desk, known = scene.server.desk, scene.server.desk._execution
        desk._execution = lambda row: known(row | {"execType": "NewKind"})
        if not is_streamed:
            scene.server.faults.stream = StreamFaults(lose=1.0, topics=("execution", "order", "position", "wallet"))
        await by_hand(scene, "Sell", str(ours))
        await scene.close()
        scene.server.faults.stream = StreamFaults()
        await scene.close()
        assert scene.held() == (0, 0)
        assert (fills(scene)[-1].reason, scene.trader.reasons()) == (FillReason.BY_HAND, {})
        (told,) = scene.told("execution")
        assert told.endswith(
            " is of the unknown kind NewKind: it is taken for a trade, and the venue's position says whether it was one"
        )

    play(tmp_path, act)


def test_an_execution_of_an_unknown_kind_that_changed_no_position_changes_none_of_ours(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        ours, _ = scene.held()
        listed(scene, execType="NewKind", side="Sell")
        await scene.close(2)
        assert scene.held() == (ours, ours)
        assert [severity for severity, topic, *_ in scene.house.said if topic == "execution"] == ["critical"]
        scene.wish.says = 0
        await scene.close(2)
        assert scene.held() == (Decimal(0), Decimal(0))

    play(tmp_path, act)
