"""Rules, status and position mode change at the venue while a house runs: over real sockets."""

import asyncio
import time
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.fakes.served import BITCOIN
from tests.live.wired import BTC, PATIENCE, play

from triptych.domain import Listing, ManualClock, utc
from triptych.exchanges.simulated.server import Change, RestFault
from triptych.live.control import SessionView
from triptych.live.monitoring import Metrics
from triptych.live.rules import Config, Rules

# A machine that stands still for a second must not look like a lost connection here.
STEADY = replace(PATIENCE, stream=PATIENCE.stream.model_copy(update={"heartbeat_s": 3.0, "grace_s": 3.0}))
OFTEN = replace(STEADY, rules=Config(every_minutes=0.002, again_seconds=0.1))
SELDOM = replace(STEADY, rules=Config(every_minutes=60, again_seconds=60))
INFO = "/v5/market/instruments-info"
HEDGED = (
    "BTCUSDT: the account holds long and short apart (hedge mode), and every order would be refused, also one that "
    "closes: switch it to one-way positions"
)


def rules_of(scene):
    return scene.trader.rules


def change(scene, **what):
    scene.server.change(Change(symbol=BTC, **what))


def is_ready(scene):
    return scene.house.metrics.instrument_ready.labels(symbol=BTC)._value.get()


def severity(scene, topic):
    return [one[0] for one in scene.house.said if one[1] == topic]


def test_new_rules_count_from_the_next_order_on(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        change(scene, rules={"tickSize": "0.5", "minNotionalValue": "7"})
        await scene.until(lambda: scene.house.engine.instrument(BTC).price_step == Decimal("0.5"))
        words = (
            "the venue's rules have changed, from the next order on: price step 0.1, now 0.5, minimum notional 5, now 7"
        )
        assert scene.told("rules") == [words]
        assert words in scene.notes()
        for says in (-1, 1, -1):
            scene.wish.says = says
            await scene.close(2)
            ours, theirs = scene.held()
            assert ours == theirs
            assert ours * says > 0
            stop, _ = scene.server.desk.venue.protection(BTC)
            assert stop % Decimal("0.5") == 0
        assert set(scene.answers()) == {"accepted"}
        assert scene.trader.reasons() == {}

    play(tmp_path, act, patience=OFTEN)


def test_an_order_that_is_refused_for_its_rules_is_followed_by_a_look(tmp_path):
    async def act(scene):
        await scene.until(lambda: rules_of(scene)._coins)
        await asyncio.sleep(0.1)
        change(scene, rules={"qtyStep": "0.01"})
        scene.wish.says = 1
        await scene.close(1)
        assert scene.answers() == ["rejected"]
        await scene.until(lambda: scene.house.engine.instrument(BTC).quantity_step == Decimal("0.01"))
        await scene.close(2)
        assert scene.answers() == ["rejected", "accepted"]
        ours, theirs = scene.held()
        assert ours == theirs > 0
        assert ours % Decimal("0.01") == 0

    play(tmp_path, act, patience=SELDOM)


def test_a_position_that_does_not_fit_a_new_step_is_told_of(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        held, _ = scene.held()
        change(scene, rules={"qtyStep": "0.1"})
        await scene.until(lambda: scene.told("rules"))
        assert scene.told("rules") == [
            "the venue's rules have changed, from the next order on: quantity step 0.001, now 0.1; "
            f"{held} is held, no multiple of that: the venue may take no close of all of it"
        ]
        assert severity(scene, "rules") == ["critical"]
        scene.wish.says = 0
        await scene.close(2)
        odd = held % Decimal("0.1")
        assert scene.held() == (odd, odd)  # the venue refuses the rest, and must not refuse all
        assert "is not a multiple of the step 0.1" in scene.told("rejected")[0]

    play(tmp_path, act, patience=OFTEN)


def test_an_instrument_that_stops_trading_is_closed_only_until_it_is_traded_again(tmp_path):
    """The venue takes no order at all of it; what is held stays, and is told of."""
    reason = "BTCUSDT is Delivering at the venue and not Trading: nothing is opened"

    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        held, _ = scene.held()
        assert is_ready(scene) == 1
        change(scene, status="Delivering")
        await scene.until(lambda: rules_of(scene).closing_only)
        assert scene.told("instrument") == [
            f"{reason}; {held} is held, and the venue may take no close of it: look there"
        ]
        assert severity(scene, "instrument") == ["critical"]
        assert is_ready(scene) == 0
        assert scene.trader.reasons() == {BTC: reason}
        scene.wish.says = -1
        await scene.close(2)
        assert scene.held() == (held, held)
        assert reason in scene.denials()
        assert scene.server.desk.venue.protection(BTC)[0] is not None
        change(scene, status="Trading")
        await scene.until(lambda: not rules_of(scene).closing_only)
        assert scene.told("instrument")[1:] == ["BTCUSDT is traded again"]
        assert (is_ready(scene), scene.trader.reasons()) == (1, {})
        await scene.close(2)
        ours, theirs = scene.held()
        assert ours == theirs < 0

    play(tmp_path, act, patience=OFTEN)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"status": "PreLaunch"}, "BTCUSDT is PreLaunch at the venue and not Trading: nothing is opened"),
        ({"status": "Settling"}, "BTCUSDT is Settling at the venue and not Trading: nothing is opened"),
        ({"status": "Closed"}, "BTCUSDT is Closed at the venue and not Trading: nothing is opened"),
        ({"is_listed": False}, "BTCUSDT is not listed at the venue any more: nothing is opened"),
        ({"settle_coin": "USDC"}, "BTCUSDT is settled in USDC now and not in USDT: nothing is opened"),
    ],
)
def test_nothing_is_opened_in_what_is_not_traded(tmp_path, what, reason):
    async def act(scene):
        await scene.until(lambda: rules_of(scene)._coins)
        change(scene, **what)
        await scene.until(lambda: rules_of(scene).closing_only)
        scene.wish.says = 1
        await scene.close(3)
        assert scene.sent() == []
        assert scene.told("instrument") == [reason]
        assert severity(scene, "instrument") == ["warning"]
        assert set(scene.denials()) == {reason}
        assert scene.trader.held.reasons == {BTC: reason}
        assert scene.trader.reasons() == {BTC: reason}

    play(tmp_path, act, patience=OFTEN)


def test_what_is_held_is_left_before_the_end_that_the_venue_announces(tmp_path):
    async def act(scene):
        scene.wish.says = 1
        await scene.close(2)
        held, _ = scene.held()
        end = int(time.time() * 1000) + 12 * 3_600_000
        change(scene, delivery_ms=end)
        await scene.until(lambda: rules_of(scene).closing_only)
        reason = f"BTCUSDT ends on {utc(end)} UTC: nothing is opened"
        assert scene.told("instrument") == [f"{reason}; {held} is held, and its exits go on"]
        await scene.close(2)
        assert scene.held() == (held, held)
        soon = int(time.time() * 1000) + 1_800_000
        change(scene, delivery_ms=soon)
        await scene.until(lambda: rules_of(scene).leaving)
        await scene.close(2)
        assert scene.held() == (0, 0)
        last = scene.server.desk.orders[list(scene.server.desk.orders)[-1]]
        assert last.order.reduce_only
        scene.wish.says = -1
        await scene.close(2)
        assert scene.held() == (0, 0)
        assert f"BTCUSDT ends on {utc(soon)} UTC: nothing is opened" in scene.denials()

    play(tmp_path, act, patience=OFTEN)


def test_hedge_mode_found_while_running_stops_entries(tmp_path):
    async def act(scene):
        scene.server.desk.shelf.is_hedged = True
        await scene.until(lambda: rules_of(scene).hedged)
        assert scene.told("instrument") == [HEDGED]
        assert severity(scene, "instrument") == ["critical"]
        assert scene.trader.reasons() == {BTC: HEDGED}
        assert is_ready(scene) == 0
        scene.wish.says = 1
        await scene.close(2)
        assert scene.sent() == []
        scene.server.desk.shelf.is_hedged = False
        await scene.until(lambda: not rules_of(scene).hedged)
        await scene.close(2)
        ours, theirs = scene.held()
        assert ours == theirs > 0

    play(tmp_path, act, patience=OFTEN)


def test_an_order_that_is_refused_for_its_position_mode_is_followed_by_a_look(tmp_path):
    async def act(scene):
        await scene.until(lambda: rules_of(scene)._coins)
        await asyncio.sleep(0.1)
        scene.server.desk.shelf.is_hedged = True
        scene.wish.says = 1
        await scene.close(1)
        assert scene.answers() == ["rejected"]
        await scene.until(lambda: rules_of(scene).hedged)
        await scene.close(2)
        assert scene.answers() == ["rejected"]

    play(tmp_path, act, patience=SELDOM)


def test_decisions_do_not_wait_for_a_venue_that_does_not_tell_its_rules(tmp_path):
    async def act(scene):
        scene.server.faults.add(RestFault(kind="hang", path=INFO, times=10_000))
        for says in (1, -1):
            scene.wish.says = says
            await scene.close(2)
            ours, theirs = scene.held()
            assert ours == theirs
            assert ours * says > 0
        await scene.until(lambda: scene.told("rules"))
        (told,) = scene.told("rules")
        assert told.startswith(
            f"rules and position mode cannot be asked for: GET {INFO} had no answer after 5 attempts"
        )
        assert scene.trader.reasons() == {}
        scene.server.faults.clear()
        change(scene, status="Closed")
        await scene.until(lambda: rules_of(scene).closing_only)

    play(tmp_path, act, patience=OFTEN)


def test_whoever_looks_at_the_session_sees_what_is_closed_only(tmp_path):
    async def act(scene):
        view = SessionView(
            name="x", venue="bybit", timeframe="1m", symbols=[BTC], models=[], trader=scene.trader, ladder=None,
            metrics=scene.house.metrics, reports={}, gate=None, data_age_s=lambda _: 0.0, market_clock=ManualClock(0),
            clock=ManualClock(0), journal="",
        )  # fmt: skip
        assert view._held() == {}
        change(scene, status="Closed")
        await scene.until(lambda: rules_of(scene).closing_only)
        assert view._held() == {BTC: "BTCUSDT is Closed at the venue and not Trading: nothing is opened"}

    play(tmp_path, act, patience=OFTEN)


class Venue:
    """Lists what it is told to."""

    def __init__(self, **status):
        self.status, self.asked = status, []

    async def listings(self, symbols):
        self.asked.append(tuple(symbols))
        if not self.status:
            return None
        return {
            name: Listing(
                instrument=replace(BITCOIN, symbol=name), category="linear", kind="", status=status, base="", quote=""
            )
            for name, status in self.status.items()
        }

    async def hedged(self, symbols):
        self.asked.append(tuple(symbols))
        return ()


class Books:
    """Two instruments, nothing held."""

    def __init__(self):
        self.engine, self.portfolio, self.written = self, self, []
        self.quantity = Decimal(0)

    def instrument(self, symbol):
        return replace(BITCOIN, symbol=symbol)

    def position(self, symbol):
        return self

    def write(self, record):
        self.written.append(record.text)


def rules(venue, told):
    return Rules(
        symbols=["AUSDT", "BUSDT"], gateway=venue, books=Books(), clock=ManualClock(0), metrics=Metrics(),
        config=Config(), note=lambda *words: told.append(words),
    )  # fmt: skip


def test_a_house_stays_ready_while_one_of_its_instruments_is_traded():
    told = []
    venue = Venue(AUSDT="Trading", BUSDT="Closed")
    house = rules(venue, told)
    assert asyncio.run(house.look())
    reason = "BUSDT is Closed at the venue and not Trading: nothing is opened"
    assert (house.closing_only, house.reasons()) == ({"BUSDT": reason}, {})
    assert told == [("warning", "instrument", reason, "BUSDT")]
    assert venue.asked == [("AUSDT", "BUSDT"), ("AUSDT",), ("BUSDT",)]
    venue.status["AUSDT"] = "Closed"
    asyncio.run(house.look())
    assert set(house.reasons()) == {"AUSDT", "BUSDT"}
    assert len(told) == 2


def test_on_paper_nothing_is_asked_again():
    told = []
    venue = Venue()
    assert not asyncio.run(rules(venue, told).look())
    assert (venue.asked, told) == ([("AUSDT", "BUSDT")], [])
