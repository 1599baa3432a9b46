import numpy as np
import pytest
from scipy.signal import lfilter

from triptych.domain.errors import RecipeError
from triptych.inference.anomaly.thresholds import Config, create_threshold, followed


def run(config, scores, first):
    threshold = create_threshold(config, 1.0, first)
    limits = []
    for score in scores:
        limits.append(threshold.value())
        threshold.learn(float(score))
    return np.asarray(limits)


@pytest.mark.parametrize("method", ["rolling", "conformal", "spot"])
def test_so_many_rows_exceed_it_as_were_asked_for(method):
    generator = np.random.default_rng(1)
    config = Config(method=method, alarms_per_day=1, rows_per_day=100, window=3000)
    scores = generator.exponential(size=20_000)
    limits = run(config, scores, generator.exponential(size=3000))
    assert 0.006 < (scores > limits).mean() < 0.014


@pytest.mark.parametrize("method", ["rolling", "conformal"])
def test_it_follows_scores_that_grow(method):
    generator = np.random.default_rng(1)
    config = Config(method=method, alarms_per_day=1, rows_per_day=100, window=500, patience=0.5)
    scores = generator.exponential(size=4000) * np.linspace(1, 5, 4000)
    limits = run(config, scores, generator.exponential(size=500))
    assert (scores > limits)[1000:].mean() < 0.025


def test_rolling_is_numpys_unbiased_quantile_of_the_last_scores():
    generator = np.random.default_rng(2)
    first, scores = generator.random(50), generator.random(100)
    config = Config(method="rolling", alarms_per_day=10, rows_per_day=100, window=50, patience=0, balance=0)
    limits = run(config, scores, first)
    history = np.concatenate([first, scores])
    expected = [np.quantile(history[i : i + 50], 0.9, method="weibull") for i in range(100)]
    np.testing.assert_allclose(limits, expected)


def test_a_score_does_not_raise_the_bar_it_has_to_clear():
    config = Config(method="rolling", alarms_per_day=1, rows_per_day=20, window=20)
    assert run(config, [1e9], np.arange(20.0))[0] < 20


def test_the_fixed_one_stays():
    assert set(run(Config(method="fixed"), [5.0, 0.1], np.zeros(0))) == {1.0}


def test_the_conformal_one_alarms_at_a_p_value_of_the_rate():
    config = Config(method="conformal", alarms_per_day=5, rows_per_day=100, window=99)
    limit = run(config, [0.0], np.arange(99.0))[0]
    assert limit == 94.0  # above it stand 4, and with the new one itself 5 of 100


@pytest.mark.parametrize("method", ["rolling", "conformal", "spot"])
def test_a_lasting_failure_keeps_alarming_for_days_then_becomes_normal(method):
    generator = np.random.default_rng(2)
    config = Config(method=method, alarms_per_day=1, rows_per_day=96, patience=3.0, window=200)
    scores = generator.exponential(size=2000)
    scores[300:] += 50.0
    alarms = scores > run(config, scores, generator.exponential(size=500))
    assert alarms[300:588].all()
    if method != "spot":  # whose tail rises slowly by design
        assert alarms[-500:].mean() < 0.05


def clustered(seed, rows):
    """Scores with heavy tails (Student's law, 4 degrees of freedom) whose size wanders over hours, weeks and months."""
    generator = np.random.default_rng(seed)
    size = np.zeros(rows)
    for rows_back, deviation in ((24, 0.9), (500, 0.4), (5000, 0.4)):
        kept = np.exp(-1 / rows_back)
        shocks = generator.normal(scale=deviation * np.sqrt(1 - kept**2), size=rows)
        size += lfilter([1.0], [1.0, -kept], shocks)
    return np.abs(generator.standard_t(4, size=rows)) * np.exp(size)


@pytest.mark.parametrize(
    ("method", "seed"),
    [("rolling", 1), ("rolling", 2), ("rolling", 3), ("rolling", 4), ("conformal", 1), ("conformal", 2)],
)
def test_clustered_scores_with_heavy_tails_alarm_as_often_as_was_asked(method, seed):
    scores = clustered(seed, 32_000)
    config = Config(method=method, alarms_per_day=0.5, rows_per_day=24, window=2000)
    alarms = scores[2000:] > run(config, scores[2000:], scores[:2000])
    assert 0.85 < alarms.mean() / config.rate < 1.15


def test_without_an_account_they_alarm_more_often():
    scores = clustered(4, 32_000)
    config = Config(alarms_per_day=0.5, rows_per_day=24, window=2000, balance=0)
    alarms = scores[2000:] > run(config, scores[2000:], scores[:2000])
    assert alarms.mean() / config.rate > 1.15


def test_the_threshold_holds_still_while_alarms_go_on_and_learns_when_they_end():
    config = Config(alarms_per_day=5, rows_per_day=100, window=200, balance=0)
    first = np.linspace(0, 1, 200)
    limits = run(config, [9.0, 9.0, 9.0, 0.5, 0.5], first)
    assert len(set(limits[:4])) == 1
    assert limits[4] > limits[0]  # two or three of ten places above it are now taken


def test_one_lasting_failure_does_not_become_the_measure_of_what_follows():
    config = Config(alarms_per_day=1, rows_per_day=96, window=2000)
    generator = np.random.default_rng(4)
    scores = generator.exponential(size=600)
    scores[100:340] = 50.0  # two days and a half
    limits = run(config, scores, generator.exponential(size=2000))
    assert limits[340] < 10 < 50
    assert limits[340:].max() < 10


def test_a_rare_alarm_widens_the_window():
    assert Config(alarms_per_day=1, rows_per_day=96).remembered == 2000
    assert Config(alarms_per_day=0.25, rows_per_day=1440).remembered == 11520


def test_too_few_first_scores_are_refused():
    with pytest.raises(RecipeError) as error:
        create_threshold(Config(), 1.0, np.zeros(5))
    assert str(error.value) == (
        "A threshold that adapts needs at least 20 held-out scores to start from, there are 5. Fit on a longer "
        'history, or set method = "fixed".'
    )


def test_a_history_is_judged_as_a_stream_is():
    scores = np.random.default_rng(3).exponential(size=400)
    config = Config(method="rolling", alarms_per_day=2, rows_per_day=24, window=100)
    limits = followed(create_threshold(config, 1.0, scores[:100]), scores[100:])
    one = create_threshold(config, 1.0, scores[:100])
    for score, limit in zip(scores[100:], limits, strict=True):
        assert limit == one.value()
        one.learn(score)
    assert limits[0] == pytest.approx(np.quantile(scores[:100], 1 - 2 / 24, method="weibull"))
