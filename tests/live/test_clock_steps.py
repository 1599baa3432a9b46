"""Somebody sets the clock of the machine while nobody knows whether an order lives: over real sockets."""

import pytest
from tests.live.wired import play

from triptych.domain import AbstractClock, SystemClock
from triptych.exchanges.simulated.server import RestFault

HOUR_MS = 3_600_000


class Stepped(AbstractClock):
    """The machine's clock, set to another time of day; what has passed since a moment is not touched by that."""

    def __init__(self, step_ms):
        self._own, self._step_ms = SystemClock(), step_ms

    def now_ms(self):
        return self._own.now_ms() + self._step_ms

    def steady_ms(self):
        return self._own.steady_ms()


@pytest.mark.parametrize("step_ms", [-HOUR_MS, HOUR_MS], ids=["back", "forward"])
def test_an_unknown_order_is_waited_for_as_long_as_it_may_appear_whatever_the_clock_is_set_to(tmp_path, step_ms):
    async def act(scene):
        scene.server.faults.add(RestFault(kind="lose_request", path="/v5/order/create"))
        scene.wish.says = 1
        await scene.close()
        (order,) = scene.trader.books.unknown
        sender, reconciler = scene.trader._sender, scene.trader._reconciler
        left_ms = sender.doubt_ms(order)
        sender.clock = Stepped(step_ms)
        object.__setattr__(reconciler, "clock", sender.clock)
        assert left_ms - 1_000 < sender.doubt_ms(order) <= left_ms
        assert 0 < left_ms <= 300 + 700 + 1_000
        scene.wish.says = 0
        took_s = await scene.until(lambda: not scene.trader.books.under_way)
        assert took_s > (left_ms - 1_000) / 1_000
        assert f"order {order.order_id} never reached the venue" in scene.notes()

    play(tmp_path, act)


def test_an_order_of_an_earlier_process_is_waited_for_no_longer_than_one_of_our_own(tmp_path):
    async def act(scene):
        scene.server.faults.add(RestFault(kind="lose_request", path="/v5/order/create"))
        scene.wish.says = 1
        await scene.close()
        (order,) = scene.trader.books.unknown
        sender = scene.trader._sender
        for step_ms, doubt_ms in ((-HOUR_MS, 300 + 700 + 1_000), (HOUR_MS, 0)):
            sender._certain_ms.clear()  # as after a start
            sender.clock = Stepped(step_ms)
            assert sender.doubt_ms(order) == doubt_ms
        scene.wish.says = 0

    play(tmp_path, act)
