import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from triptych.domain.errors import ArtifactError, NotEnoughData, StorageError
from triptych.images import create_encoding
from triptych.inference import Artifact, Card, WindowClassifier, load_artifact, record_metrics, save_artifact
from triptych.models import create_model

LENGTH = 24
ENCODING = {"name": "gasf", "series": ["close", "volume"]}
MODEL = {"name": "efficientnet_b0", "width": 0.25, "depth": 0.25}


def windows(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    close = 30_000 * np.exp(np.cumsum(rng.normal(0, 0.002, (n, LENGTH)), axis=1))
    opening = np.roll(close, 1, axis=1)
    high, low = np.maximum(opening, close) * 1.001, np.minimum(opening, close) * 0.999
    return np.stack([opening, high, low, close, rng.uniform(1, 9, (n, LENGTH))], axis=-1).astype(np.float32)


def build() -> WindowClassifier:
    torch.manual_seed(5)
    encoding = create_encoding(length=LENGTH, **ENCODING)
    classifier = WindowClassifier(encoding, create_model(in_chans=encoding.channels, num_classes=3, **MODEL))
    # A fresh network says the same of every window: two programs that agree about it prove nothing.
    with torch.no_grad():
        for _ in range(20):
            classifier.train()(torch.from_numpy(windows(64, seed=9)))
        scores = classifier.eval()(torch.from_numpy(windows(64, seed=9)))
        head = classifier.network.get_classifier()
        head.weight.mul_(1.5 / scores.std(dim=0).mean())
        head.bias.sub_(classifier(torch.from_numpy(windows(64, seed=9))).mean(dim=0))
    return classifier


@pytest.fixture(scope="module")
def card() -> Card:
    return Card(
        name="unit", length=LENGTH, timeframe="15m", symbols=("A",), encoding=ENCODING, model=MODEL, parameters=1,
        target={}, splits=[], period=("a", "b"), data_hash="0", metrics={}, seed=5, versions={},
    )  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, card: Card) -> Artifact:
    return save_artifact(tmp_path_factory.mktemp("models") / "artifact", build(), card, windows(16))


@pytest.fixture
def copy(saved: Artifact, tmp_path: Path) -> Path:
    shutil.copytree(saved.folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_network_and_graph_agree_on_raw_windows(saved: Artifact) -> None:
    batch = windows(300, seed=1)
    onnx, network = saved.predictor("onnx", threads=1), saved.predictor("torch")
    assert network.probabilities(batch).std(axis=0).min() > 0.02
    np.testing.assert_allclose(onnx.probabilities(batch), network.probabilities(batch), atol=1e-4)
    np.testing.assert_allclose(onnx.probabilities(batch).sum(axis=1), 1, atol=1e-5)


def test_a_loaded_artifact_predicts_what_the_trained_network_did(copy: Path) -> None:
    batch = windows(5, seed=2)
    with torch.no_grad():
        expected = torch.softmax(build()(torch.from_numpy(batch)), dim=-1).numpy()
    np.testing.assert_allclose(load_artifact(copy).predictor("torch").probabilities(batch), expected, atol=1e-6)


def test_one_window_gives_what_the_batch_gives(saved: Artifact) -> None:
    batch, predictor = windows(7, seed=3), saved.predictor(threads=1)
    one_by_one = np.concatenate([predictor.probabilities(window[None]) for window in batch])
    np.testing.assert_allclose(one_by_one, predictor.probabilities(batch), atol=1e-5)


def test_predict_signs_and_dates_the_prediction(saved: Artifact) -> None:
    prediction = saved.predictor(threads=1).predict("A", windows(1)[0], 900_000)
    assert (prediction.symbol, prediction.time_ms, prediction.model) == ("A", 900_000, "unit")
    assert prediction.is_usable


def test_no_windows_give_no_predictions(saved: Artifact) -> None:
    assert saved.predictor(threads=1).probabilities(windows(0)).shape == (0, 3)


def test_windows_of_another_length_are_refused(saved: Artifact) -> None:
    with pytest.raises(NotEnoughData, match=r"^Expected windows of shape \(batch, 24, 5\), was \(1, 23, 5\)\.$"):
        saved.predictor(threads=1).probabilities(windows(1)[:, 1:])


@pytest.mark.parametrize("name", ["weights.safetensors", "model.onnx"])
def test_a_changed_file_is_noticed(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        load_artifact(copy)
    assert caught.value.message == f"{copy / name} is damaged: it is not the file its card was written for."
    assert caught.value.remedy == "Train or export the model again, or copy the folder anew."


@pytest.mark.parametrize("name", ["weights.safetensors", "model.onnx"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=f"is damaged: {name} is missing"):
        load_artifact(copy)


def test_a_folder_without_a_card_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is no artifact: card\.json is missing"):
        load_artifact(tmp_path)


def test_a_card_of_another_format_is_refused(copy: Path) -> None:
    card = json.loads((copy / "card.json").read_text())
    (copy / "card.json").write_text(json.dumps({**card, "format": 2}))
    with pytest.raises(ArtifactError, match=r"card\.json cannot be read: format: Input should be 1"):
        load_artifact(copy)


def test_weights_are_no_pickle_and_the_folder_holds_nothing_else(saved: Artifact) -> None:
    assert {path.name for path in saved.folder.iterdir()} == {"weights.safetensors", "model.onnx", "card.json"}
    header = int.from_bytes((saved.folder / "weights.safetensors").read_bytes()[:8], "little")
    assert header < 1_000_000


def test_a_graph_that_differs_is_not_saved_and_the_old_artifact_stays(
    tmp_path: Path, card: Card, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triptych.inference import artifact as module

    other = build()
    with torch.no_grad():
        next(p for p in other.parameters() if p.dim() == 2).mul_(5)
    real = module.export_onnx
    monkeypatch.setattr(module, "export_onnx", lambda _, *rest, **options: real(build(), *rest, **options))
    before = (copy / "card.json").read_bytes()
    with pytest.raises(ArtifactError, match="the exported graph differs from the network by"):
        save_artifact(copy, other, card, windows(8))
    assert (copy / "card.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_full_disk_leaves_the_old_artifact(copy: Path, card: Card) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(StorageError) as caught:
            save_artifact(copy, build(), card, windows(8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.message == f"The artifact {copy} could not be written: File too large."
    assert caught.value.remedy == "Free some space or choose another folder."
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_metrics_are_written_onto_the_card_and_nothing_else_changes(copy: Path) -> None:
    before = load_artifact(copy).card
    record_metrics(copy, {"mcc": {"value": 0.25}})
    after = load_artifact(copy).card
    assert after.metrics == {"mcc": {"value": 0.25}}
    assert after.model_copy(update={"metrics": before.metrics}) == before


def test_a_card_can_fetch_no_weights_from_elsewhere(copy: Path) -> None:
    card = json.loads((copy / "card.json").read_text())
    (copy / "card.json").write_text(json.dumps({**card, "model": {**MODEL, "pretrained": True}}))
    with pytest.raises(ArtifactError, match=r"describes a network that cannot be built: .*'pretrained'"):
        load_artifact(copy).predictor("torch")
