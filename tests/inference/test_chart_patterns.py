import numpy as np
import pytest
from tests.fakes.pattern_networks import candle_network, chart_network, saved_candle_network, saved_chart_network
from tests.features.markets import random_walk

from triptych.domain.errors import ArtifactError, NotEnoughData
from triptych.features.chart_patterns import PATTERNS
from triptych.inference.chart_patterns import ChartPatternNetwork, Config, find_by_network

SURE = Config(threshold=0.7, stride=3)


@pytest.fixture(scope="module")
def network():
    return chart_network()


def test_no_detection_peeks(network):
    values, _ = random_walk(150, seed=3)
    whole = find_by_network(network, values, SURE)
    assert whole
    for cut in (48, 71, 100, 149):
        short = find_by_network(network, values[:cut], SURE)
        known = [d for d in whole if d.known_at < cut]
        assert [(d.pattern, d.start, d.end, d.known_at) for d in short] == [
            (d.pattern, d.start, d.end, d.known_at) for d in known
        ]
        np.testing.assert_allclose([d.score for d in short], [d.score for d in known], atol=1e-5)


def test_every_detection_is_whole(network):
    values, _ = random_walk(150, seed=3)
    for d in find_by_network(network, values, SURE):
        assert d.known_at - 47 <= d.start < d.end
        assert d.score >= 0.7
        assert d.side == PATTERNS[d.pattern]
        box = values[d.start : d.end + 1]
        assert (d.low, d.high) == (box[:, 2].min(), box[:, 1].max())


def test_a_saved_network_finds_the_same(network, tmp_path):
    values, _ = random_walk(90, seed=4)
    again = ChartPatternNetwork.load(saved_chart_network(tmp_path / "net"))
    assert find_by_network(again, values, SURE) == find_by_network(network, values, SURE)


def test_a_network_of_candle_patterns_is_refused(tmp_path):
    folder = saved_candle_network(tmp_path / "net")
    with pytest.raises(ArtifactError) as refused:
        ChartPatternNetwork.load(folder)
    assert str(refused.value) == f"{folder} holds no network of the chart patterns of this version. Train one."
    with pytest.raises(ArtifactError) as refused:
        find_by_network(candle_network(), np.ones((50, 5)))
    assert str(refused.value) == "The network does not name the chart patterns of this version. Train one."


def test_a_history_shorter_than_a_window_is_refused(network):
    with pytest.raises(NotEnoughData) as refused:
        find_by_network(network, np.ones((10, 5)))
    assert str(refused.value) == ("10 candles are fewer than the network's window of 48. Bring at least 48 candles.")
