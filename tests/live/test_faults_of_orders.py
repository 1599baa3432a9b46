"""The rows of the fault table that are about orders and positions: a whole house over real sockets."""

import asyncio
import re
import time
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.fakes.served import COSTS, gateway_on, tape
from tests.live.wired import BTC, PATIENCE, play

from triptych.domain import FillReason, ManualClock, OrderFilled
from triptych.exchanges.bybit.rest import Config as RestConfig
from triptych.exchanges.simulated.server import RestFault
from triptych.live.journal import StepRecorded, Switch

CREATE = "/v5/order/create"


def fills(scene):
    return [entry.record for entry in scene.house.journal.entries(kinds=(OrderFilled,))]


@pytest.mark.parametrize("end", ["cancel", "reject"])
def test_partial_fill_then_cancel_or_reject(tmp_path, end):
    """`Rejected` with cumExecQty > 0 is a partial fill: fills are kept, the stop holds what was filled, the rest is
    asked for anew.
    """

    async def act(scene):
        if end == "reject":
            scene.server.faults.add(RestFault(kind="reject_rest", path=CREATE))
        scene.wish.says = 1
        await scene.close(1)
        (first,) = scene.sent()
        asked = scene.server.desk.find({"orderLinkId": first})
        await scene.close(1)
        filled = asked.filled
        assert 0 < filled < asked.order.quantity
        assert asked.status == ("Rejected" if end == "reject" else "Cancelled")
        assert scene.held() == (filled, filled)
        assert scene.server.desk.venue.protection(BTC)[0] is not None
        # The rest is wanted still, under another id, and adds to the same stop.
        assert len(scene.sent()) == 2
        assert len(set(scene.sent())) == 2
        await scene.close(3)
        ours, theirs = scene.held()
        assert ours == theirs > filled
        assert scene.server.desk.venue.protection(BTC)[0] is not None
        assert scene.trader.reasons() == {}

    play(tmp_path, act, costs=COSTS.model_copy(update={"fill_share": 0.001}))


@pytest.mark.parametrize("late", [False, True], ids=["its reply is lost", "it arrives after we gave up waiting"])
def test_create_timed_out_order_alive(tmp_path, late):
    """Asked for by its own id at once; nothing is sent twice."""
    patience = replace(PATIENCE, rest=RestConfig(timeout_s=0.15, receive_window_ms=2000, back_off_s=0.02))

    async def act(scene):
        fault = {"kind": "delay", "seconds": 0.6} if late else {"kind": "lose_reply"}
        scene.server.faults.add(RestFault(path=CREATE, **fault))
        scene.wish.says = 1
        await scene.close()
        # Where it is at the venue already, it is found by its id at once.
        assert scene.answers() == (["unknown"] if late else ["unknown", "accepted"])
        if late:
            (order,) = scene.trader.books.under_way
            assert scene.trader.standings[BTC].reason.startswith(
                f"order {order.order_id} is unknown to the venue, and may arrive for "
            )
        await scene.until(lambda: not scene.trader.reasons())  # without another candle
        await scene.close()
        ours, theirs = scene.held()
        assert ours == theirs > 0
        assert len(scene.sent()) == 1

    play(tmp_path, act, patience=patience if late else PATIENCE)


def test_create_timed_out_order_never_arrived(tmp_path):
    """Unknown until no request signed for it can be accepted any more; then asked for anew, under another id."""

    async def act(scene):
        scene.server.faults.add(RestFault(kind="lose_request", path=CREATE))
        scene.wish.says = 1
        await scene.close()
        (order,) = scene.trader.books.under_way
        await scene.close()
        assert scene.sent() == []  # nothing is sent in an instrument that is in doubt
        took_s = await scene.until(lambda: not scene.trader.books.under_way)
        assert took_s < 0.3 + 0.7 + 1.0 + 1.0
        await scene.until(lambda: not scene.trader.reasons())
        await scene.close(2)
        (again,) = scene.sent()
        assert again != order.order_id
        ours, theirs = scene.held()
        assert ours == theirs > 0

    play(tmp_path, act)


def test_create_accepted_later_rejected(tmp_path):
    """An acknowledgement is not acceptance: the stream's word counts, and the next close asks anew."""

    async def act(scene):
        scene.server.faults.add(RestFault(kind="reject_later", path=CREATE))
        scene.wish.says = 1
        await scene.close()
        assert scene.answers() == ["accepted"]
        await scene.until(lambda: not scene.trader.books.under_way)
        assert scene.held() == (0, 0)
        await scene.close(2)
        assert len(set(scene.sent())) == 2
        ours, theirs = scene.held()
        assert ours == theirs > 0

    play(tmp_path, act)


@pytest.mark.parametrize("code", [10000, 10016, 10019])
def test_exchange_maintenance(tmp_path, code):
    """Unknown, not failed: the order may live."""

    async def act(scene):
        scene.server.faults.add(RestFault(kind="refuse", code=code, path=CREATE))
        scene.server.faults.add(RestFault(kind="refuse", code=code, path="/v5/order/realtime", times=2))
        scene.wish.says = 1
        await scene.close()
        assert scene.answers() == ["unknown"]
        assert len(scene.trader.books.under_way) == 1
        await scene.until(lambda: not scene.trader.books.under_way)
        await scene.until(lambda: not scene.trader.reasons())
        await scene.close(2)
        assert len(scene.sent()) == 1
        ours, theirs = scene.held()
        assert ours == theirs > 0

    play(tmp_path, act)


def subscribed(scene, after):
    """Kinds of the connections that have subscribed, of those made after the first so many."""
    new = [one for one in scene.server._sessions.open if int(one.identifier.partition("-")[2]) > after]
    return {one.kind for one in new if one.topics}


def test_exchange_maintenance_of_everything(tmp_path):
    """REST answers 10016, streams are thrown out and not let in: nothing is decided; afterwards new connections."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        scene.server.faults.maintenance = True
        await scene.server.cut()
        await scene.until(lambda: not scene.trader.is_ready and "messages" in scene.trader.reasons())
        scene.wish.says = -1
        before, connections = len(scene.sent()), scene.server._sessions._count
        await scene.server.step(2)
        await asyncio.sleep(0.5)
        assert len(scene.sent()) == before
        scene.server.faults.clear()
        await scene.until(lambda: not scene.trader.reasons())
        await scene.until(lambda: subscribed(scene, connections) == {"public", "private"})
        await scene.close(2)
        ours, theirs = scene.held()
        assert ours == theirs < 0

    play(tmp_path, act)


@pytest.mark.parametrize("code", [10006, 10018, 10429])
def test_rate_limit(tmp_path, code):
    """Waited out, and sent again under the same id."""

    async def act(scene):
        scene.server.faults.add(RestFault(kind="refuse", code=code, path=CREATE, times=2))
        scene.wish.says = 1
        await scene.close(2)
        assert scene.answers() == ["accepted"]
        ours, theirs = scene.held()
        assert ours == theirs > 0

    play(tmp_path, act)


def test_after_a_rate_limit_the_reset_is_waited_for(tmp_path):
    """Nothing goes to that interface before the time that the refusal's header names."""

    async def act(scene):
        scene.server.faults.add(RestFault(kind="rate_limit", path=CREATE, seconds=0.4))
        scene.wish.says = 1
        created, loop = [], asyncio.get_running_loop()
        known = scene.server.faults.next_for

        def noted(path):
            if path == CREATE:
                created.append(loop.time())
            return known(path)

        scene.server.faults.next_for = noted
        await scene.close(2)
        assert scene.answers() == ["accepted"]
        refused, taken = created
        assert taken - refused > 0.35
        ours, theirs = scene.held()
        assert ours == theirs > 0

    play(tmp_path, act)


def test_an_order_that_would_be_too_old_at_the_reset_is_not_waited_for(tmp_path):
    """The venue would refuse its signature; the next close asks anew, under another id."""

    async def act(scene):
        scene.server.faults.add(RestFault(kind="rate_limit", path=CREATE, seconds=1.0))
        scene.wish.says = 1
        await scene.close(1)
        assert scene.answers() == ["rejected"]
        assert scene.trader.reasons() == {}
        await scene.close(1)
        assert scene.answers() == ["rejected", "rejected"]
        assert "was not sent: its turn comes in" in scene.told("rejected")[-1]
        await asyncio.sleep(1.0)
        await scene.close(2)
        assert scene.answers()[2:] == ["accepted"]
        ours, theirs = scene.held()
        assert ours == theirs > 0

    play(tmp_path, act)


def test_rate_limit_http_403(tmp_path):
    """Nothing at all is asked or sent for ten minutes; the position keeps its stop at the venue."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        scene.server.faults.add(RestFault(kind="http_status", code=403))
        scene.wish.says = -1
        before = len(scene.sent())
        await scene.server.step()
        await scene.until(lambda: not scene.trader.is_ready)
        scene.server.faults.clear()
        armed = RestFault(kind="http_status", code=403)
        scene.server.faults.add(armed)  # used up by the next request, if there is one
        await scene.server.step(3)
        await asyncio.sleep(0.5)
        assert scene.server.faults.next_for("/v5/anything") == armed
        assert len(scene.sent()) == before
        assert scene.server.desk.venue.protection(BTC)[0] is not None
        assert "nothing is sent for another" in scene.trader.standings[BTC].reason
        # Nobody asks before the ban is over, and it is told of once.
        assert 590 < scene.trader.silence.wait_s(first_s=0.1, longest_s=30) <= 600
        assert len(scene.told("unreachable")) == 1

    play(tmp_path, act)


@pytest.mark.parametrize("skew_ms", [-5_000, 5_000])
def test_clock_skew(tmp_path, skew_ms):
    """The venue's clock jumps while the house trades: the offset is learned anew, nothing is refused for good."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        scene.server.faults.clock_skew_ms = skew_ms
        for _ in range(2):
            scene.wish.says = -scene.wish.says
            await scene.close(3)
            ours, theirs = scene.held()
            assert ours == theirs != 0
            assert ours * scene.wish.says > 0
        assert scene.trader.reasons() == {}

    play(tmp_path, act)


def test_funding(tmp_path):
    """Money, never a quantity."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        held = scene.held()
        await scene.close(9)  # past a full hour
        assert scene.held() == held
        paid = [row for row in scene.server.desk.executions if row["execType"] == "Funding"]
        assert len(paid) == 1
        assert scene.house.engine.portfolio.funding == Decimal(paid[0]["execFee"])

    play(tmp_path, act, costs=COSTS.model_copy(update={"funding_rate": 0.001, "funding_interval_hours": 1}))


@pytest.mark.parametrize("kind", ["BustTrade", "AdlTrade"])
def test_liquidation_and_auto_deleveraging(tmp_path, kind):
    """Forced fills change the quantity: the books follow, and nothing is frozen."""
    series = tape()
    values = series.values.copy()
    values[55:, :4] *= 0.7  # the stop lies farther away than that
    costs = COSTS.model_copy(update={"leverage": 20.0})

    async def act(scene):
        executions = scene.server.desk.executions
        tell = scene.server._envelope

        def envelope(topic, row):
            if topic == "execution" and row["execType"] == "BustTrade":
                row["execType"] = kind
            return tell(topic, row)

        scene.server._envelope = envelope
        scene.wish.says = 1
        await scene.close(2)
        held, _ = scene.held()
        await scene.close(3)
        assert executions[-1]["execType"] == kind
        assert fills(scene)[-1].reason is FillReason.LIQUIDATION
        assert fills(scene)[-1].quantity == held > 0
        assert scene.held() == (0, 0)
        assert scene.trader.reasons() == {}

    play(tmp_path, act, series=replace(series, values=values), costs=costs, stop_loss_percent=60.0)


@pytest.mark.parametrize("policy", ["freeze", "adopt"])
def test_what_the_venue_settles_at_the_end_of_a_contract_is_entered_at_its_price(tmp_path, policy):
    """A delivery closes the position without an order of ours; the contract is not traded any more."""
    series = tape()
    values = series.values.copy()
    values[55:, :4] *= 0.7
    costs = COSTS.model_copy(update={"leverage": 20.0})

    async def act(scene):
        known = scene.server.desk._execution

        def delivered(row):
            return known(row | ({"execType": "Delivery"} if row["execType"] == "BustTrade" else {}))

        scene.server.desk._execution = delivered
        scene.wish.says = 1
        await scene.close(2)
        held, _ = scene.held()
        assert held > 0
        await scene.close(3)
        row = scene.server.desk.executions[-1]
        assert row["execType"] == "Delivery"
        await scene.until(lambda: scene.held() == (0, 0) and not scene.trader.reasons())
        last = fills(scene)[-1]
        assert (last.fill_id, last.quantity, last.price) == (row["execId"], held, Decimal(row["execPrice"]))
        assert scene.house.engine.portfolio.equity() == pytest.approx(float(scene.server.desk.venue.equity))

    play(tmp_path, act, series=replace(series, values=values), costs=costs, stop_loss_percent=60.0, policy=policy)


@pytest.mark.parametrize("policy", ["freeze", "adopt"])
@pytest.mark.parametrize("name", ["", "by-hand-1"], ids=["without an id", "with a strange id"])
def test_manual_trade_in_the_same_account(tmp_path, policy, name):
    """Its executions come on our stream: they are told apart from ours, and not entered as if they were."""

    async def act(scene):
        async with gateway_on(scene.server) as human:
            body = {"category": "linear", "symbol": BTC, "side": "Buy", "orderType": "Market", "qty": "0.02"}
            await human._rest.post("/v5/order/create", body | ({"orderLinkId": name} if name else {}))
        await scene.close()
        assert any("by an order without an id" in text or "by order by-hand-1" in text for text in scene.notes())
        told = "the venue holds 0.02, our fills make 0"
        assert told in scene.notes()
        await scene.trader.reconcile()
        await scene.trader.reconcile()
        assert scene.notes().count(told) == 1  # not at every look
        scene.wish.says = 1
        await scene.close(3)
        ours, theirs = scene.held()
        if policy == "freeze":
            assert (ours, theirs) == (0, Decimal("0.02"))
            assert scene.sent() == ([name] if name else [])
            assert scene.trader.standings[BTC].reason == "the venue holds 0.02, our fills make 0"
            return
        assert ours == theirs > Decimal("0.02")
        assert scene.trader.reasons() == {}

    play(tmp_path, act, policy=policy)


@pytest.mark.parametrize(("asked", "words"), [("1000", "was moved to 1000"), ("0", "is gone")])
def test_a_stop_that_is_moved_or_removed_at_the_venue_is_set_again(tmp_path, asked, words):
    """By a person, say: where it lies is compared, not only whether it is there."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        stop, _ = scene.server.desk.venue.protection(BTC)
        assert stop > 1000
        async with gateway_on(scene.server) as human:
            body = {"category": "linear", "symbol": BTC, "stopLoss": asked, "positionIdx": 0}
            await human._rest.post("/v5/position/trading-stop", body)
        assert scene.server.desk.venue.protection(BTC)[0] != stop
        await scene.trader.reconcile()
        assert scene.server.desk.venue.protection(BTC)[0] == stop
        assert scene.told("unprotected") == [f"the position's stop {stop} {words}: set again"]
        value = scene.house.metrics.registry.get_sample_value
        assert value("triptych_reconciliation_differences_total", {"symbol": BTC}) == 1
        await scene.trader.reconcile()
        assert len(scene.told("unprotected")) == 1

    play(tmp_path, act)


def test_an_entry_that_was_decided_on_too_late_is_not_sent(tmp_path):
    async def act(scene):
        scene.trader._dispatcher._market_clock = late = ManualClock(0)
        scene.wish.says = 1
        step = scene.server.tape.now_ms
        late.set(step + 60_000 + 16_000)
        await scene.close()
        assert scene.sent() == []
        assert scene.denials() == ["the candle closed 16.0 s ago, an entry leaves within 15 s"]

    play(tmp_path, act)


def test_an_order_is_counted_as_unknown_while_the_venue_cannot_be_asked_and_ready_says_what_readyz_says(tmp_path):
    async def act(scene):
        value = scene.house.metrics.registry.get_sample_value
        assert (value("triptych_unknown_orders"), value("triptych_ready")) == (0, 1)
        scene.server.faults.add(RestFault(kind="lose_request", path=CREATE))
        scene.wish.says = 1
        await scene.close()
        assert (value("triptych_unknown_orders"), value("triptych_ready")) == (1, 0)
        scene.server.faults.add(RestFault(kind="maintenance", path="/v5/execution/list", times=10_000))
        assert await scene.trader.reconcile() is False
        assert (value("triptych_unknown_orders"), value("triptych_ready")) == (1, 0)
        scene.server.faults.clear()
        await scene.trader.turn(Switch.CLOSE_ONLY, by="anna", reason="")
        assert value("triptych_ready") == 0

    play(tmp_path, act)


def test_a_venue_that_cannot_be_asked_is_asked_again_soon_then_later_and_both_its_ends_are_told_of_once(tmp_path):
    async def act(scene):
        scene.server.faults.add(RestFault(kind="http_status", code=500, path="/v5/execution/list", times=10_000))
        assert await scene.trader.reconcile() is False
        value = scene.house.metrics.registry.get_sample_value
        assert value("triptych_ready") == 0
        failed_s = time.monotonic()
        reason = (
            "GET /v5/execution/list had no answer after 5 attempts: GET /v5/execution/list was answered with HTTP 500."
        )
        assert scene.trader.reasons()["venue"] == "it could not be asked when it last was"
        assert scene.trader.standings[BTC].reason == reason
        await scene.until(lambda: scene.trader.silence.failures >= 4)
        assert 0.3 < scene.trader.silence.wait_s(first_s=0.1, longest_s=30) <= 0.8 * 2
        blind_s = time.monotonic() - failed_s
        assert value("triptych_reconciliation_age_seconds") > blind_s
        scene.server.faults.clear()
        await scene.until(lambda: not scene.trader.reasons())  # without a candle
        age_s = value("triptych_reconciliation_age_seconds")
        assert age_s < time.monotonic() - failed_s
        first, last = scene.told("unreachable")
        assert first == reason
        assert re.fullmatch(r"the venue answers again, after \d attempts in \d+\.\d s", last)
        assert scene.notes() == [first, last]
        assert value("triptych_ready") == 1

    play(tmp_path, act)


@pytest.mark.parametrize("says", [-1, 1], ids=["and goes on", "and is given up"])
def test_a_turn_that_is_filled_in_part_keeps_the_stop_of_the_side_that_is_held(tmp_path, says):
    """Close and entry of a turn are cut off at the venue, again and again: nobody asks for the other side's stop."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(8)
        signs = {scene.held()[1] > 0}
        scene.wish.says = -1
        for _ in range(8):
            await scene.close()
            scene.wish.says = says
            await scene.trader.reconcile()
            ours, theirs = scene.held()
            assert ours == theirs != 0
            signs.add(theirs > 0)
            stop, target = scene.server.desk.venue.protection(BTC)
            assert scene.trader.books.stops[BTC] == (stop, target)
            assert (stop < scene.server.desk.venue.mark(BTC)) == (theirs > 0)
        assert signs == ({True, False} if says < 0 else {True})
        assert scene.told("unprotected") == []
        # What the books want after a restart is what they want now.
        before = scene.trader.books.stops
        scene.trader.books.recover()
        assert scene.trader.books.stops == before
        assert (scene.steps()[-1].stops, scene.trader.reasons()) == (before, {})

    play(tmp_path, act, costs=COSTS.model_copy(update={"fill_share": 0.002}))


async def take_the_stop_away(scene):
    async with gateway_on(scene.server) as human:
        body = {"category": "linear", "symbol": BTC, "stopLoss": "0", "positionIdx": 0}
        await human._rest.post("/v5/position/trading-stop", body)


def test_a_stop_that_is_gone_while_the_price_lies_beyond_it_closes_the_position(tmp_path):
    series = tape()
    values = series.values.copy()
    values[53:, :4] -= 1_500  # the stop lies 1,000 below

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        stop = scene.trader.books.stops[BTC][0]
        await take_the_stop_away(scene)
        await scene.close()
        reason = f"the position's stop {stop} is gone, and could not be set again"
        assert scene.trader.reasons() == {BTC: reason}
        ours, theirs = scene.held()
        assert ours == theirs > 0
        closing = scene.steps()[-2:]
        (order,) = [one for step in closing if step.cause == "stop" for one in step.commands]
        assert (order.reduce_only, order.quantity, order.reason) == (True, ours, reason)
        await scene.close()
        assert scene.held() == (0, 0)
        await scene.until(lambda: not scene.trader.reasons())
        sent = len(scene.sent())
        await scene.close(2)
        assert len(scene.sent()) == sent  # as after a stop, the side waits for a new signal
        assert scene.told("unprotected")[0] == f"the position's stop {stop} is gone: set again"

    play(tmp_path, act, series=replace(series, values=values))


def test_a_stop_that_the_venue_refuses_twice_closes_the_position(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        path = "/v5/position/trading-stop"
        await take_the_stop_away(scene)
        scene.server.faults.add(RestFault(kind="refuse", code=10001, path=path, times=2))
        await scene.trader.reconcile()
        assert [one for one in scene.trader.books.under_way if one.reduce_only] == []
        assert scene.trader.reasons() != {}
        await scene.until(lambda: any(one.reduce_only for one in scene.trader.books.under_way))
        (exit_,) = [one.order_id for one in scene.trader.books.under_way if one.reduce_only]
        await scene.until(lambda: exit_ in scene.sent())  # on its way is not yet there
        await scene.close()
        assert scene.held() == (0, 0)

    play(tmp_path, act)


def test_a_stop_that_is_refused_once_is_set_again(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        stop = scene.server.desk.venue.protection(BTC)
        await take_the_stop_away(scene)
        scene.server.faults.add(RestFault(kind="refuse", code=10001, path="/v5/position/trading-stop"))
        await scene.trader.reconcile()
        await scene.until(lambda: not scene.trader.reasons())
        assert scene.server.desk.venue.protection(BTC) == stop
        await scene.close()
        ours, theirs = scene.held()
        assert ours == theirs > 0

    play(tmp_path, act)


def test_what_a_kill_writes_while_nobody_answers_is_no_proof_that_executions_were_asked_for(tmp_path):
    """A kill writes a step at every attempt. Executions of the outage before it must be asked for after a restart."""

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        decided = [entry.time_ms for entry in scene.house.journal.entries(kinds=(StepRecorded,))][-1]
        async with scene.trader.between_decisions():
            await asyncio.sleep(0.05)
            await scene.trader._carry_out_closes(())
            assert scene.steps()[-1].cause == "switch"
            scene.trader.books.recover()
            assert scene.trader.books.recovered_ms == decided

    play(tmp_path, act)
