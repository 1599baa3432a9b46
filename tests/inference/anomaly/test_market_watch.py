from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.fakes.market import HOUR_MS, walk
from tests.fakes.waves import waves

from triptych.domain.errors import ArtifactError
from triptych.features.channels import SETTLE, market_channels
from triptych.features.extra_channels import FundingHistory
from triptych.inference.anomaly.baselines import KMeansConfig, KMeansDetector
from triptych.inference.anomaly.market_watch import SPARE, MarketWatch
from triptych.inference.base import AbstractView

SERIES = (walk(500, seed=1, symbol="AAA"), walk(500, seed=2, symbol="BBB"))


class Until(AbstractView):
    """What had closed by one candle of `SERIES`."""

    def __init__(self, end, late=""):
        self.end, self.late = end, late

    def history(self, symbol, length):
        series = next(one for one in SERIES if one.symbol == symbol).head(self.end - (symbol == self.late))
        return None if len(series) < length else series.between(len(series) - length, len(series))


@pytest.fixture(scope="module")
def detector():
    made = market_channels([one.head(350) for one in SERIES])
    return KMeansDetector(KMeansConfig(length=8, contamination=0.1)).fit(
        pl.DataFrame(made.values, schema=list(made.columns))
    )


@pytest.fixture(scope="module")
def watch(detector):
    return MarketWatch(detector)


def test_candles_now_give_the_reading_of_the_whole_history(detector, watch):
    assert (watch.symbols, watch.length) == (("AAA", "BBB"), 8 + SETTLE + SPARE)
    recorded = watch.record(SERIES, ["AAA"])
    made = market_channels(SERIES)
    scores = detector.decision_function(pl.DataFrame(made.values, schema=list(made.columns)))
    alarms = 0
    for end in range(watch.length, 500, 7):
        close = int(SERIES[0].close_time_ms[end - 1])
        now = watch.read_all(Until(end), {"AAA": close, "BBB": close})
        kept = recorded.read_all(Until(0), {"AAA": close})["AAA"]
        assert now["AAA"] == now["BBB"] == kept
        np.testing.assert_allclose(kept.score, scores[end - 2], rtol=1e-12)
        assert kept.alarm == (scores[end - 2] > detector.threshold_) == bool(kept.reasons)
        alarms += kept.alarm
    assert alarms > 0


def test_without_all_candles_there_is_no_reading(watch):
    close = int(SERIES[0].close_time_ms[399])
    assert watch.read_all(Until(watch.length - 1), {"AAA": close}) == {"AAA": None}
    assert watch.read_all(Until(400, late="BBB"), {"AAA": close}) == {"AAA": None}


class UntilTime(AbstractView):
    """What of `series` had closed by a time."""

    def __init__(self, series, time_ms):
        self.series, self.time_ms = {one.symbol: one for one in series}, time_ms

    def history(self, symbol, length):
        one = self.series[symbol]
        known = int(np.searchsorted(one.close_time_ms, self.time_ms, side="right"))
        return None if known < length else one.between(known - length, known)


@pytest.mark.parametrize(("missing", "without"), [(0, 0), (1, 0), (5, 0), (20, 0), (96, 0), (100, 103)])
def test_behind_missing_candles_now_and_record_read_the_same(watch, missing, without):
    first = SERIES[0]
    kept = np.r_[0:230, 230 + missing : 500]
    holed = replace(first, open_time_ms=first.open_time_ms[kept], values=first.values[kept])
    series = (holed, SERIES[1])
    record = watch.record(series, ["AAA"])
    none = 0
    for end in range(231 + missing, 500):
        close = int(SERIES[1].close_time_ms[end - 1])
        now = watch.read_all(UntilTime(series, close), {"AAA": close})["AAA"]
        assert now == record.read_all(UntilTime((), 0), {"AAA": close})["AAA"]  # the record holds them all
        none += now is None
    assert none == without


def test_a_share_of_false_alarms_moves_the_threshold(detector, watch):
    strict, close = MarketWatch(detector, false_alarms=0.01), int(SERIES[0].close_time_ms[399])
    own = watch.read_all(Until(400), {"AAA": close})["AAA"]
    other = strict.read_all(Until(400), {"AAA": close})["AAA"]
    assert other.threshold > own.threshold == detector.threshold_
    assert other.score == own.score


def test_a_detector_of_other_channels_is_refused():
    with pytest.raises(ArtifactError) as error:
        MarketWatch(KMeansDetector(KMeansConfig(length=8)).fit(waves(300)))
    assert str(error.value) == (
        "The detector was fitted on channel 0, channel 1, channel 2, which are not the channels of candles. Fit it on "
        "what `triptych.features.channels.market_channels` makes of candles and order books."
    )


def test_a_history_that_is_missing_is_named(watch):
    with pytest.raises(ArtifactError) as error:
        watch.record(SERIES[:1], ["AAA"])
    assert str(error.value) == (
        "The detector watches AAA, BBB; there are no candles of BBB. Bring them as data or companions, or fit a "
        "detector on the instruments at hand."
    )


def with_books(one, *holes):
    """Candles with books of five levels whose sizes lean with the next returns' noise; none at `holes`."""
    sizes = np.random.default_rng(len(one)).uniform(1, 9, (2, len(one), 5))
    away = 1e-4 * (1 + np.arange(5)) * one.close[:, None] * sizes[0, :, :1]
    books = np.concatenate([one.close[:, None] - away, sizes[0], one.close[:, None] + away, sizes[1]], axis=1)
    books[list(holes)] = np.nan
    return replace(one, books=books)


BOOKED = (with_books(SERIES[0], 380, 420, 421, *range(450, 455)), with_books(SERIES[1]))


@pytest.fixture(scope="module", params=["mask", "refuse"])
def booked_watch(request):
    made = market_channels([one.head(350) for one in BOOKED], ["spread", "depth_imbalance"])
    config = KMeansConfig(length=8, contamination=0.1, bad_rows=request.param)
    return MarketWatch(KMeansDetector(config).fit(pl.DataFrame(made.values, schema=list(made.columns))))


def test_books_are_read_alike_now_and_over_the_whole_history(booked_watch, monkeypatch):
    masks = booked_watch._detector.config.bad_rows == "mask"
    assert (booked_watch.symbols, booked_watch.levels) == (("AAA", "BBB"), 5)
    assert booked_watch.length == 8 + SETTLE + (3 if masks else 0) + SPARE
    recorded = booked_watch.record(BOOKED, ["AAA"])
    monkeypatch.setitem(globals(), "SERIES", BOOKED)
    silent = []
    for end in range(booked_watch.length, 500):
        close = int(BOOKED[0].close_time_ms[end - 1])
        now = booked_watch.read_all(Until(end), {"AAA": close})["AAA"]
        kept = recorded.read_all(Until(0), {"AAA": close})["AAA"]
        if now is None:
            assert kept is None
            silent.append(end - 1)
            continue
        assert (now.alarm, now.reasons) == (kept.alarm, kept.reasons)
        np.testing.assert_allclose(now.score, kept.score, rtol=1e-9)
    if masks:  # a close without a book has no reading; up to three of them are bridged, five begin anew
        assert silent == [380, 420, 421, *range(450, 462)]
    else:  # no window that holds one is read
        assert silent == [*range(380, 388), *range(420, 429), *range(450, 462)]


def test_candles_without_books_are_refused_where_the_detector_reads_them(booked_watch):
    with pytest.raises(ArtifactError) as error:
        booked_watch.record((BOOKED[0], SERIES[1]), ["AAA"])
    assert str(error.value) == (
        "The detector reads spread and depth_imbalance of the order book, and there are no books beside the candles of "
        "BBB. Name a recording in data.books.path, or fit a detector on candles alone."
    )


def test_a_session_that_has_heard_no_book_yet_has_no_reading(booked_watch):
    close = int(SERIES[0].close_time_ms[399])
    assert booked_watch.read_all(Until(400), {"AAA": close}) == {"AAA": None}


def test_a_detector_that_reads_funding_is_no_guard():
    rates = FundingHistory(time_ms=8 * HOUR_MS * np.arange(70), rate=np.random.default_rng(0).normal(0, 1e-4, 70))
    made = market_channels([SERIES[0].head(300)], ["funding"], funding={"AAA": rates})
    fitted = KMeansDetector(KMeansConfig(length=8)).fit(pl.DataFrame(made.values, schema=list(made.columns)))
    with pytest.raises(ArtifactError) as error:
        MarketWatch(fitted)
    assert str(error.value) == (
        "The detector reads funding, which does not stand beside the candles that are traded. Fit one without it for "
        'guards and networks, such as channels.extras = ["spread", "depth_imbalance"]; score files with this one.'
    )


def test_with_the_scope_of_an_instrument_only_those_whose_channels_stand_out_are_told(detector, watch):
    own = MarketWatch(detector, scope="instrument")
    record = own.record(SERIES, ["AAA", "BBB", "CCC"])
    alone = 0
    for end in range(own.length, 500, 3):
        close = int(SERIES[0].close_time_ms[end - 1])
        asked = dict.fromkeys(("AAA", "BBB", "CCC"), close)
        market = watch.read_all(Until(end), asked)["AAA"]
        found = own.read_all(Until(end), asked)
        assert found == record.read_all(Until(0), asked)
        assert found["CCC"] == market  # nothing of its own is watched
        scores = [found[symbol].score for symbol in ("AAA", "BBB")]
        assert max(scores) == market.score >= min(scores)
        alarms = [found[symbol].alarm for symbol in ("AAA", "BBB")]
        assert any(alarms) == market.alarm
        alone += sum(alarms) == 1
        assert [bool(found[symbol].reasons) for symbol in ("AAA", "BBB")] == alarms
    assert alone > 0
