from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from triptych.backtest.luck import Config, Interval, assess
from triptych.backtest.statistics import performance
from triptych.backtest.verdict import judge, percent


def judged(result, *, trials=1, seed=0, skill=None):
    return judge(performance(result), assess(result, Config(replicates=300, trials=trials), seed=seed), skill=skill)


def random_trading(make_result, seed, *, drift=0.0, bias=0.0, edge=0.0, cost=0.0, n=800, hold=5):
    """Trades drawn at random; `edge` is added to the market's return in the direction held, per candle."""
    generator = np.random.default_rng(seed)
    shares = [(1 - bias) / 3, (1 - bias) / 3, (1 + 2 * bias) / 3]
    exposure = np.repeat(generator.choice([-1.0, 0.0, 1.0], size=n // hold + 1, p=shares), hold)[:n]
    market = drift + 0.01 * generator.standard_normal(n) + edge * exposure
    return make_result(market, exposure, cost_rate=cost)


@pytest.mark.parametrize(
    "market",
    [{}, {"drift": 0.001}, {"drift": 0.001, "bias": 0.6}, {"bias": 0.6}, {"cost": 0.0002, "drift": -0.001}],
    ids=["random walk", "rising", "rising and long", "long", "falling with costs"],
)
def test_random_trading_is_rarely_called_an_edge(make_result, market):
    claims = sum(
        judged(random_trading(make_result, seed, n=600, **market), seed=seed).claims_edge for seed in range(100)
    )
    assert claims <= 5  # 5 % of 100


def test_the_best_of_ten_random_strategies_is_rarely_called_an_edge(make_result):
    claims = 0
    for seed in range(40):
        tried = [random_trading(make_result, 10 * seed + k, drift=0.001, bias=0.6) for k in range(10)]
        best = max(tried, key=lambda result: result.equity["equity"][-1] / result.equity["benchmark"][-1])
        claims += judged(best, trials=10, seed=seed).claims_edge
    assert claims <= 2


def test_a_real_edge_is_found(make_result):
    claims = sum(
        judged(random_trading(make_result, seed, edge=0.002, cost=0.0002), seed=seed).claims_edge for seed in range(30)
    )
    assert claims >= 29


def test_an_edge_is_claimed_with_reasons_and_caveats(make_result):
    verdict = judged(random_trading(make_result, 1, edge=0.002), skill=Interval(value=0.2, low=0.1, high=0.3))
    assert verdict.claims_edge
    assert verdict.outcome == "edge"
    assert verdict.sentence == "Evidence of an edge."
    assert len(verdict.reasons) == len(verdict.checks) == 6
    assert verdict.caveats[0] == (
        "It holds for 1 trial, as declared; every variant that was compared on this period and not counted weakens it."
    )
    assert "It rests on 33 days of one market phase." in verdict.caveats


def test_a_loss_is_explained_in_plain_words(make_result):
    market = np.tile([0.001, -0.002, 0.002, -0.0005], 100)
    exposure = np.tile([0.0, 0.0, 1.0, 0.0], 100)
    verdict = judged(make_result(market, exposure, cost_rate=0.0012))
    assert verdict.outcome == "no_edge"
    assert verdict.sentence == "No evidence of an edge."
    # each round trip: (1 + 0.002 - 0.0012) (1 - 0.0012) = 0.99959904
    assert verdict.reasons[0] == "After costs it lost 3.9 %; before costs it earned 19.6 %."
    assert verdict.reasons[1].startswith("Luck alone would let one strategy do this well with probability ")
    assert verdict.caveats == ()


def test_too_few_trades_outweigh_every_other_figure(make_result):
    market = 0.002 + np.random.default_rng(1).standard_normal(800) * 0.001
    verdict = judged(make_result(market, np.where(np.arange(800) % 200 < 60, 1.0, -1.0)))
    assert verdict.outcome == "too_few"
    assert not verdict.claims_edge
    assert verdict.sentence == "Too few trades to say."
    assert verdict.reasons[0] == "It made 8 round trips; 20 are needed."


def test_no_trade_at_all_says_so(make_result):
    verdict = judged(make_result(np.full(300, 0.01), np.zeros(300)))
    assert verdict.outcome == "too_few"
    assert verdict.reasons[:2] == ("It made no trade.", "It neither earned nor lost anything.")
    assert "Its equity never moved, so there is no timing to measure." in verdict.reasons


def test_overlapping_trades_are_not_counted_twice(make_result):
    result = random_trading(make_result, 1, edge=0.002)
    measured = performance(result)
    crowded = replace(measured, trades=replace(measured.trades, count=500, independent_count=12))
    verdict = judge(crowded, assess(result, Config(replicates=300)))
    assert verdict.outcome == "too_few"
    assert verdict.reasons == ("It made 500 round trips, of which 12 do not overlap in time; 20 are needed.",)


def test_a_short_test_period_is_too_little_to_say(make_result):
    market = np.abs(np.random.default_rng(1).standard_normal(60)) * 0.01
    verdict = judged(make_result(market, np.tile([1.0, 0.0], 30)))
    assert verdict.outcome == "too_few"
    assert verdict.reasons[0].startswith("Its 60 returns are worth ")
    assert verdict.reasons[0].endswith(" independent ones; 100 are needed.")


def test_timing_is_stated_per_year_or_for_the_time_tested_if_that_is_shorter(make_result):
    short = random_trading(make_result, 3)
    luck = replace(assess(short, Config(replicates=300)), timing_return=Interval(value=0.5, low=-1.0, high=2.0))
    year = replace(performance(short), years=2.0)
    assert judge(year, luck).reasons[-1] == (
        "Its timing cannot be told from zero: 50.0 % a year (95 % interval −100 % to 200 %)."
    )
    month = replace(performance(short), years=0.1)
    assert judge(month, luck).reasons[-1] == (
        "Its timing cannot be told from zero: 5.0 % in this time (95 % interval −10.0 % to 20.0 %)."
    )
    losing = replace(luck, timing_return=Interval(value=-0.5, low=-1.0, high=-0.1))
    assert judge(year, losing).reasons[-1] == (
        "Its timing lost money: −50.0 % a year (95 % interval −100 % to −10.0 %)."
    )


def test_profit_without_skill_is_no_edge(make_result):
    verdict = judged(random_trading(make_result, 1, edge=0.002), skill=Interval(value=0.01, low=-0.02, high=0.04))
    assert verdict.outcome == "no_edge"
    assert verdict.reasons == (
        "The model's predictions are no better than chance: its correlation with what came (MCC) is 0.010, "
        "95 % interval -0.020 to 0.040.",
    )


def test_ruin_is_named(make_result):
    market = np.random.default_rng(3).standard_normal(400) * 0.01
    exposure = np.tile([1.0, -1.0], 200)
    market[300], exposure[300] = -0.6, 2.0
    verdict = judged(make_result(market, exposure))
    assert verdict.reasons[0] == "It lost the whole account: the return is −119 %."
    assert not verdict.claims_edge


def test_many_trials_turn_an_edge_into_luck(make_result):
    result = random_trading(make_result, 4, edge=0.0012)
    assert judged(result).claims_edge
    verdict = judged(result, trials=2000)
    assert not verdict.claims_edge
    assert verdict.reasons[0].startswith(
        "Luck alone would let the best of 2000 strategies do this well with probability"
    )


def test_the_verdict_is_plain_data_for_json(make_result):
    plain = judged(random_trading(make_result, 1, edge=0.002)).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.0321, "3.2 %"), (0.0004, "0.04 %"), (12.5, "1,250 %"), (-0.05, "−5.0 %"), (-1e-9, "0.00 %"), (0.0, "0.00 %")],
)
def test_percentages_have_sensible_digits(fraction, text):
    assert percent(fraction) == text
