import numpy as np
import pytest

from triptych.market.synthetic.pressure import Config, draw_pressure


def test_pressure_shows_before_it_acts():
    state = draw_pressure(Config(lag=7), 1, "A", 5_000)
    assert np.array_equal(state.acting[7:], state.visible[:-7])


def test_without_lag_it_acts_at_once():
    state = draw_pressure(Config(lag=0), 1, "A", 500)
    assert np.array_equal(state.acting, state.visible)


def test_buying_and_selling_are_alike_and_neutral_has_its_share():
    visible = np.concatenate([draw_pressure(Config(), s, "A", 100_000).visible for s in range(4)])
    shares = [(visible == s).mean() for s in (-1, 0, 1)]
    assert shares == pytest.approx([0.375, 0.25, 0.375], abs=0.015)


def test_spells_last_as_long_as_asked():
    visible = draw_pressure(Config(mean_duration=36.0), 1, "A", 400_000).visible
    assert 400_000 / np.count_nonzero(np.diff(visible)) == pytest.approx(36.0, rel=0.03)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_limits_of_the_neutral_share_hold(share):
    visible = draw_pressure(Config(neutral_share=share), 1, "A", 200_000).visible
    assert (visible == 0).mean() == pytest.approx(share, abs=0.02)
