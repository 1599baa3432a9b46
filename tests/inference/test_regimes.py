from dataclasses import replace

import numpy as np
import pytest
from tests.features.markets import TIMEFRAME_MS, random_walk

from triptych.domain import REGIMES, CandleSeries, Instrument, Timeframe
from triptych.domain.errors import DataError, NotEnoughData
from triptych.inference.regime_fitting import later_regimes
from triptych.inference.regimes import RegimeFilter, measures
from triptych.inference.switches import cusum_alarms, distance_alarms, switch_alarms


def series(n=2400, seed=0):
    """Calm, rising, wild, falling and thin stretches of 300 candles by turns."""
    rng = np.random.default_rng(seed)
    kinds = [(0.0, 1.0, 1.0), (0.4, 1.0, 1.0), (0.0, 3.0, 1.0), (-0.4, 1.0, 1.0), (0.0, 1.0, 0.2)]
    drift, spread, volume = np.array([kinds[(t // 300) % 5] for t in range(n)]).T
    step = 0.002 * (drift + spread * rng.normal(size=n))
    close = 100.0 * np.exp(np.cumsum(step))
    opens = np.r_[100.0, close[:-1]]
    values = np.column_stack(
        [opens, np.maximum(opens, close), np.minimum(opens, close), close, volume * rng.lognormal(3.0, 0.3, n)]
    )
    _, times = random_walk(n)
    return CandleSeries(
        instrument=Instrument(symbol="MADE"), timeframe=Timeframe(TIMEFRAME_MS), open_time_ms=times, values=values
    )


@pytest.fixture(scope="module")
def fitted():
    return RegimeFilter.fit([series().head(1800)])


def test_regimes_of_a_made_market_are_named_for_what_they_are(fitted):
    one = series(3000, seed=1)
    found = fitted.probabilities(one)
    while_the_rule_holds = {"bull": 500, "high_volatility": 650, "bear": 1100, "low_liquidity": 1250}
    for name, t in while_the_rule_holds.items():
        assert np.nanmean(found[t : t + 50, REGIMES.index(name)]) > 0.4, name


def test_every_regime_is_told_where_the_rule_of_its_name_holds(fitted):
    for found in (fitted.agreement, fitted.agreement_on(series(3000, seed=1))):
        assert set(found) == set(REGIMES)
        assert min(one["agreement"] for one in found.values() if one["likeliest"] > 0) > 0.6
    assert fitted.notes() == ()


def test_probabilities_are_about_as_sure_as_they_are_right(fitted):
    one = series(3000, seed=4)
    truth = later_regimes(measures(one))
    at = np.flatnonzero(truth[240:] >= 0) + 240
    told = fitted.probabilities(one)[at]
    sure, right = told.max(axis=1).mean(), (told.argmax(axis=1) == truth[at]).mean()
    assert abs(sure - right) < 0.08
    plain = replace(fitted, forgetting=0.0, power=1.0).probabilities(one)[at]
    loss, plain_loss = (-np.log(np.maximum(p[np.arange(len(at)), truth[at]], 1e-12)).mean() for p in (told, plain))
    assert loss < 0.75 < 1.0 < plain_loss


def test_a_history_without_volume_has_no_low_liquidity():
    one = series(1800)
    silent = replace(one, values=np.where(np.arange(5) == 4, 0.0, one.values))
    fitted = RegimeFilter.fit([silent])
    said = ("The regime low_liquidity is left out: there is no volume in the candles it was fitted on.",)
    assert fitted.notes() == said
    for found in (fitted.probabilities(silent)[240:], fitted.recent(silent, 60)[300:]):
        np.testing.assert_array_equal(found[:, REGIMES.index("low_liquidity")], 0.0)
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
    again = RegimeFilter.from_dict(fitted.as_dict())
    np.testing.assert_array_equal(again.probabilities(silent), fitted.probabilities(silent))
    assert again.notes() == said
    even = replace(one, values=np.where(np.arange(5) == 4, 7.0, one.values))
    assert RegimeFilter.fit([even]).notes() == (
        "The regime low_liquidity is left out: the volume never changes in the candles it was fitted on.",
    )


def test_a_price_that_never_moves_is_the_cause_that_is_told():
    one = series(1800)
    still = replace(one, values=np.where(np.arange(5) < 4, 100.0, one.values))
    assert RegimeFilter.fit([still]).notes() == tuple(
        f"The regime {name} is left out: the closing price never moves in the candles it was fitted on."
        for name in ("bull", "bear", "high_volatility")
    )


def test_a_regime_whose_rule_seldom_holds_is_told_of(fitted):
    misnamed = {**fitted.agreement, "bear": {"rule": 0.1, "likeliest": 0.3, "agreement": 0.24}}
    assert replace(fitted, agreement=misnamed).notes() == (
        "Where bear is the likeliest regime, its rule holds 12 candles later for 24% of the training candles.",
    )


def test_a_regime_that_is_seldom_told_although_its_rule_holds_is_told_of(fitted):
    hidden = {**fitted.agreement, "bear": {"rule": 0.101, "likeliest": 0.004, "agreement": 1.0}}
    assert replace(fitted, agreement=hidden).notes() == (
        "bear is the likeliest regime at 0.4% of the training candles, and its rule holds at 10.1%: what asks for the "
        "likeliest regime seldom sees it.",
    )
    never = {**fitted.agreement, "bull": {"rule": 0.09, "likeliest": 0.0, "agreement": 0.0}}
    assert replace(fitted, agreement=never).notes()[0].startswith("bull is the likeliest regime at 0.0% of")


def test_trends_are_told_about_as_often_as_they_hold_and_not_only_when_nothing_else_can_be(fitted):
    one = series(3000, seed=6)
    later = later_regimes(measures(one))
    told = fitted.probabilities(one)
    at = np.flatnonzero(later[240:] >= 0) + 240
    for name in ("bull", "bear"):
        number = REGIMES.index(name)
        holds, said = later[at] == number, told[at].argmax(axis=1) == number
        assert said.mean() > 0.6 * holds.mean(), name
        assert (said & holds).sum() > 0.6 * holds.sum(), name


def test_a_filter_written_down_before_there_were_powers_is_the_plain_one(fitted):
    old = {key: fitted.as_dict()[key] for key in ("model", "centre", "scale")}  # of the whole window's measures
    again = RegimeFilter.from_dict(old)
    assert (again.forgetting, again.power, again.notes()) == (0.0, 1.0, ())
    one = series(600)
    x, first = again.observations(one)
    plain = replace(again.model, start=again.model.stationary).filter(x)
    np.testing.assert_allclose(again.probabilities(one)[first:], plain, atol=1e-12)


def test_probabilities_are_unknown_first_and_sum_to_one_after(fitted):
    found = fitted.probabilities(series(600))
    assert np.isnan(found[:240]).all()
    np.testing.assert_allclose(found[240:].sum(axis=1), 1.0)


@pytest.mark.parametrize("cut", [260, 431, 599])
def test_neither_filter_peeks(fitted, cut):
    one = series(600)
    posterior = np.random.default_rng(2).dirichlet(np.ones(5), 600)
    prior = np.full(5, 0.2)
    np.testing.assert_array_equal(fitted.probabilities(one.head(cut)), fitted.probabilities(one)[:cut])
    np.testing.assert_array_equal(
        fitted.fused(one.head(cut), posterior[:cut], prior), fitted.fused(one, posterior, prior)[:cut]
    )


def test_soft_labels_that_know_nothing_change_nothing(fitted):
    one, prior = series(600), np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    np.testing.assert_allclose(
        fitted.fused(one, np.tile(prior, (600, 1)), prior), fitted.probabilities(one), atol=1e-12
    )
    nothing = np.full((600, 5), np.nan)
    np.testing.assert_allclose(fitted.fused(one, nothing, prior), fitted.probabilities(one), atol=1e-12)


def test_sure_soft_labels_pull_the_filter_to_their_regime(fitted):
    one, prior = series(600), np.full(5, 0.2)
    sure = np.full((600, 5), 0.001)
    sure[:, 1] = 0.996
    gain = fitted.fused(one, sure, prior)[240:, 1] - fitted.probabilities(one)[240:, 1]
    assert gain.min() >= 0


def test_soft_labels_of_a_wrong_shape_are_refused(fitted):
    with pytest.raises(DataError) as refused:
        fitted.fused(series(300), np.zeros((5, 5)), np.full(5, 0.2))
    assert str(refused.value) == (
        "Expected soft labels of shape (300, 5) and 5 frequencies above zero, was (5, 5) and "
        "[0.2, 0.2, 0.2, 0.2, 0.2]. Give one row a candle and one column a regime."
    )


def test_it_can_be_written_down_and_read_again(fitted):
    again = RegimeFilter.from_dict(fitted.as_dict())
    np.testing.assert_array_equal(again.probabilities(series(300)), fitted.probabilities(series(300)))


def test_too_short_a_history_is_refused():
    with pytest.raises(NotEnoughData, match="Bring at least 50 candles after the first 240"):
        RegimeFilter.fit([series(250)])


def test_measures_of_the_rules_agree_with_the_made_market():
    rows = measures(series(1500))
    assert rows[560, 0] > 1.0
    assert rows[1160, 0] < -1.0
    assert rows[650, 1] > np.log(1.5)
    assert rows[1280, 2] < np.log(0.6)


def test_an_alarm_is_raised_once_when_another_regime_is_probable_enough():
    p = np.array([[np.nan, np.nan], [0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9], [0.85, 0.15]])
    assert switch_alarms(p, 0.75).tolist() == [3, 5]
    assert switch_alarms(p, 0.95).tolist() == []


def test_cusum_sums_departures_beyond_the_drift():
    x = np.r_[np.zeros(4), np.full(3, 2.0)]
    assert cusum_alarms(x, 4.0, drift=0.5, memory=2).tolist() == [6]  # 1.5, 3.0, 4.5
    assert cusum_alarms(-x, 4.0, drift=0.5, memory=2).tolist() == [6]


def test_one_alarm_of_change_is_raised_while_the_windows_still_span_the_switch():
    change = np.r_[np.nan, 0.1, 0.9, 0.95, 0.2, 0.9, 0.9]
    assert distance_alarms(change, 0.9, apart=3).tolist() == [2, 5]
    assert distance_alarms(change, 0.9, apart=1).tolist() == [2, 3, 5, 6]
    assert distance_alarms(change, 1.0, apart=1).tolist() == []


@pytest.mark.parametrize("alarms", [lambda x: cusum_alarms(x, 3.0), lambda x: distance_alarms(x, 0.5, apart=7)])
def test_alarms_never_look_ahead(alarms):
    x = np.random.default_rng(0).normal(size=400).cumsum() / 5
    whole = alarms(x)
    assert alarms(x[:200]).tolist() == [t for t in whole if t < 200] != []


def test_the_recent_filter_says_the_same_however_much_history_there_is(fitted):
    one = series(900)
    whole = fitted.recent(one, 100)
    assert np.isnan(whole[: 240 + 99]).all()
    assert np.isfinite(whole[240 + 99 :]).all()
    for end in (339, 500, 899):
        np.testing.assert_array_equal(fitted.recent(one.head(end + 1), 100)[end], whole[end])  # no peeking
        last = fitted.recent(one.between(end + 1 - 340, end + 1), 100)[-1]
        np.testing.assert_allclose(last, whole[end], rtol=0, atol=1e-9)


def test_a_long_memory_forgets_where_it_began(fitted):
    one = series(2400)
    np.testing.assert_allclose(fitted.recent(one, 1500)[2000:], fitted.probabilities(one)[2000:], atol=1e-6)


def test_a_history_shorter_than_the_memory_tells_no_regime(fitted):
    for n in (100, 240, 300):
        assert np.isnan(fitted.recent(series(n), 100)).all()
