import numpy as np
import pytest
import torch
from tests.features.markets import random_walk

from triptych.domain.errors import ArtifactError, NotEnoughData
from triptych.features.chart_patterns import PATTERNS
from triptych.inference.chart_patterns import ChartPatternNetwork, Config

ENCODING = {"name": "candlestick", "height": 32, "width": 48}
MODEL = {"name": "efficientnet_b0", "width": 0.1, "depth": 0.2}
SURE = Config(threshold=0.45, stride=3)


@pytest.fixture(scope="module")
def network():
    """Untrained, with a last layer that spreads its answers around one half."""
    made = ChartPatternNetwork(48, ENCODING, MODEL, seed=1)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in made.network.named_parameters():
            if "classifier" in name:
                weight.normal_(0.0, 0.5)
    made.network.eval()
    return made


def test_no_detection_peeks(network):
    values, _ = random_walk(150, seed=3)
    whole = network.find(values, SURE)
    assert whole
    for cut in (48, 71, 100, 149):
        short = network.find(values[:cut], SURE)
        known = [d for d in whole if d.known_at < cut]
        assert [(d.pattern, d.start, d.end, d.known_at) for d in short] == [
            (d.pattern, d.start, d.end, d.known_at) for d in known
        ]
        np.testing.assert_allclose([d.score for d in short], [d.score for d in known], atol=1e-5)


def test_every_detection_is_whole(network):
    values, _ = random_walk(150, seed=3)
    for d in network.find(values, SURE):
        assert d.known_at - 47 <= d.start < d.end
        assert d.score >= 0.45
        assert d.side == PATTERNS[d.pattern]
        box = values[d.start : d.end + 1]
        assert (d.low, d.high) == (box[:, 2].min(), box[:, 1].max())


def test_a_saved_network_finds_the_same(network, tmp_path):
    values, _ = random_walk(90, seed=4)
    network.save(tmp_path / "net", {"seed": 1})
    assert ChartPatternNetwork.load(tmp_path / "net").find(values, SURE) == network.find(values, SURE)


def test_a_folder_without_a_network_is_refused(tmp_path):
    with pytest.raises(ArtifactError) as refused:
        ChartPatternNetwork.load(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} holds no network of patterns: card.json is missing or damaged. Train it again."
    )


def test_a_history_shorter_than_a_window_is_refused(network):
    with pytest.raises(NotEnoughData) as refused:
        network.find(np.ones((10, 5)))
    assert str(refused.value) == ("10 candles are fewer than the network's window of 48. Bring at least 48 candles.")
