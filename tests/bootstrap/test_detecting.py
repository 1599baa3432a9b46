import numpy as np
import pytest
from tests.fakes.waves import TINY, waves

from triptych.bootstrap import create_detector, list_detectors
from triptych.domain.errors import RecipeError

QUICK = {"epochs": 1, "windows_per_epoch": 100, "num_threads": 1}


@pytest.mark.parametrize("name", ["blend", "catch"])
def test_a_detector_by_name_fits_and_scores(name, tmp_path):
    detector = create_detector(name, network=TINY, focus=8, training=QUICK, folder=tmp_path, contamination=0.02)
    x = waves(600)
    detector.fit(x)
    y = waves(100, seed=3)
    y[60:70] += 6
    assert detector.predict(y)[60:70].any()
    assert detector.contamination == 0.02
    assert 60 <= detector.decision_function(y).argmax() < 85


def test_all_names_are_known():
    assert list_detectors() == ["blend", "catch", "isolation_forest", "kmeans", "pca", "zscore"]
    assert create_detector("zscore").fit(np.random.default_rng(0).normal(size=(300, 2))).threshold_ > 0


def test_unknown_names_and_settings_are_refused():
    with pytest.raises(RecipeError) as error:
        create_detector("lof")
    assert str(error.value) == (
        "There is no detector 'lof'. Known are blend, catch, isolation_forest, kmeans, pca, zscore."
    )
    with pytest.raises(RecipeError) as error:
        create_detector("pca", contamination=2)
    assert str(error.value) == (
        "Detector pca: contamination: Input should be less than or equal to 0.5. Correct the setting."
    )
