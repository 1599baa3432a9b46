import numpy as np
import pytest
import torch
from tests.fakes.pattern_networks import saved_chart_network, windows_of
from tests.features.markets import TIMEFRAME_MS, random_walk

from triptych.domain.errors import ArtifactError, NotEnoughData, RecipeError
from triptych.features.candle_labels import CANDLE_LABELS, candle_labels, jittered, label_quality
from triptych.inference.candle_patterns import CandlePatternNetwork
from triptych.models.candle_network import CandleNetwork


def labels(values, times):
    return candle_labels(values, times, TIMEFRAME_MS)


def test_labels_are_those_of_talib_rising_and_falling_apart():
    import talib

    values, times = random_walk(600, seed=5)
    found = labels(values, times)
    assert found.shape == (600, 122)
    theirs = talib.CDLENGULFING(*(np.ascontiguousarray(values[:, i]) for i in range(4)))
    np.testing.assert_array_equal(found[:, CANDLE_LABELS.index("engulfing_up")], theirs > 0)
    np.testing.assert_array_equal(found[:, CANDLE_LABELS.index("engulfing_down")], theirs < 0)


def test_labels_do_not_peek():
    values, times = random_walk(300, seed=6)
    for cut in (20, 150, 299):
        np.testing.assert_array_equal(labels(values[:cut], times[:cut]), labels(values, times)[:cut])


def test_several_patterns_may_stand_at_once():
    assert labels(*random_walk(600, seed=5)).sum(axis=1).max() >= 3


def test_quality_is_one_where_nothing_is_moved_and_lower_at_the_edge_of_a_rule():
    values, times = random_walk(300, seed=7)
    still = label_quality(values, times, TIMEFRAME_MS, copies=1, share=0.0)
    np.testing.assert_array_equal(still, labels(values, times))
    moved = label_quality(values, times, TIMEFRAME_MS, copies=4, share=0.05)
    at_labels = moved[labels(values, times)]
    assert 0.5 < at_labels.mean() < 1.0


def test_jittered_candles_are_still_candles():
    values, times = random_walk(300, seed=8)
    moved = jittered(values, times, 0.05, seed=0, copy=0)
    assert (moved[:, 1] >= moved[:, :4].max(axis=1)).all()
    assert (moved[:, 2] <= moved[:, :4].min(axis=1)).all()


def test_each_price_of_each_candle_and_copy_is_moved_by_a_number_of_its_own():
    times = np.arange(2000, dtype=np.int64) * TIMEFRAME_MS
    flat = np.tile([100.0, 1000.0, 0.0, 100.0, 1.0], (2000, 1))
    copies = [(seed, copy) for seed in (0, 2**64 - 1) for copy in (0, 1)]
    moved = [jittered(flat, times, 0.01, seed=seed, copy=copy)[:, [0, 3]] for seed, copy in copies]
    moves = (np.concatenate(moved, axis=1) - 100.0) / 10.0
    assert -1.0 <= moves.min() < -0.99
    assert 0.99 < moves.max() <= 1.0
    np.testing.assert_allclose(moves.mean(axis=0), 0.0, atol=0.06)
    np.testing.assert_allclose(moves.std(axis=0), 3**-0.5, atol=0.03)
    among = np.corrcoef(np.concatenate((moves[1:], moves[:-1]), axis=1).T) - np.eye(16)
    assert np.abs(among).max() < 0.1


def test_quality_is_the_same_from_whatever_candle_the_history_begins():
    values, times = random_walk(400, seed=12)
    whole = label_quality(values, times, TIMEFRAME_MS)
    assert len(np.unique(whole)) > 16
    for first in (1, 33, 200):
        later = label_quality(values[first:], times[first:], TIMEFRAME_MS)
        np.testing.assert_array_equal(later[64:], whole[first + 64 :])


def test_the_network_sees_neither_level_nor_volatility():
    values, _ = random_walk(17, seed=9)
    window = torch.from_numpy(values[None, :16])
    moved = window.clone()
    moved[..., :4] = 3.0 * window[..., :4] + 50.0
    network = CandleNetwork(16, 4)
    torch.testing.assert_close(network.features(moved), network.features(window), rtol=1e-4, atol=1e-4)


def test_on_which_side_of_a_price_another_lies_is_seen_by_a_tick():
    values, _ = random_walk(16, seed=9)
    window = torch.from_numpy(values[None]).double()
    window[0, -1, 0] = window[0, -2, 3]  # opens where the one before has closed
    above, below = window.clone(), window.clone()
    above[0, -1, 0] += 1e-5
    below[0, -1, 0] -= 1e-5
    network = CandleNetwork(16, 4)
    at, over, under = (network.features(one)[0, -1] for one in (window, above, below))
    steps = torch.stack((over - at, at - under)).abs()
    assert (steps == 1.0).any(dim=1).all()
    assert steps[steps != 1.0].max() < 0.01


def test_a_window_of_equal_prices_leaves_no_nan():
    assert torch.isfinite(CandleNetwork(16, 4).features(torch.ones(2, 16, 5))).all()


def test_too_short_a_window_is_refused():
    with pytest.raises(RecipeError) as refused:
        CandleNetwork(12, 4)
    assert str(refused.value) == "A window of candles for their patterns needs 16 candles, was 12. Lengthen the window."


def test_answers_do_not_peek_and_survive_saving(tmp_path):
    values, _ = random_walk(80, seed=10)
    network = CandlePatternNetwork(CANDLE_LABELS, width=16, depth=1, seed=1)
    whole = network.over(values)
    assert whole.shape == (65, 122, 2)
    np.testing.assert_allclose(network.over(values[:50]), whole[:35], rtol=0, atol=1e-6)
    network.threshold[3] = 0.25
    card = network.save(tmp_path / "net", windows_of(16), taught=("2023-01-01 00:00:00", "2023-02-01 00:00:00"))
    assert card.learnt == CANDLE_LABELS
    again = CandlePatternNetwork.load(tmp_path / "net")
    np.testing.assert_array_equal(again.over(values), whole)
    assert again.threshold[3] == 0.25


def test_what_is_too_short_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(NotEnoughData) as refused:
        CandlePatternNetwork(CANDLE_LABELS, width=16, depth=1).over(np.ones((5, 5)))
    assert str(refused.value) == "5 candles are fewer than the network's window of 16. Bring at least 16 candles."
    folder = saved_chart_network(tmp_path / "net")
    with pytest.raises(ArtifactError) as refused:
        CandlePatternNetwork.load(folder)
    assert str(refused.value) == f"{folder} holds no network of candle patterns. Train one."
