"""The control server over real sockets, on a house that trades on paper."""

import asyncio
import contextlib
import json

import aiohttp
import pytest
from tests.fakes.market import walk
from tests.live.house import House, closes, paper

from triptych.domain.errors import StorageError
from triptych.exchanges.simulated.tape import TapeSource
from triptych.live.control import Access, ControlServer, SessionView, Watched
from triptych.live.gate import Config as GateConfig
from triptych.live.journal import Journal, Switch, SwitchSet

SERIES = [walk(60, seed=3, symbol="AAA", momentum=0.3)]
TOKEN = "sixteen-letters-or-more"
SIGNED = {"Authorization": f"Bearer {TOKEN}"}


@contextlib.asynccontextmanager
async def served(path, count=30, port=0):
    """A house after `count` closes, its server's URL, and a function that asks it."""
    tape = TapeSource(SERIES, start_ms=0)
    clock, gateway = paper(SERIES, tape.clock)
    house = House(path / "j.db", [SERIES[0].instrument], gateway, clock)
    candles = Watched(tape)
    await house.trader.start()
    for candle in list(closes(SERIES))[:count]:
        clock.set(candle[0].close_time_ms)
        gateway.on_candles(candle)
        for message in gateway.pending():
            await house.trader.on_message(message)
        await house.trader.on_candles(candle)
    await candles.history("AAA", 0, clock.now_ms())
    view = SessionView(
        name="house", venue="paper", timeframe="1h", symbols=["AAA"], models=[("model", "/runs/eye")],
        trader=house.trader, ladder=house.ladder, metrics=house.metrics, reports=house.trader._reconciler.reports,
        gate=GateConfig(), data_age_s=lambda _: float("inf"), market_clock=clock, clock=clock, journal="j.db",
    )  # fmt: skip
    server = ControlServer(view, candles, Journal.read(path / "j.db", "house"), Access(host="127.0.0.1", token=TOKEN))
    port = await server.start(port)
    async with aiohttp.ClientSession() as session:

        async def ask(method, where, headers=SIGNED, **options):
            url = f"http://127.0.0.1:{port}{where}"
            async with session.request(method, url, headers=headers, **options) as answer:
                return answer.status, await answer.json()

        try:
            yield house, ask, port
        finally:
            await server.stop()
            house.close()


def on_a_house(path, check, **options):
    async def run():
        async with served(path, **options) as (house, ask, port):
            return await check(house, ask, port)

    return asyncio.run(run())


def test_the_state_is_that_of_the_house(tmp_path):
    async def check(house, ask, _):
        status, state = await ask("GET", "/api/session")
        portfolio = house.engine.portfolio
        assert status == 200
        assert (state["name"], state["ready"], state["reasons"], state["on_duty"]) == ("house", True, {}, 0)
        assert state["account"]["equity"] == portfolio.equity()
        (position,) = state["positions"]
        assert position["quantity"] == str(portfolio.position("AAA").quantity) != "0"
        assert position["stop"] == position["venue"]["stop"] is not None
        assert position["venue"]["quantity"] == position["quantity"]
        assert position["data_age_s"] is None  # infinity is not JSON
        assert state["models"] == [
            {"name": "model", "off_duty": False, "busy": False, "failures": 0, "folder": "/runs/eye"}
        ]
        assert {"triptych_decision_seconds_bucket", "triptych_equity_quote"} <= {m["name"] for m in state["metrics"]}

    on_a_house(tmp_path, check)


def test_candles_and_entries_are_told_from_where_one_is(tmp_path):
    async def check(house, ask, _):
        _, found = await ask("GET", "/api/candles?symbol=AAA&from=0")
        assert found["rows"][0] == [0, *map(float, SERIES[0].values[0])]
        _, later = await ask("GET", f"/api/candles?symbol=AAA&from={found['rows'][5][0]}")
        assert later["rows"] == found["rows"][5:]
        _, first = await ask("GET", "/api/journal?after=0&limit=3")
        _, rest = await ask("GET", "/api/journal?after=3")
        assert [row["seq"] for row in first["rows"]] == [1, 2, 3]
        assert rest["rows"][-1]["seq"] == first["newest"] == rest["newest"]
        assert json.loads(first["rows"][0]["body"])["close_ms"] == SERIES[0].candle(0).close_time_ms

    on_a_house(tmp_path, check)


@pytest.mark.parametrize("number", ["9" * 23, "\u00b2", "-1", "1.5", ""])
def test_what_is_no_number_is_refused_in_words(tmp_path, number):
    async def check(_, ask, __):
        assert await ask("GET", f"/api/journal?after={number}") == (
            400,
            {"error": "after and limit are whole numbers."},
        )
        assert await ask("GET", f"/api/candles?symbol=AAA&from={number}") == (
            400,
            {"error": "from is a time in UTC milliseconds."},
        )

    on_a_house(tmp_path, check, count=3)


def test_killing_closes_the_position_and_is_written_down(tmp_path):
    async def check(house, ask, _):
        held = house.engine.portfolio.position("AAA").quantity
        said = {"switch": "killed", "confirm": "house", "reason": "a\nstorm"}
        status, done = await ask("POST", "/api/switch", json=said)
        assert (status, done["switch"], len(done["orders"])) == (200, "killed", 1)
        (order,) = house.trader.books.under_way
        assert (order.quantity, order.reduce_only) == (abs(held), True)
        assert house.journal.switch() == SwitchSet(switch=Switch.KILLED, by="the dashboard", reason="a storm")
        _, state = await ask("GET", "/api/session")
        assert state["switch"] == {
            "state": "killed",
            "by": "the dashboard",
            "reason": "a storm",
            "closure": {k: v for k, v in done.items() if k != "switch"},
        }
        assert state["reasons"] == {"switch": "it stands at killed"}

    on_a_house(tmp_path, check)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
@pytest.mark.parametrize(
    ("method", "where"), [("GET", "/api/session"), ("GET", "/api/journal"), ("POST", "/api/switch")]
)
def test_nothing_is_told_or_done_without_the_token(tmp_path, headers, method, where):
    async def check(house, ask, _):
        options = {"json": {"switch": "killed", "confirm": "house"}} if method == "POST" else {}
        assert await ask(method, where, headers=headers, **options) == (
            401,
            {"error": "The token is missing or wrong."},
        )
        assert house.trader.switch is Switch.RUN

    on_a_house(tmp_path, check, count=3)


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        (
            {"switch": "killed", "confirm": "haus"},
            409,
            "Not confirmed: confirm must be the name of the instance, house.",
        ),
        ({"switch": "on fire", "confirm": "house"}, 400, "Expected JSON with switch (run, close_only or killed)"),
        ({"switch": "killed"}, 400, "Expected JSON with switch"),
        ([1], 400, "Expected JSON with switch"),
    ],
)
def test_the_switch_is_turned_only_when_it_is_confirmed(tmp_path, said, status, words):
    async def check(house, ask, _):
        found, content = await ask("POST", "/api/switch", json=said)
        assert found == status
        assert content["error"].startswith(words)
        assert house.trader.switch is Switch.RUN

    on_a_house(tmp_path, check, count=3)


def test_a_name_that_points_here_is_not_answered(tmp_path):
    async def check(_, ask, port):
        status, content = await ask("GET", "/api/session", headers={**SIGNED, "Host": f"evil.example:{port}"})
        assert (status, content) == (421, {"error": "This is not the host that was asked for."})

    on_a_house(tmp_path, check, count=3)


def test_a_taken_port_is_told(tmp_path):
    async def check(house, _, port):
        view = SessionView(
            name="house", venue="", timeframe="", symbols=[], models=[], trader=house.trader, ladder=house.ladder,
            metrics=house.metrics, reports={}, gate=GateConfig(), data_age_s=float, market_clock=house.clock,
            clock=house.clock, journal="",
        )  # fmt: skip
        access = Access(host="127.0.0.1", token=TOKEN)
        other = ControlServer(view, Watched(None), Journal.read(tmp_path / "j.db", "house"), access)
        with pytest.raises(StorageError, match=f"The session cannot be served on 127.0.0.1:{port}: "):
            await other.start(port)

    on_a_house(tmp_path, check, count=3)


def test_a_server_that_can_close_positions_is_not_made_without_a_token():
    with pytest.raises(ValueError, match="The control server takes a token"):
        ControlServer(None, None, None, Access(host="127.0.0.1", token=None))


def test_watched_candles_are_bounded_and_in_order():
    tape = TapeSource(SERIES, start_ms=0)
    watched = Watched(tape, kept=8)

    async def hear():
        return [item async for item in watched.stream()]

    heard = asyncio.run(hear())
    rows = watched.rows("AAA")
    assert len(heard) == 61  # that the stream is up, and every candle
    assert 8 <= len(rows) <= 10
    assert rows == sorted(rows)
    assert rows[-1][0] == SERIES[0].open_time_ms[-1]
    assert watched.rows("BBB") == []
