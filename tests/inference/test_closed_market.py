"""A night is no age of the last longer candle, and an outage is: alike at once, close by close and after a start."""

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.domain import CandleSeries
from triptych.features.days import Config as DayConfig
from triptych.features.days import weekday_opens
from triptych.features.targets import Config as TargetConfig
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.closed_market import ages_ms
from triptych.inference.combiner import Combiner
from triptych.inference.consensus import ConsensusPredictor
from triptych.inference.factors import FactorPredictor
from triptych.inference.inputs import OLDEST, Config, FactorRows
from triptych.inference.recent_skill import RecentSkill

QUARTER, HOUR, DAY = 900_000, 3_600_000, 86_400_000
MONDAY = 1_672_617_600_000
SHANGHAI = DayConfig(hours=("09:30-11:30", "13:00-15:00"), timezone="Asia/Shanghai")
A_DAY = 16
PERIOD = 2
"""Candles of 30m may be 8 hours old by the clock; the night lasts 18.5."""
READS = (
    {"period": PERIOD},
    {"names": ("return_1",), "window": 20, "periods": (1, PERIOD)},
    {"names": ("return_1",), "window": 20, "periods": (1, PERIOD), "period": PERIOD},
)


def exchange(days=30, *, holiday=9, seed=0):
    """Candles of 15m in the sessions of Shanghai; after ten days it is closed for a holiday."""
    times = weekday_opens(A_DAY * days, MONDAY, QUARTER, SHANGHAI).copy()
    times[10 * A_DAY :] += holiday * DAY
    return make_series(times, seed=seed)


def without(series, gone):
    keep = np.ones(len(series), dtype=bool)
    keep[gone] = False
    return CandleSeries(instrument=series.instrument, timeframe=series.timeframe,
                        open_time_ms=series.open_time_ms[keep], values=series.values[keep])  # fmt: skip


def rows(**changes):
    return FactorRows(Config(period=PERIOD, **changes))


class Last(AbstractPredictor):
    """Says what the close of its last row is, and how often it was asked."""

    def __init__(self, length=3):
        self.length, self.name, self.asked = length, "last", 0

    def probabilities(self, windows):
        self.asked += len(windows)
        up = 0.5 + 0.3 * np.sin(windows[:, -1, 3])
        return np.stack([1.0 - up - 0.1, np.full(len(up), 0.1), up], axis=1).astype(np.float32)


class Kept(AbstractView):
    """What a session holds at the end of a history: its last `most` candles."""

    def __init__(self, series, most=10**9):
        self.series = series.between(max(0, len(series) - most), len(series))

    def history(self, symbol, length):
        n = len(self.series)
        return self.series.between(n - length, n) if n >= length else None


def said(found):
    return [np.nan if p is None else p.probability_buy for p in found]


def test_time_in_which_the_market_was_closed_is_no_age():
    series = exchange(4, holiday=0)
    ages = ages_ms(series, np.full(len(series), series.close_time_ms[20]))[20:]
    first_night = 2 * A_DAY  # the night after the second day is told by the one before it
    np.testing.assert_array_equal(ages[: first_night - 20], QUARTER * np.arange(first_night - 20))
    np.testing.assert_array_equal(ages[first_night - 20 :], QUARTER * np.arange(first_night - 20, 4 * A_DAY - 20))
    early = ages_ms(series, np.full(len(series), series.close_time_ms[10]))[10:]
    night = int(series.open_time_ms[A_DAY] - series.close_time_ms[A_DAY - 1])
    assert early[A_DAY - 10] == QUARTER * (A_DAY - 10) + night  # nothing tells the first night
    past = exchange(4, holiday=0).open_time_ms - 7 * DAY
    known = ages_ms(series, np.full(len(series), series.close_time_ms[10]), past)[10:]
    np.testing.assert_array_equal(known, QUARTER * np.arange(len(known)))


def test_of_a_hole_only_what_comes_after_the_longer_candle_closed_counts():
    series = exchange(6, holiday=0)
    noon = series.close_time_ms[3 * A_DAY + 7]  # 11:30, half an hour before a candle of an hour closes
    ages = ages_ms(series, np.full(len(series), noon + HOUR // 2))
    assert ages[3 * A_DAY + 8] == QUARTER


def test_a_longer_candle_is_read_on_after_nights_weekends_and_holidays():
    series = exchange()
    ends = rows().table(series).ends
    assert ends[A_DAY] == -1  # nothing tells yet what it is
    np.testing.assert_array_equal(ends[2 * A_DAY + 1 :], (np.arange(2 * A_DAY + 1, len(series)) + 1) // PERIOD - 1)
    assert (ends[2 * A_DAY :] >= 0).all()
    beside = FactorRows(Config(names=("return_1",), window=20, periods=(1, PERIOD))).rows(series)
    assert np.isfinite(beside[8 * A_DAY :]).all()


def test_an_outage_is_an_age_as_it_was():
    crypto = make_series(MONDAY + QUARTER * np.arange(900))
    hole = without(crypto, slice(602, 642))  # ten hours
    ends = rows().table(hole).ends
    assert np.flatnonzero(ends[2:] < 0).tolist() == [602 - 2]
    sessions = without(exchange(), slice(20 * A_DAY + 3, 22 * A_DAY + 2))  # of a market that closes: from 10:15 on
    ends = rows().table(sessions).ends
    assert np.flatnonzero(ends[2 * A_DAY :] < 0).tolist() == [20 * A_DAY + 3 - 2 * A_DAY]
    long = exchange(holiday=15)  # no holiday lasts so long
    assert np.flatnonzero(rows().table(long).ends[2 * A_DAY :] < 0).tolist() == [8 * A_DAY]


@pytest.mark.parametrize("changes", READS)
def test_what_is_told_of_a_night_knows_nothing_of_what_comes(changes):
    series, maker = exchange(), FactorRows(Config(**changes))
    whole = maker.rows(series)
    for n in range(8 * A_DAY, len(series), 7):
        np.testing.assert_array_equal(maker.rows(series.head(n))[-1], whole[n - 1])


@pytest.mark.parametrize("changes", READS)
@pytest.mark.parametrize("look_back", [40, 7_200])
def test_close_by_close_it_is_what_it_is_of_a_history_with_no_more_candles_than_a_session_keeps(
    monkeypatch, changes, look_back
):
    for module in ("inputs", "closed_market", "closing_times"):
        monkeypatch.setattr(f"triptych.inference.{module}.LOOK_BACK", look_back)
    series = without(exchange(), slice(20 * A_DAY + 3, 22 * A_DAY + 2))
    network = Last()
    network.probabilities = lambda windows: np.tile(np.nan_to_num(windows[:, -1, -1:]), (1, 3)).astype(np.float32)
    predictor = FactorPredictor(network, FactorRows(Config(**changes)))
    look_back += OLDEST * PERIOD ** (1 + ("period" in changes and "periods" in changes))
    assert (predictor.look_back, predictor.kept) == (look_back, predictor.length + look_back)
    ends = np.arange(predictor.length - 1, len(series))
    whole = predictor.over(series, ends)[:, 2]
    live = [predictor.predict_now(Kept(series.head(end + 1), predictor.kept), series.symbol, 7) for end in ends]
    np.testing.assert_allclose(said(live), whole, rtol=0, atol=1e-6)
    silent = np.isnan(whole)
    assert silent.any()
    assert not silent[4 * A_DAY : 20 * A_DAY - len(series)].any()


def test_weekends_of_longer_candles_are_told_by_no_more_candles_than_a_session_keeps(monkeypatch):
    look_back = 1_000  # 15m of two weeks
    for module in ("inputs", "closed_market", "closing_times"):
        monkeypatch.setattr(f"triptych.inference.{module}.LOOK_BACK", look_back)
    times = MONDAY + QUARTER * np.arange(8 * 7 * 96)
    weeks, weekdays = np.divmod((times - MONDAY) // DAY, 7)
    series = make_series(times[(weekdays < 5) | (weeks == 5)], seed=0)  # the last weekend but one is traded
    maker = FactorRows(Config(names=("return_1",), window=20, periods=(1, PERIOD), period=PERIOD))
    length, kept = maker.candles(3), maker.candles(3) + maker.look_back(3)
    whole, opens = maker.rows(series), np.flatnonzero(np.diff(series.open_time_ms) > DAY) + 1
    assert len(opens) == 6
    for end in np.concatenate([opens[2:] + after for after in range(4)]):
        known = series.between(end + 1 - kept, end + 1)
        past, own = known.open_time_ms[:-length], known.between(len(known) - length, len(known))
        np.testing.assert_allclose(maker.rows(own, past_ms=past)[-1], whole[end], rtol=0, atol=1e-6)


def skilled(window=64):
    """Members of 15m and of 30m weighed by recent skill."""
    recent = RecentSkill(window=window, half_life_days=2.0, floor=0.0, timeframe_ms=QUARTER,
                         target=TargetConfig(horizon=6, volatility_span=8).model_dump(mode="json"))  # fmt: skip
    members = {"short": Last(), "long": FactorPredictor(Last(), rows())}
    combiner = Combiner(
        method="skill", members=tuple(members), weights=(0.5, 0.5), regime_length=8, recent=recent
    )  # fmt: skip
    return ConsensusPredictor(members, combiner, name="both")


@pytest.mark.parametrize("restart", [None, 24 * A_DAY, 24 * A_DAY + 3])
def test_a_consensus_answers_at_the_open_and_weighs_what_was_said_there_live_as_in_the_backtest(restart):
    series = without(exchange(), slice(24 * A_DAY + 3, 26 * A_DAY + 2))
    predictor, live = skilled(), skilled()
    ends = np.arange(22 * A_DAY, 28 * A_DAY)
    whole = predictor.predictions_over(series, ends)
    assert [int(e) for e, p in zip(ends, whole, strict=True) if not p.is_usable] == [24 * A_DAY + 3]
    rows = []
    for end in ends:
        live = skilled() if end == restart else live
        view = Kept(series.head(end + 1), live.kept)
        rows.append(live.predict_now(view, series.symbol, int(series.close_time_ms[end])))
    np.testing.assert_allclose(said(rows), [p.probability_buy for p in whole], rtol=0, atol=1e-9)


@pytest.mark.parametrize("most", [1, 2, 3, 37, 50, 51, 400])
def test_as_many_candles_are_given_as_there_are(most):
    series = exchange(4).head(50)
    found = Kept(series).latest(series.symbol, most)
    np.testing.assert_array_equal(found.open_time_ms, series.open_time_ms[-most:])


def test_of_an_instrument_without_candles_none_are_given():
    assert Kept(exchange(1).head(0)).latest("BTCUSDT", 20) is None
