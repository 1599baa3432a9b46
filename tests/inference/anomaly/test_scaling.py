import warnings

import numpy as np
import pytest

from triptych.domain.errors import DataError
from triptych.inference.anomaly.baselines import ZScoreDetector
from triptych.inference.anomaly.scaling import Scaling

X = np.random.default_rng(0).standard_normal((800, 3))


@pytest.mark.parametrize("size", [1e-300, 1e-12, 1e-6, 1e12, 1e300, 4e307])
def test_scores_do_not_depend_on_the_size_of_a_channel(size):
    sized = X.copy()
    sized[:, 1] *= size
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = ZScoreDetector().fit(sized[:600]).decision_function(sized)
    np.testing.assert_allclose(scores, ZScoreDetector().fit(X[:600]).decision_function(X), rtol=1e-6)


def test_one_huge_value_does_not_hide_the_rest_of_its_channel():
    wild = X.copy()
    wild[300, 0] = 1e300
    scaling = Scaling.of(wild, ("a", "b", "c"), bound=20.0)
    plain = Scaling.of(X, ("a", "b", "c"), bound=20.0)
    np.testing.assert_allclose(scaling.scale, plain.scale, rtol=0.02)
    assert scaling(np.array([[1.7e308, -1.7e308, 0.0]])).tolist()[0][:2] == [20.0, -20.0]


@pytest.mark.parametrize("constant", [0.0, 5.0, 1e-12, 1e300])
def test_a_constant_is_one_at_any_size_and_with_its_rounding(constant):
    flat = X.copy()
    flat[:, 2] = constant * (1 + 1e-16 * np.arange(800))
    with pytest.raises(DataError, match="do not change in the training rows: 'c'"):
        Scaling.of(flat, ("a", "b", "c"), bound=20.0)
