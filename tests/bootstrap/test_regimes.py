import numpy as np
import pytest
from tests.inference.test_regimes import series

from triptych.bootstrap.regimes import WEIGHTS, RegimeRecipe, Regimes, rule_labels, taught_regimes, train_regimes
from triptych.domain.errors import ArtifactError
from triptych.training.multi_label import Config as TrainingConfig

TINY = RegimeRecipe(
    length=48,
    stride=6,
    encoding={"name": "candlestick", "height": 32, "width": 48},
    model={"name": "efficientnet_b0", "width": 0.1, "depth": 0.2},
    training=TrainingConfig(epochs=2, batch_size=32),
)


@pytest.fixture(scope="module")
def trained():
    return train_regimes([series(1800)], TINY)


def test_filter_and_network_together_do_not_peek(trained):
    one = series(500, seed=3)
    whole = trained.probabilities(one)
    assert np.isnan(whole[:240]).all()
    np.testing.assert_allclose(whole[240:].sum(axis=1), 1.0)
    for cut in (300, 477):
        np.testing.assert_allclose(trained.probabilities(one.head(cut))[240:], whole[240:cut], atol=1e-5)


def test_soft_labels_sum_to_one_where_they_are_known(trained):
    found = trained.soft_labels(series(300, seed=3))
    assert np.isnan(found[:47]).all()
    np.testing.assert_allclose(found[47:].sum(axis=1), 1.0)
    assert trained.prior.sum() == pytest.approx(1.0)


def test_the_network_is_taught_one_regime_a_candle_and_its_weight_is_chosen(trained):
    taught = taught_regimes(series(900))
    assert np.isnan(taught[:228]).all()
    assert np.isnan(taught[-12:]).all()
    np.testing.assert_array_equal(taught[228:-12].sum(axis=1), 1.0)
    assert trained.weight in WEIGHTS


def test_filter_and_network_are_saved_and_read_again(trained, tmp_path):
    trained.save(tmp_path / "regimes")
    again = Regimes.load(tmp_path / "regimes")
    one = series(320, seed=3)
    np.testing.assert_array_equal(again.soft_labels(one), trained.soft_labels(one))
    np.testing.assert_array_equal(again.probabilities(one), trained.probabilities(one))
    assert again.weight == trained.weight


def test_another_network_is_no_network_of_regimes(tmp_path):
    (tmp_path / "card.json").write_text('{"kind": "chart_patterns"}')
    with pytest.raises(ArtifactError) as refused:
        Regimes.load(tmp_path)
    assert str(refused.value) == f"{tmp_path} holds no network of regimes. Train one."


def test_one_trend_holds_at_a_time_by_the_rules():
    found = rule_labels(series(900))[240:]
    np.testing.assert_array_equal(found[:, :3].sum(axis=1), 1.0)
