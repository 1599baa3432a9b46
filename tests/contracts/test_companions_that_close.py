"""Beside a market that closes or has gaps, a row is the same of the candles up to it, of the whole history and live."""

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.domain import CandleSeries
from triptych.inference.base import AbstractView
from triptych.inference.closed_market import beside_now, past_of
from triptych.inference.inputs import Config, FactorRows

HOUR, DAY = 3_600_000, 86_400_000
MONDAY = 1_672_617_600_000
DAYS = 24
COMPANION = "ETHUSDT"
READS = {
    "candles beside": {},
    "longer candles beside": {"periods": (1, 4)},
    "longer candles of two lengths": {"periods": (1, 3, 12)},
    "longer candles alone": {"period": 4},
    "longer ones beside longer candles": {"period": 2, "periods": (1, 4)},
}


def market(kind, symbol, seed):
    """Hours around the clock, or from 14:00 to 21:00 of weekdays, so that a night begins within a candle of 4h."""
    times = MONDAY + HOUR * np.arange(24 * DAYS)
    hours, weekdays = times // HOUR % 24, (times - MONDAY) // DAY % 7
    trades = np.ones(len(times), dtype=bool)
    if kind != "around the clock":
        trades = (hours >= 14) & (hours < 21) & (weekdays < 5)
    if kind == "in other sessions":  # that share no hour, on other holidays
        trades = (hours >= 2) & (hours < 9) & (weekdays < 5) & (times // DAY % 11 > 0)
    if kind == "with gaps":
        trades &= np.random.default_rng(seed).random(len(times)) > 0.1
        trades &= (times < MONDAY + 15 * DAY) | (times > MONDAY + 16 * DAY)
    return make_series(times[trades], timeframe="1h", seed=seed, symbol=symbol)


class Live(AbstractView):
    """What a session holds at a close: the last candles of each instrument that have closed by then."""

    def __init__(self, close_ms, most, *series):
        cut = [one.head(int(np.searchsorted(one.close_time_ms, close_ms, side="right"))) for one in series]
        self.known = {one.symbol: one.between(max(0, len(one) - most), len(one)) for one in cut}

    def history(self, symbol, length):
        one: CandleSeries = self.known[symbol]
        return one.between(len(one) - length, len(one)) if len(one) >= length else None


@pytest.fixture(params=[("around the clock", "in sessions"), ("around the clock", "with gaps"),
                        ("in sessions", "with gaps"), ("with gaps", "around the clock"),
                        ("in sessions", "around the clock"), ("in sessions", "in other sessions"),
                        ("in other sessions", "in sessions")],
                ids=lambda kinds: ", beside it ".join(kinds))  # fmt: skip
def markets(request):
    own, beside = request.param
    return market(own, "BTCUSDT", seed=1), market(beside, COMPANION, seed=2)


def maker(reads):
    return FactorRows(
        Config(names=("return_1",), window=2, normalisation="none", companions=(COMPANION,), **READS[reads])
    )


@pytest.mark.parametrize("reads", READS)
def test_rows_do_not_change_when_more_history_arrives(markets, reads):
    own, beside = markets
    rows = maker(reads)
    whole = rows.rows(own, {COMPANION: beside})
    assert np.isfinite(whole).all(axis=1).mean() > 0.2
    for n in range(len(own) // 3, len(own), 11 if len(own) > 300 else 3):
        known = Live(own.close_time_ms[n - 1], 10**6, own, beside).known
        short = rows.rows(known[own.symbol], {COMPANION: known[COMPANION]})
        np.testing.assert_array_equal(short, whole[:n])


@pytest.mark.parametrize("length", [1, 9])
@pytest.mark.parametrize("reads", READS)
def test_live_reads_what_the_backtest_reads(markets, reads, length):
    own, beside = markets
    rows = maker(reads)
    table, needed, look_back = rows.table(own, {COMPANION: beside}), rows.candles(length), rows.look_back(length)
    compared = 0
    for n in range(needed, len(own), 5 if len(own) > 300 else 1):
        view = Live(own.close_time_ms[n - 1], needed + look_back, own, beside)
        history = view.history(own.symbol, needed)
        others = beside_now(view, history, (COMPANION,), needed, look_back)
        if others is None:
            continue
        live = rows.table(history, others, past_of(view, history, look_back))
        assert live.known(length)[-1] == table.known(length)[n - 1]
        if live.known(length)[-1]:
            found, whole = (
                one.windows(length)[end - length + 1]
                for one, end in ((live, live.ends[-1]), (table, table.ends[n - 1]))
            )
            np.testing.assert_allclose(found, whole, rtol=0, atol=1e-6)
            compared += 1
    assert compared > 10


def test_so_many_candles_are_kept_that_a_companion_around_the_clock_is_known_however_few_tell_nights(monkeypatch):
    """Nine times a window and those of holidays; here no holiday is longer than a weekend."""
    for name, most in (("inputs.LOOK_BACK", 0), ("closed_market.OF_HOLIDAYS", 3 * 24)):
        monkeypatch.setattr(f"triptych.inference.{name}", most)
    own, beside = market("in sessions", "BTCUSDT", seed=1), market("around the clock", COMPANION, seed=2)
    rows = maker("candles beside")
    whole, needed = rows.rows(own, {COMPANION: beside}), rows.candles(30)
    kept = needed + rows.look_back(30)
    for n in range(len(own) - 40, len(own)):
        view = Live(own.close_time_ms[n - 1], kept, own, beside)
        history = view.history(own.symbol, needed)
        found = rows.rows(history, beside_now(view, history, (COMPANION,), needed, kept - needed))
        np.testing.assert_allclose(found[-30:], whole[n - 30 : n], rtol=0, atol=1e-6)
        assert np.isfinite(found[-30:]).all()
