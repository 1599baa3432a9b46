"""Candles through ccxt and yfinance: both are played by stand-ins, for nothing here reaches the internet."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from triptych.bootstrap import fetch_from
from triptych.domain import Timeframe
from triptych.domain.errors import DataError, ExchangeError, ProtocolError
from triptych.exchanges.ccxt import CcxtCandles
from triptych.exchanges.yahoo import YahooCandles
from triptych.market import CandleStore

HOUR = 3_600_000
START = 1_700_006_400_000


class Venue:
    """What ccxt's clients have: hourly candles, 1000 a page."""

    precisionMode = 4  # noqa: N815 - ccxt's name

    def __init__(self, n=2500):
        self.timeframes = {"1h": "60", "1d": "D"}
        self.n, self.asked, self.shift = n, [], 0.0

    def load_markets(self):
        limits = {"amount": {"min": 0.001}, "cost": {"min": 5}, "leverage": {"max": None}}
        return {"BTC/USDT": {"precision": {"price": 0.01, "amount": 1e-05}, "limits": limits}}

    def fetch_ohlcv(self, symbol, timeframe, since, limit):
        self.asked.append(since)
        first = max(0, -(-(since - START) // HOUR))
        return [
            [START + HOUR * k, 10 + self.shift, 12 + self.shift, 9, 11, None if k % 7 else 3.5]
            for k in range(first, min(first + limit, self.n))
        ]


def fetch(store, venue, **options):
    (done,) = fetch_from(CcxtCandles("somewhere", venue), ["BTC/USDT"], ["1h"], store=store, start=START, **options)
    return done


def test_candles_of_ccxt_come_page_by_page_with_the_instrument_s_rules(tmp_path):
    venue = Venue()
    done = fetch(tmp_path, venue)
    series = CandleStore(tmp_path).load("somewhere", "BTC/USDT", "1h")
    assert (done.new, len(series), len(venue.asked)) == (2500, 2500, 4)
    rules = series.instrument
    assert (rules.price_step, rules.quantity_step) == (Decimal("0.01"), Decimal("0.00001"))
    assert (rules.minimum_quantity, rules.minimum_notional) == (Decimal("0.001"), Decimal(5))
    assert series.values[0].tolist() == [10, 12, 9, 11, 3.5]
    assert series.values[1, 4] == 0


def test_a_history_is_continued_from_its_end(tmp_path):
    fetch(tmp_path, Venue(1500))
    venue = Venue(1600)
    done = fetch(tmp_path, venue)
    assert (done.new, done.already, venue.asked[0]) == (100, 1500, START + 1495 * HOUR)


def test_a_history_that_was_rewritten_is_noticed_and_left_alone(tmp_path):
    fetch(tmp_path, Venue(100))
    before = CandleStore(tmp_path).load("somewhere", "BTC/USDT", "1h").fingerprint()
    venue = Venue(120)
    venue.shift = 0.5
    with pytest.raises(DataError) as caught:
        fetch(tmp_path, venue)
    assert caught.value.message == (
        "somewhere BTC/USDT 1h: 5 stored candles differ from what the venue says now, as after a split of a stock. "
        "Nothing stored was changed."
    )
    after = CandleStore(tmp_path).load("somewhere", "BTC/USDT", "1h").head(100)
    assert after.fingerprint() == before


def test_what_the_venue_does_not_have_is_named(tmp_path):
    source = CcxtCandles("somewhere", Venue())
    with pytest.raises(DataError, match=r"somewhere has no candles of 5m\. It has: 1h, 1d\."):
        list(source.pages("BTC/USDT", Timeframe.parse("5m"), start_ms=0, end_ms=1))
    with pytest.raises(DataError, match=r"somewhere lists no BTCUSDT\. ccxt writes symbols like BTC/USDT\."):
        source.instrument("BTCUSDT")


def test_candles_that_are_none_and_errors_of_ccxt_become_ours():
    ccxt = pytest.importorskip("ccxt")
    venue = Venue()
    source = CcxtCandles("somewhere", venue)
    venue.fetch_ohlcv = lambda *a, **k: [[START, 1, 2, None, 1, 1]]
    with pytest.raises(ProtocolError, match="somewhere BTC/USDT: not a candle"):
        list(source.pages("BTC/USDT", Timeframe.parse("1h"), start_ms=START, end_ms=START + HOUR))

    def fail(*a, **k):
        raise ccxt.NetworkError("down")

    venue.fetch_ohlcv = fail
    with pytest.raises(ExchangeError, match="somewhere cannot be asked: down"):
        list(source.pages("BTC/USDT", Timeframe.parse("1h"), start_ms=START, end_ms=START + HOUR))


def test_a_venue_that_ccxt_does_not_know_is_refused():
    pytest.importorskip("ccxt")
    with pytest.raises(DataError, match="ccxt knows no venue 'nowhere'"):
        CcxtCandles("nowhere")


class Yahoo:
    """What yfinance.Ticker has: a day of trading from Monday to Friday, in New York's time."""

    asked: list = []  # noqa: RUF012 - one for all tickers, as the test wants it

    def __init__(self, symbol):
        self.symbol = symbol

    def history(self, *, start, end, interval, auto_adjust, actions, raise_errors):
        pandas = pytest.importorskip("pandas")
        assert (auto_adjust, actions) == (False, False)
        Yahoo.asked.append((start, end, interval))
        days = []
        day = datetime(2024, 1, 1, 5, tzinfo=UTC)  # midnight in New York
        while day < min(end, datetime(2024, 3, 1, tzinfo=UTC)):
            if day >= start and day.weekday() < 5 and self.symbol == "AAPL":
                days.append(day)
            day += timedelta(days=1)
        index = pandas.DatetimeIndex(days, tz="UTC").tz_convert("America/New_York")
        n = len(days)
        close = np.where(np.arange(n) == 3, np.nan, 101.0)
        columns = {"Open": 100.0, "High": 102.0, "Low": 99.0, "Close": close, "Volume": 1000}
        return pandas.DataFrame(columns, index=index)


def test_days_of_yahoo_are_named_by_their_date_and_rows_without_a_price_left_out(tmp_path):
    Yahoo.asked.clear()
    source = YahooCandles(Yahoo)
    (done,) = fetch_from(source, ["AAPL"], ["1d"], store=tmp_path, start="2024-01-01", end="2024-02-01")
    series = CandleStore(tmp_path).load("yahoo", "AAPL", "1d")
    assert done.new == len(series) == 22  # 23 weekdays of January, one without a closing price
    assert series.open_time_ms[0] == 1_704_067_200_000
    assert series.values[0].tolist() == [100, 102, 99, 101, 1000]
    assert Yahoo.asked[0][2] == "1d"


def test_yahoo_without_an_answer_says_what_it_keeps(tmp_path):
    with pytest.raises(DataError) as caught:
        fetch_from(YahooCandles(Yahoo), ["NONE"], ["1d"], store=tmp_path, start="2024-01-01", end="2024-02-01")
    assert caught.value.message == "Yahoo gave no candles of NONE 1d in that time."
    with pytest.raises(DataError, match="Yahoo has no candles of 4h"):
        list(YahooCandles(Yahoo).pages("AAPL", Timeframe.parse("4h"), start_ms=0, end_ms=1))
