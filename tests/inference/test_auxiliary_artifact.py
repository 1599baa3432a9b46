"""A GoogLeNet as an artifact: auxiliary classifiers stay in the weights where the card says so, never in the graph."""

import numpy as np
import onnx
import torch

from triptych.images import create_encoding
from triptych.inference import Card, WindowClassifier, load_artifact, save_artifact
from triptych.models import create_model

LENGTH = 32
ENCODING = {"name": "gasf"}


def windows(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (n, LENGTH)), axis=1))
    opening = np.roll(close, 1, axis=1)
    high, low = np.maximum(opening, close) * 1.001, np.minimum(opening, close) * 0.999
    return np.stack([opening, high, low, close, rng.uniform(1, 9, (n, LENGTH))], axis=-1).astype(np.float32)


def test_a_googlenet_is_rebuilt_from_its_card(tmp_path):
    model = {"name": "googlenet", "width": 0.125, "depth": 1.0, "aux_logits": True}
    encoding = create_encoding(length=LENGTH, **ENCODING)
    network = create_model(in_chans=encoding.channels, num_classes=3, seed=1, **model)
    classifier = WindowClassifier(encoding, network)
    batch = windows(16)
    with torch.no_grad():
        torch.nn.init.normal_(network.fc.weight, std=1.0, generator=torch.Generator().manual_seed(0))
        for _ in range(10):
            classifier.train()(torch.from_numpy(batch))  # statistics of batch normalisation
    card = Card(
        name="unit", length=LENGTH, timeframe="15m", symbols=("A",), encoding=ENCODING, model=model, parameters=1,
        target={}, splits=[], period=("a", "b"), data_hash="0", metrics={}, seed=5, versions={},
    )  # fmt: skip
    save_artifact(tmp_path / "artifact", classifier, card, batch)
    artifact = load_artifact(tmp_path / "artifact")
    state = artifact.classifier().state_dict()
    assert any(name.startswith("network.aux") for name in state)
    assert all(torch.equal(state[name], value) for name, value in classifier.state_dict().items())
    weights = {tensor.name for tensor in onnx.load(tmp_path / "artifact" / "model.onnx").graph.initializer}
    assert any("inception5b" in name for name in weights)
    assert not any("aux" in name for name in weights)
    expected = artifact.predictor("torch").probabilities(batch)
    assert expected.std(axis=0).min() > 0.01
    np.testing.assert_allclose(artifact.predictor(threads=1).probabilities(batch), expected, atol=1e-4)
