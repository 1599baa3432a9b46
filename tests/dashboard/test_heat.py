"""Heat of a decision's picture, held against the explanation it is made of."""

import numpy as np
import pytest

from triptych.bootstrap import open_run
from triptych.bootstrap.candles import load_candles
from triptych.dashboard.heat import explained_heat
from triptych.inference import open_any_artifact
from triptych.inference.explain import explain


@pytest.fixture(scope="module")
def asked(trained):
    (series,) = load_candles(open_run(trained).recipe).series
    artifact = open_any_artifact(open_run(trained).artifact)
    return artifact.classifier(), series.values[500 - artifact.card.length : 500].astype(np.float32)


def test_the_pixels_that_speak_for_the_class_are_hot_and_the_others_cold(asked):
    classifier, window = asked
    heat = explained_heat(classifier, window, 2)
    expected = explain(classifier, window, method="integrated_gradients", target="buy").heat
    assert heat.shape == expected.shape
    assert (heat.min(), heat.max()) == (0.0, 1.0)
    assert np.array_equal(heat > 0, expected > 0)
    middling = (heat > 0) & (heat < 1)
    assert np.corrcoef(heat[middling], expected[middling])[0, 1] == pytest.approx(1.0, abs=1e-6)


def test_a_window_that_cannot_be_explained_has_no_heat(asked):
    classifier, window = asked
    assert explained_heat(classifier, np.full_like(window, np.nan), 0) is None
