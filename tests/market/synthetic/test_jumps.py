import numpy as np
import pytest

from triptych.market.synthetic.jumps import Config, compensator, jump_sizes, rates


def test_jumps_come_as_often_as_a_poisson_process():
    rate = np.full(400_000, 0.5)
    _, count = jump_sizes(Config(), 1, rate, "A")
    shares = np.bincount(count, minlength=5)[:5] / 400_000
    assert shares.tolist() == pytest.approx([0.6065, 0.3033, 0.0758, 0.0126, 0.0016], abs=0.003)


def test_sizes_are_symmetric_and_their_variance_grows_with_the_count():
    size, count = jump_sizes(Config(size=4.0), 1, np.full(400_000, 0.5), "A")
    assert (size[count == 0] == 0.0).all()
    assert size[count == 1].std() == pytest.approx(4.0, rel=0.02)
    assert size[count == 2].std() == pytest.approx(32**0.5, rel=0.02)
    assert size[count > 0].mean() == pytest.approx(0.0, abs=0.05)


def test_a_crisis_multiplies_the_rate():
    regimes = np.array([0, 1, 2], dtype=np.int8)
    assert rates(Config(crisis_factor=4.0), regimes, 0.01).tolist() == pytest.approx([0.01, 0.01, 0.04])


def test_the_compensator_is_the_log_mean_of_exp_jumps():
    config = Config(size=5.0)
    sigma = np.full(1_000_000, 0.04)
    size, _ = jump_sizes(config, 1, np.full(1_000_000, 0.1), "A")
    growth = np.exp(sigma * size)
    expected = float(compensator(config, np.array([0.1]), np.array([0.04]))[0])
    assert expected == pytest.approx(0.1 * np.expm1(0.02))
    assert np.log(growth.mean()) == pytest.approx(expected, abs=4 * growth.std() / 1000)
