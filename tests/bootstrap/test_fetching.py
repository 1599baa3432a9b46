"""Candles fetched from a venue on the loopback: pages, limits, resumption, what is not closed."""

import json
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from tests.fakes.venue_wire import FakeTimer, ScriptedTransport, http

from triptych.bootstrap import fetch_candles, fetch_listings
from triptych.domain import Timeframe
from triptych.domain.errors import DataError, ExchangeError
from triptych.exchanges.bybit.transport import TransportError
from triptych.market import CandleStore
from triptych.market.funding import read_funding

DAY = 86_400_000
START = 1_700_006_400_000  # 2023-11-15
LAUNCH = START + 3_600_000
NOW = START + 4 * DAY + 90_000  # one and a half minutes into a candle
INTERVAL_MS = 8 * 3_600_000


class Venue(ScriptedTransport):
    """Answers as the venue would; every minute since LAUNCH has a candle, except a hole of ten minutes."""

    def __init__(self, breaks_at=None):
        super().__init__()
        self.breaks_at = breaks_at
        self.pages = []

    async def send(self, method, url, *, headers, body, timeout_s):
        parts = urlsplit(url)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.requests.append((parts.path, asked))
        if parts.path == "/v5/market/kline":
            self.pages.append(asked)
            if self.breaks_at is not None and len(self.pages) > self.breaks_at:
                raise TransportError("connection reset", was_sent=True)
        result = getattr(self, parts.path.rsplit("/", 1)[-1].replace("-", "_"))(asked)
        return http(json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": NOW}))

    def time(self, asked):
        return {"timeSecond": str(NOW // 1000), "timeNano": str(NOW * 1_000_000)}

    def instruments_info(self, asked):
        row = {
            "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC",
            "quoteCoin": "USDT", "settleCoin": "USDT", "launchTime": str(LAUNCH), "deliveryTime": "0",
            "leverageFilter": {"maxLeverage": "100"}, "priceFilter": {"tickSize": "0.1"}, "fundingInterval": 480,
            "lotSizeFilter": {"minOrderQty": "0.001", "qtyStep": "0.001", "minNotionalValue": "5"},
        }  # fmt: skip
        return {"list": [row] if asked.get("symbol", "BTCUSDT") == "BTCUSDT" else [], "nextPageCursor": ""}

    def kline(self, asked):
        first = max(int(asked["start"]), LAUNCH)
        times = [
            time
            for time in range(-(-first // 60_000) * 60_000, min(int(asked["end"]), NOW) + 1, 60_000)
            if not 500 <= (time - LAUNCH) // 60_000 < 510
        ]
        rows = [[str(time), "10", "12", "9", str(10 + time // 60_000 % 2), "5", "50"] for time in times]
        return {"symbol": asked["symbol"], "list": rows[::-1][: int(asked["limit"])]}

    def history(self, asked):
        times = range(-(-int(asked["startTime"]) // INTERVAL_MS) * INTERVAL_MS, int(asked["endTime"]) + 1, INTERVAL_MS)
        rows = [{"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingRateTimestamp": str(time)} for time in times]
        return {"list": rows[::-1][:200]}


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    """The machine's clock agrees with the venue's."""
    monkeypatch.setattr("triptych.domain.clock.time.time_ns", lambda: NOW * 1_000_000)


def fetch(store, venue, **options):
    return fetch_candles(["BTCUSDT"], ["1m"], store=store, start=START, transport=venue, timer=FakeTimer(), **options)


def stored(store):
    return CandleStore(store).load("bybit", "BTCUSDT", "1m")


def test_all_closed_candles_since_the_launch_are_stored_with_the_instrument_s_rules(tmp_path):
    venue, seen = Venue(), []
    (done,) = fetch(tmp_path, venue, on_progress=lambda *told: seen.append(told))
    series = stored(tmp_path)
    last_closed = NOW // 60_000 * 60_000 - 60_000
    assert series.open_time_ms[0] == LAUNCH
    assert series.open_time_ms[-1] == last_closed
    assert len(series) == (last_closed - LAUNCH) // 60_000 + 1 - 10 == done.new == done.fetched
    assert series.instrument.price_step == Decimal("0.1")
    assert series.instrument.minimum_notional == 5
    assert [int(page["end"]) - int(page["start"]) for page in venue.pages][:-1] == [60_000_000 - 1] * 5
    assert seen[0] == ("BTCUSDT 1m", 0, 5701)
    assert seen[-1] == ("BTCUSDT 1m", 5701, 5701)


def test_the_same_call_again_asks_only_for_the_hole_and_changes_nothing(tmp_path):
    fetch(tmp_path, Venue())
    before = stored(tmp_path).fingerprint()
    venue = Venue()
    (done,) = fetch(tmp_path, venue)
    assert (done.new, done.fetched, done.already) == (0, 0, 5691)
    assert [(int(page["start"]) - LAUNCH) // 60_000 for page in venue.pages] == [500]
    assert stored(tmp_path).fingerprint() == before


def test_a_broken_fetch_goes_on_where_it_stopped_and_ends_as_an_unbroken_one(tmp_path):
    fetch(tmp_path / "whole", Venue())
    with pytest.raises(ExchangeError, match="had no answer after 5 attempts"):
        fetch(tmp_path / "broken", Venue(breaks_at=3))
    venue = Venue()
    fetch(tmp_path / "broken", venue)
    assert stored(tmp_path / "broken").fingerprint() == stored(tmp_path / "whole").fingerprint()


def test_pages_that_were_merged_before_a_kill_are_not_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setattr("triptych.bootstrap.fetching.PAGES_A_MERGE", 1)

    class Killed(BaseException):
        pass

    def kill(what, done, total):
        if done >= 2000:
            raise Killed

    with pytest.raises(Killed):
        fetch(tmp_path, Venue(), on_progress=kill)
    assert len(stored(tmp_path)) == 1990
    venue = Venue()
    fetch(tmp_path, venue)
    starts = [(int(page["start"]) - LAUNCH) // 60_000 for page in venue.pages]
    assert starts == [500, 2000, 3000, 4000, 5000]
    assert np.all(np.diff(stored(tmp_path).open_time_ms)[:499] == 60_000)


def test_funding_rates_lie_beside_the_candles_and_are_resumed(tmp_path):
    done = fetch(tmp_path, Venue(), with_funding=True)[1]
    rates = read_funding(tmp_path, "bybit", "BTCUSDT")
    assert (done.what, done.new, rates.height) == ("funding", 12, 12)
    assert rates["rate"].to_list() == [0.0001] * 12
    again = fetch(tmp_path, Venue(), with_funding=True)[1]
    assert (again.new, again.already) == (0, 12)
    assert CandleStore(tmp_path).list().height == 1


def test_a_longer_span_asks_for_the_funding_before_and_after(tmp_path):
    fetch_candles(
        ["BTCUSDT"], ["1m"], store=tmp_path, start=START + 2 * DAY, end=START + 3 * DAY, transport=Venue(),
        timer=FakeTimer(), with_funding=True,
    )  # fmt: skip
    assert read_funding(tmp_path, "bybit", "BTCUSDT").height == 3
    fetch(tmp_path, Venue(), with_funding=True)
    assert read_funding(tmp_path, "bybit", "BTCUSDT").height == 12


def test_what_cannot_be_fetched_is_refused_before_anything_is_asked(tmp_path):
    venue = Venue()
    with pytest.raises(DataError) as caught:
        fetch_candles(["BTCUSDT"], ["7m"], store=tmp_path, start=START, transport=venue)
    assert caught.value.message == "Bybit has no candles of 7m."
    with pytest.raises(DataError, match="The span to fetch is empty"):
        fetch_candles(["BTCUSDT"], ["1m"], store=tmp_path, start=START, end=START, transport=venue)
    assert venue.requests == []


def test_an_unknown_symbol_is_named(tmp_path):
    with pytest.raises(DataError) as caught:
        fetch_candles(["BTCUSD"], ["1m"], store=tmp_path, start=START, transport=Venue(), timer=FakeTimer())
    assert caught.value.message == "Bybit lists no BTCUSD in linear."


def test_instruments_are_listed():
    (one,) = fetch_listings("linear", transport=Venue())
    assert one.instrument.symbol == "BTCUSDT"
    assert str(Timeframe.parse("1m")) == "1m"
