import numpy as np
import pytest

from triptych.market.synthetic.streams import autoregression, bits, normals, stream, uniforms


def test_a_stream_is_fixed_by_seed_and_name():
    first = uniforms(stream(7, "returns", "ALFA-USDT"), 5)
    assert np.array_equal(first, uniforms(stream(7, "returns", "ALFA-USDT"), 5))
    assert not np.array_equal(first, uniforms(stream(8, "returns", "ALFA-USDT"), 5))
    assert not np.array_equal(first, uniforms(stream(7, "returns", "BRAVO-USDT"), 5))


def test_parts_of_a_name_do_not_run_into_one_another():
    assert not np.array_equal(uniforms(stream(7, "ab", "c"), 3), uniforms(stream(7, "a", "bc"), 3))


def test_uniforms_lie_strictly_between_zero_and_one():
    class Zero(np.random.Generator):
        def random(self, size):
            return np.zeros(size)

    draws = uniforms(Zero(bits(0, "x")), 3)
    assert draws.tolist() == [2.0**-54] * 3
    assert np.isfinite(np.log(draws)).all()


def test_normals_take_one_draw_each_and_fill_in_time_order():
    long, short = normals(stream(3, "n"), 10, 4), normals(stream(3, "n"), 6, 4)
    assert np.array_equal(long[:6], short)


def test_normals_have_mean_zero_and_variance_one():
    values = normals(stream(3, "n"), 200_000)
    assert values.mean() == pytest.approx(0.0, abs=0.01)
    assert values.std() == pytest.approx(1.0, abs=0.01)
    assert (values**4).mean() == pytest.approx(3.0, abs=0.1)


def test_autoregression_has_the_half_life_and_deviation_asked_for():
    values = autoregression(normals(stream(5, "x"), 400_000), 8.0, 0.3)
    assert values.std() == pytest.approx(0.3, abs=0.01)
    assert np.corrcoef(values[:-8], values[8:])[0, 1] == pytest.approx(0.5, abs=0.02)


def test_autoregression_by_hand():
    # A half-life of 1 halves the memory: x1 = 0.5 x0 + 2 sqrt(0.75) e1.
    values = autoregression(np.array([1.0, 1.0, 0.0]), 1.0, 2.0)
    assert values.tolist() == pytest.approx([2.0, 1.0 + 2.0 * 0.75**0.5, 0.5 + 0.75**0.5])
