"""Our own client against the simulated exchange, over real sockets, with and without faults."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.fakes.served import COSTS, MINUTE, START, Listener, gateway_on, server_on, tape

from triptych.domain import (
    CancelOrder,
    FillReason,
    FundingPaid,
    OrderFilled,
    OrderRejected,
    OrderReport,
    OrderStatus,
    OrderType,
    PositionReport,
    Side,
    StreamState,
    SubmitOrder,
    SystemClock,
    WalletReport,
)
from triptych.domain.errors import AuthenticationRefused, ExchangeError, RateLimited
from triptych.exchanges.simulated import SimulatedExchange
from triptych.exchanges.simulated.server import RestFault, StreamFaults
from triptych.live.intake import Intake

NOW = SystemClock().now_ms


def order(name="c1", side=Side.BUY, quantity="0.100", **changes):
    return SubmitOrder(order_id=name, symbol="BTCUSDT", side=side, quantity=Decimal(quantity), time_ms=START, **changes)


def trial(play, **options):
    """Run one scene on a fresh server with our gateway."""

    async def run():
        async with server_on(**options.pop("server", {})) as server, gateway_on(server, **options) as gateway:
            await gateway.time_ms()
            return await play(server, gateway)

    return asyncio.run(run())


def is_up(message):
    return isinstance(message, StreamState) and message.is_up


def has_status(status, name="c1"):
    return lambda one: isinstance(one, OrderReport) and one.order_id == name and one.status is status


def test_an_order_is_accepted_filled_at_the_next_open_and_told_on_the_stream():
    async def play(server, gateway):
        async with Listener(gateway.stream()) as stream:
            await stream.until(is_up)
            answer = await gateway.submit(order(stop_loss=Decimal(19000)), signed_ms=NOW())
            assert answer.outcome == "accepted"
            assert answer.venue_id
            await stream.until(has_status(OrderStatus.OPEN))
            await server.step()
            await stream.until(has_status(OrderStatus.FILLED))
            position = await stream.until(lambda one: isinstance(one, PositionReport))
            await stream.until(lambda one: isinstance(one, WalletReport))
        fill = next(one for one in stream.heard if isinstance(one, OrderFilled))
        assert (fill.order_id, fill.quantity, fill.time_ms) == ("c1", Decimal("0.1"), START + 50 * MINUTE)
        assert fill.reference_price == Decimal(str(tape().values[50, 0]))
        assert (position.quantity, position.stop_loss) == (Decimal("0.1"), Decimal(19000))
        asked = (await gateway.positions(["BTCUSDT"]))["BTCUSDT"]
        assert (asked.quantity, asked.entry_price) == (position.quantity, fill.price)
        assert await gateway.executions(["BTCUSDT"], NOW() - 60_000) == [fill]
        assert await gateway.executions(["BTCUSDT"], NOW() + 500) == []
        wallet = await gateway.wallet()
        assert wallet.equity == server.desk.venue.equity

    trial(play)


def test_the_same_commands_give_the_same_fills_over_the_wire_as_on_the_venue_itself():
    """Twelve orders with stops, targets and limits; every fill is compared, number by number."""
    plan = {}
    sides = [Side.BUY, Side.SELL]
    for n in range(12):
        at, side = 50 + 8 * n, sides[n % 2]
        price = Decimal(str(tape().values[at - 1, 3]))
        limits = {"type": OrderType.LIMIT, "limit_price": price - 5 * side.sign} if n % 3 == 2 else {}
        plan[at] = order(
            f"c{n}", side, "0.200", stop_loss=price - 25 * side.sign, take_profit=price + 25 * side.sign, **limits
        )

    async def play(server, gateway):
        async with Listener(gateway.stream()) as stream:
            await stream.until(is_up)
            for at in range(50, 200):
                if at in plan:
                    assert (await gateway.submit(plan[at], signed_ms=NOW())).outcome == "accepted"
                await server.step()
            last = server.desk.executions[-1]["execId"]
            await stream.until(lambda one: isinstance(one, OrderFilled) and one.fill_id == last)
        return [one for one in stream.heard if isinstance(one, OrderFilled)]

    over_the_wire = trial(play)
    venue, direct = SimulatedExchange([tape().instrument], COSTS, Decimal(10_000)), []
    for at in range(200):
        if at in plan:
            assert not any(isinstance(event, OrderRejected) for event in venue.submit(plan[at]))
        direct += [event for event in venue.on_candle(tape().candle(at)) if isinstance(event, OrderFilled)]
    assert len(direct) == len(over_the_wire) > 12
    assert {one.reason for one in direct} >= {FillReason.ORDER, FillReason.STOP_LOSS, FillReason.TAKE_PROFIT}
    for ours, theirs in zip(over_the_wire, direct, strict=True):
        wanted = (
            theirs.order_id if theirs.reason is FillReason.ORDER else ""
        )  # the venue's own orders have no id of ours
        assert (ours.order_id, ours.reason) == (wanted, theirs.reason)
        for name in ("fill_id", "side", "quantity", "price", "fee", "is_maker", "time_ms", "reference_price"):
            assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize(("kind", "arrived"), [("lose_reply", True), ("lose_request", False)])
def test_a_lost_answer_is_unknown_and_asking_tells(kind, arrived):
    async def play(server, gateway):
        server.faults.add(RestFault(kind=kind, path="/v5/order/create"))
        assert (await gateway.submit(order(), signed_ms=NOW())).outcome == "unknown"
        found = await gateway.find_order("c1", "BTCUSDT")
        assert (found is not None) is arrived
        again = await gateway.submit(order(), signed_ms=NOW())
        assert again.outcome == "accepted"
        assert len(server.desk.orders) == 1
        assert ("duplicate" in again.text) is arrived

    trial(play)


def test_an_order_can_be_rejected_after_it_was_accepted():
    async def play(server, gateway):
        async with Listener(gateway.stream()) as stream:
            await stream.until(is_up)
            server.faults.add(RestFault(kind="reject_later", path="/v5/order/create"))
            assert (await gateway.submit(order(), signed_ms=NOW())).outcome == "accepted"
            rejected = await stream.until(has_status(OrderStatus.REJECTED))
            assert rejected.reason == "EC_PerCancelRequest"
        assert (await gateway.find_order("c1", "BTCUSDT")).status is OrderStatus.REJECTED

    trial(play)


def test_rate_limits_are_waited_out_and_maintenance_is_unknown():
    async def play(server, gateway):
        server.faults.add(RestFault(kind="rate_limit", path="/v5/order/create", times=2))
        assert (await gateway.submit(order(), signed_ms=NOW())).outcome == "accepted"
        server.faults.add(RestFault(kind="maintenance", path="/v5/order/create"))
        assert (await gateway.submit(order("c2"), signed_ms=NOW())).outcome == "unknown"
        server.faults.add(RestFault(kind="maintenance", path="/v5/position", times=3))
        assert (await gateway.positions(["BTCUSDT"]))["BTCUSDT"].quantity == 0
        server.faults.maintenance = True
        with pytest.raises(ExchangeError, match="had no answer after 5 attempts"):
            await gateway.wallet()
        async with Listener(gateway.stream()) as stream:
            down = await stream.until(lambda one: isinstance(one, StreamState))
            assert "cannot be reached" in down.reason
            server.faults.clear()
            await stream.until(is_up)
        assert (await gateway.wallet()).equity == 10_000

    trial(play)


def test_a_403_stops_all_requests():
    async def play(server, gateway):
        server.faults.add(RestFault(kind="http_status", code=403, path="/v5/account"))
        with pytest.raises(RateLimited):
            await gateway.wallet()
        assert (await gateway.submit(order(), signed_ms=NOW())).outcome == "rejected"
        assert server.desk.orders == {}

    trial(play)


@pytest.mark.parametrize("skew_ms", [-5000, 5000, 3_600_000])
def test_a_skewed_clock_is_learned_from_replies(skew_ms):
    async def play(server, gateway):
        server.faults.clock_skew_ms = skew_ms
        assert (await gateway.wallet()).equity == 10_000
        assert (await gateway.submit(order(), signed_ms=NOW())).outcome == "accepted"
        async with Listener(gateway.stream()) as stream:
            await stream.until(is_up)

    trial(play)


def test_orders_can_be_listed_withdrawn_and_found_closed():
    async def play(server, gateway):
        limit = {"type": OrderType.LIMIT, "limit_price": Decimal(15000)}
        for n in range(3):
            await gateway.submit(order(f"c{n}", **limit), signed_ms=NOW())
        assert [one.order_id for one in await gateway.open_orders(["BTCUSDT"])] == ["c2", "c1", "c0"]
        cancel = CancelOrder(order_id="c1", symbol="BTCUSDT", time_ms=START)
        assert (await gateway.cancel(cancel, signed_ms=NOW())).outcome == "accepted"
        assert (await gateway.cancel(cancel, signed_ms=NOW())).outcome == "rejected"
        found = await gateway.find_order("c1", "BTCUSDT")
        assert (found.status, found.reason) == (OrderStatus.CANCELLED, "CancelByUser")
        assert await gateway.find_order("never", "BTCUSDT") is None
        assert len(await gateway.open_orders(["BTCUSDT"])) == 2

    trial(play)


def test_stop_and_target_can_be_moved_and_close_the_position():
    async def play(server, gateway):
        await gateway.submit(order(), signed_ms=NOW())
        await server.step()
        refused = await gateway.protect("BTCUSDT", stop_loss=Decimal(50_000), take_profit=None)
        assert refused.outcome == "rejected"
        assert "wrong side" in refused.text
        stop = Decimal("19999.9") if tape().values[50, 3] > 20_000 else Decimal(10_000)
        answer = await gateway.protect("BTCUSDT", stop_loss=stop, take_profit=Decimal(90_000))
        # A move whose reply was lost is asked for again: it lies there already.
        assert answer == await gateway.protect("BTCUSDT", stop_loss=stop, take_profit=Decimal(90_000))
        assert answer.outcome == "accepted"
        held = (await gateway.positions(["BTCUSDT"]))["BTCUSDT"]
        assert (held.stop_loss, held.take_profit) == (stop, Decimal(90_000))
        await gateway.protect("BTCUSDT", stop_loss=stop, take_profit=None)
        assert (await gateway.positions(["BTCUSDT"]))["BTCUSDT"].take_profit is None

    trial(play)


def test_stop_and_target_are_listed_as_the_venue_lists_them_and_are_none_of_the_open_orders():
    async def play(server, gateway):
        async def rows():
            asked = {"category": "linear", "symbol": "BTCUSDT", "openOnly": 0}
            found = (await gateway._rest.get("/v5/order/realtime", asked, signed=True)).result.list("list")
            return {row["stopOrderType"]: row for row in found}

        await gateway.submit(order(), signed_ms=NOW())
        await server.step()
        await gateway.protect("BTCUSDT", stop_loss=Decimal(10_000), take_profit=Decimal(90_000))
        found = await rows()
        told = ("orderStatus", "side", "triggerPrice", "triggerDirection", "closeOnTrigger", "reduceOnly", "qty")
        held = (await gateway.positions(["BTCUSDT"]))["BTCUSDT"].quantity
        assert {kind: [row[name] for name in told] for kind, row in found.items()} == {
            "StopLoss": ["Untriggered", "Sell", "10000", 2, True, True, str(held)],
            "TakeProfit": ["Untriggered", "Sell", "90000", 1, True, True, str(held)],
        }
        assert await gateway.open_orders(["BTCUSDT"]) == []
        await gateway.protect("BTCUSDT", stop_loss=Decimal(11_000), take_profit=Decimal(90_000))
        moved = await rows()
        assert moved["StopLoss"]["orderId"] == found["StopLoss"]["orderId"]
        assert moved["StopLoss"]["triggerPrice"] == "11000"
        await gateway._rest.post("/v5/order/cancel", {
            "category": "linear", "symbol": "BTCUSDT", "orderId": moved["TakeProfit"]["orderId"],
        })  # fmt: skip
        assert (await gateway.positions(["BTCUSDT"]))["BTCUSDT"].take_profit is None
        await gateway._rest.post("/v5/order/cancel-all", {
            "category": "linear", "symbol": "BTCUSDT", "orderFilter": "Order",
        })  # fmt: skip
        assert list(await rows()) == ["StopLoss"]
        await gateway._rest.post("/v5/order/cancel-all", {"category": "linear", "symbol": "BTCUSDT"})
        assert (await rows(), (await gateway.positions(["BTCUSDT"]))["BTCUSDT"].stop_loss) == ({}, None)

    trial(play)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (order(quantity="1000"), 110007),
        (order(reduce_only=True), 110017),
        (order(quantity="0.0001"), 10001),
        (order(type=OrderType.LIMIT, limit_price=Decimal("1.0")), 110094),
    ],
)
def test_what_the_venue_refuses_carries_its_code(wish, code):
    async def play(server, gateway):
        answer = await gateway.submit(wish, signed_ms=NOW())
        assert answer.outcome == "rejected"
        assert f"(code {code})" in answer.text

    trial(play)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"triggerPrice": "25000", "triggerDirection": 1}, "triggerPrice"),
        ({"orderType": "Limit", "price": "15000", "timeInForce": "FOK"}, "timeInForce FOK"),
        ({"orderType": "Limit", "price": "15000", "timeInForce": "PostOnly"}, "timeInForce PostOnly"),
        ({"orderType": "Limit", "price": "15000", "timeInForce": "IOC"}, "timeInForce IOC"),
        ({"timeInForce": "FOK"}, "timeInForce FOK"),
        ({"stopLoss": "15000", "tpslMode": "Partial"}, "tpslMode Partial"),
        ({"stopLoss": "15000", "slOrderType": "Limit", "slLimitPrice": "14990"}, "slLimitPrice"),
        ({"orderFilter": "StopOrder"}, "orderFilter StopOrder"),
        ({"closeOnTrigger": True}, "closeOnTrigger"),
    ],
)
def test_what_would_be_filled_in_another_way_than_it_is_meant_is_refused(words, named):
    async def play(server, gateway):
        body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1"}
        with pytest.raises(ExchangeError) as caught:
            await gateway._rest.post("/v5/order/create", body | words)
        assert caught.value.message == (
            f"Bybit refused POST /v5/order/create: params error: {named} is not served by this simulated exchange "
            "(code 10001)."
        )
        await server.step()
        assert (server.desk.orders, server.desk.venue.position("BTCUSDT").quantity) == ({}, 0)

    trial(play)


def test_a_trailing_stop_of_the_venue_and_a_condition_by_amendment_are_refused():
    async def play(server, gateway):
        await gateway.submit(order("resting", type=OrderType.LIMIT, limit_price=Decimal(15_000)), signed_ms=NOW())
        asked = {"category": "linear", "symbol": "BTCUSDT"}
        for path, words in (
            ("/v5/position/trading-stop", {"trailingStop": "50"}),
            ("/v5/order/amend", {"orderLinkId": "resting", "triggerPrice": "14000"}),
        ):
            with pytest.raises(ExchangeError, match="is not served by this simulated exchange"):
                await gateway._rest.post(path, asked | words)
        await gateway._rest.post("/v5/order/amend", asked | {"orderLinkId": "resting", "price": "15001"})

    trial(play)


def test_a_wrong_secret_stops_both_ways():
    async def play(server, gateway):
        with pytest.raises(AuthenticationRefused, match="error sign!"):
            await gateway.wallet()
        async with Listener(gateway.stream()) as stream:
            with pytest.raises(AuthenticationRefused):
                await stream.until(is_up)

    trial(play, secret="wrong")


@pytest.mark.parametrize("fault", ["cut", "freeze"])
def test_a_dead_stream_is_noticed_and_made_anew(fault):
    async def play(server, gateway):
        async with Listener(gateway.stream()) as stream:
            await stream.until(is_up)
            if fault == "cut":
                await server.cut()
            else:
                server.freeze()
            down = await stream.until(lambda one: isinstance(one, StreamState) and not one.is_up)
            assert ("closed the connection" if fault == "cut" else "nothing was heard for") in down.reason
            await stream.until(lambda _: sum(map(is_up, stream.heard)) >= 2)
            await gateway.submit(order("after"), signed_ms=NOW())
            await stream.until(has_status(OrderStatus.OPEN, "after"))

    trial(play, **({"heartbeat_s": 1.0, "grace_s": 1.0} if fault == "freeze" else {}))


@pytest.mark.parametrize("seed", range(3))
def test_lost_doubled_and_swapped_messages_end_like_the_clean_tape_once_the_venue_was_asked(seed):
    async def play(server, gateway):
        server.faults.stream = StreamFaults(lose=0.3, double=0.3, swap=0.3)
        intake, events = Intake(), []
        for n in range(10):
            intake.track(order(f"c{n}", [Side.BUY, Side.SELL][n % 2]))
        intake.track(order("last"))
        async with Listener(gateway.stream()) as stream:
            await stream.until(is_up)
            for n in range(10):
                await gateway.submit(order(f"c{n}", [Side.BUY, Side.SELL][n % 2]), signed_ms=NOW())
                await server.step()
            server.faults.stream = StreamFaults()
            await gateway.submit(order("last"), signed_ms=NOW())
            await stream.until(has_status(OrderStatus.OPEN, "last"))
        for message in stream.heard:
            if isinstance(message, OrderReport):
                events += intake.on_report(message)
            elif isinstance(message, OrderFilled | FundingPaid):
                events += intake.on_executions([message])
        events += intake.on_executions(await gateway.executions(["BTCUSDT"], NOW() - 600_000))
        for n in range(10):
            events += intake.on_report(await gateway.find_order(f"c{n}", "BTCUSDT"))
        assert sorted(one.fill_id for one in events) == sorted(row["execId"] for row in server.desk.executions)
        assert [one.order_id for one in intake.under_way] == ["last"]
        assert not intake.lacks_fills("BTCUSDT")
        held = sum(one.side.sign * one.quantity for one in events)
        assert held == server.desk.venue.position("BTCUSDT").quantity

    trial(play, server={"seed": seed})


@pytest.mark.parametrize(("costs", "filled"), [({"fill_share": 0.001}, True), ({"market_price_cap": 1e-9}, False)])
def test_a_market_order_can_end_filled_in_part_or_not_at_all(costs, filled):
    """Bybit turns market orders into immediate-or-cancel limits."""

    async def play(server, gateway):
        async with Listener(gateway.stream()) as stream:
            await stream.until(is_up)
            await gateway.submit(order(quantity="0.500"), signed_ms=NOW())
            await server.step()
            ended = await stream.until(has_status(OrderStatus.CANCELLED))
        share = Decimal(str(tape().values[50, 4])) * Decimal("0.001") // Decimal("0.001") * Decimal("0.001")
        assert ended.filled == (share if filled else 0)
        assert (await gateway.positions(["BTCUSDT"]))["BTCUSDT"].quantity == ended.filled

    trial(play, server={"costs": COSTS.model_copy(update=costs | {"half_spread_bp": 5.0})})


def test_orders_go_over_the_trade_stream_too():
    import json

    import aiohttp

    from triptych.exchanges.bybit.credentials import Credentials
    from triptych.exchanges.bybit.signing import login_arguments

    async def play(server, gateway):
        credentials = Credentials(key="key", secret="secret")
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"ws://{server.host}:{server.port}/v5/trade") as socket,
        ):
            body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1"}
            create = {"reqId": "1", "op": "order.create", "args": [body | {"orderLinkId": "ws-1"}]}
            await socket.send_json(create)
            assert (await socket.receive_json())["retCode"] == 20001
            await socket.send_json({"op": "auth", "args": login_arguments(credentials, expires_ms=NOW() + 5000)})
            assert (await socket.receive_json())["retCode"] == 0
            await socket.send_json(create)
            answer = json.loads(await socket.receive_str())
        assert (answer["retCode"], answer["reqId"], answer["data"]["orderLinkId"]) == (0, "1", "ws-1")
        assert (await gateway.find_order("ws-1", "BTCUSDT")).venue_id == answer["data"]["orderId"]

    trial(play)


def test_funding_is_told_as_money_and_changes_no_quantity():
    costs = COSTS.model_copy(update={"funding_rate": 0.001, "funding_interval_hours": 1})

    async def play(server, gateway):
        async with Listener(gateway.stream()) as stream:
            await stream.until(is_up)
            await gateway.submit(order(), signed_ms=NOW())
            await server.step(11)
            paid = await stream.until(lambda one: isinstance(one, FundingPaid))
        mark = Decimal(str(tape().values[59, 3]))
        assert (paid.amount, paid.time_ms) == (mark * Decimal("0.0001"), START + 60 * MINUTE)
        assert (await gateway.positions(["BTCUSDT"]))["BTCUSDT"].quantity == Decimal("0.1")
        assert [type(one) for one in await gateway.executions(["BTCUSDT"], NOW() - 60_000)] == [
            OrderFilled,
            FundingPaid,
        ]

    trial(play, server={"costs": costs})


def test_a_liquidation_is_told_as_a_forced_fill():
    series = tape()
    values = series.values.copy()
    values[60:, :4] *= 0.7  # far beyond what leverage 5 can bear
    fallen = replace(series, values=values)

    async def run():
        async with server_on(fallen) as server, gateway_on(server) as gateway:
            await gateway.submit(order(), signed_ms=NOW())
            await server.step(11)
            return await gateway.executions(["BTCUSDT"], NOW() - 60_000), (await gateway.positions(["BTCUSDT"]))[
                "BTCUSDT"
            ]

    (entry, forced), held = asyncio.run(run())
    assert (entry.reason, forced.reason) == (FillReason.ORDER, FillReason.LIQUIDATION)
    assert (forced.quantity, forced.side, forced.order_id, held.quantity) == (Decimal("0.1"), Side.SELL, "", 0)


def test_executions_are_asked_for_no_farther_back_than_the_venue_keeps_them():
    spans = []

    async def play(server, gateway):
        asked_for = gateway._account_rows

        async def noted(path, symbols, asked):
            spans.append((asked["startTime"], asked["endTime"]))
            return await asked_for(path, symbols, asked)

        gateway._account_rows = noted
        assert await gateway.executions(["BTCUSDT"], 0) == []

    trial(play)
    day, week = 86_400_000, 7 * 86_400_000
    assert abs(NOW() - spans[0][0] - 730 * day) < day / 24
    assert [start for start, _ in spans[1:]] == [end + 1 for _, end in spans[:-1]]
    assert max(end - start for start, end in spans) < week
    assert abs(NOW() - spans[-1][1]) < day / 24
