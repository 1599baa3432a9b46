import numpy as np
import pytest

from triptych.market.synthetic.intrabar import Config, Extremes, draw_extremes

N = 20_000
ZERO = np.zeros(N)
ONE = np.ones(N)


def extremes(config: Config, gradual: np.ndarray = ZERO, jump: np.ndarray = ZERO, lean: np.ndarray = ZERO) -> Extremes:
    return draw_extremes(config, 1, "A", gradual=gradual, jump=jump, volatility=ONE[: len(gradual)], lean=lean)


def test_extremes_hold_open_and_close():
    gradual = np.linspace(-2, 2, N)
    found = extremes(Config(), gradual=gradual, jump=-0.5 * gradual)
    assert (found.high >= np.maximum(0, 0.5 * gradual)).all()
    assert (found.low <= np.minimum(0, 0.5 * gradual)).all()


def test_a_still_path_has_no_wicks():
    gradual = np.linspace(-2, 2, N)
    found = extremes(Config(noise=0.0, probe=0.0), gradual=gradual)
    assert found.high == pytest.approx(np.maximum(gradual, 0))
    assert found.low == pytest.approx(np.minimum(gradual, 0))


def test_a_brownian_path_has_the_range_of_brownian_motion():
    # Mean range of Brownian motion with unit variance is sqrt(8 / pi) = 1.596; 500 steps miss about 4 percent of it.
    rng = np.random.default_rng(0)
    found = draw_extremes(
        Config(noise=1.0, probe=0.0, steps=500), 1, "A",
        gradual=rng.standard_normal(4_000), jump=np.zeros(4_000), volatility=np.ones(4_000), lean=np.zeros(4_000),
    )  # fmt: skip
    assert (found.high - found.low).mean() == pytest.approx(1.596 * 0.96, rel=0.03)


def test_probes_leave_their_wick_on_the_side_they_lean_to():
    down, up = extremes(Config(), lean=ONE), extremes(Config(), lean=-ONE)
    assert -down.low.mean() > 2.5 * down.high.mean()
    assert up.high.mean() > 2.5 * -up.low.mean()


def test_the_range_does_not_tell_which_side_they_lean_to():
    sizes = [(found.high - found.low).mean() for found in (extremes(Config(), lean=s * ONE) for s in (-1, 0, 1))]
    assert sizes == pytest.approx([sizes[1]] * 3, rel=0.02)


def test_chunks_do_not_show():
    whole = extremes(Config())
    part = draw_extremes(
        Config(), 1, "A", gradual=ZERO[:8_200], jump=ZERO[:8_200], volatility=ONE[:8_200], lean=ZERO[:8_200]
    )
    assert np.array_equal(whole.high[:8_200], part.high)
    assert np.array_equal(whole.low[:8_200], part.low)
