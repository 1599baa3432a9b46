import numpy as np
import onnxruntime as ort
import pytest
import torch
from tests.fakes.waves import TINY, waves

from triptych.domain.errors import ArtifactError
from triptych.inference.anomaly.baselines import BASELINES
from triptych.inference.anomaly.blend import BlendDetector
from triptych.inference.anomaly.catch import CatchDetector, Config
from triptych.inference.anomaly.graph import export_onnx
from triptych.inference.anomaly.saving import load_detector, save_detector
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig


@pytest.fixture(scope="module")
def saved(tmp_path_factory, catch):
    folder = tmp_path_factory.mktemp("saved") / "detector"
    return folder, save_detector(folder, catch)


def test_a_loaded_detector_says_the_same(saved, catch, rows):
    loaded = load_detector(saved[0])
    assert loaded.columns_ == catch.columns_
    assert loaded.kinds == catch.kinds
    np.testing.assert_array_equal(loaded.decision_function(rows), catch.decision_function(rows))
    np.testing.assert_array_equal(loaded.predict(rows), catch.predict(rows))
    np.testing.assert_array_equal(loaded.predict_proba(rows), catch.predict_proba(rows))
    stream = DetectorStream(loaded, ThresholdConfig(method="rolling", window=100))
    assert stream.update(rows[0]).reasons == "warming up: 1 of 24 rows"


def test_the_graph_gives_what_the_network_gives(saved, catch):
    folder, card = saved
    assert card.onnx_difference <= 1e-4
    windows = torch.randn(7, 24, 3)
    session = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    from_graph = session.run(None, {"windows": windows.numpy()})[0]
    with torch.no_grad():
        np.testing.assert_allclose(from_graph, catch.network(windows).numpy(), atol=1e-4)


def test_a_changed_file_is_refused(saved, tmp_path):
    for path in saved[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "weights.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArtifactError) as error:
        load_detector(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'weights.safetensors'} is damaged: it is not the file its card was written for. Fit and save the "
        "detector again, or copy the folder anew."
    )


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(ArtifactError) as error:
        load_detector(tmp_path)
    assert str(error.value) == (
        f"{tmp_path} is no detector: card.json is missing. Fit and save the detector again, or copy the folder anew."
    )


def test_a_complex_network_is_saved_without_a_graph(tmp_path, rows):
    network = TINY.model_copy(update={"attention": "complex"})
    detector = CatchDetector(Config(network=network, focus=8, groups=3), learner=lambda *_: None).fit(waves(1600))
    card = save_detector(tmp_path / "complex", detector)
    assert card.graph == "none: ONNX has no complex numbers"
    assert (card.onnx_difference, sorted(card.files)) == (None, ["weights.safetensors"])
    loaded = load_detector(tmp_path / "complex")
    np.testing.assert_array_equal(loaded.decision_function(rows), detector.decision_function(rows))
    np.testing.assert_array_equal(loaded.labels_, detector.labels_)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_a_loaded_baseline_says_the_same_and_can_be_fitted_again(tmp_path, rows, name):
    detector = BASELINES[name](contamination=0.02).fit(waves(700))
    card = save_detector(tmp_path / name, detector)
    assert (card.name, card.graph, sorted(card.files)) == (
        name, "none: only the network of CATCH alone has one", ["weights.safetensors"],
    )  # fmt: skip
    loaded = load_detector(tmp_path / name)
    assert type(loaded) is type(detector)
    assert loaded.contamination == 0.02
    np.testing.assert_array_equal(loaded.decision_function(rows), detector.decision_function(rows))
    np.testing.assert_array_equal(loaded.labels_, detector.labels_)
    np.testing.assert_array_equal(loaded.fit(waves(700)).decision_function(rows), detector.decision_function(rows))


def test_a_loaded_blend_says_the_same_with_its_reasons(tmp_path, catch, rows):
    members = [
        CatchDetector(catch.config, learner=lambda *_: None),
        BASELINES["isolation_forest"](trees=20),
        BASELINES["pca"](explained=0.8),
    ]
    blend = BlendDetector(members=members, contamination=0.05).fit(waves(1600))
    card = save_detector(tmp_path / "blend", blend)
    assert [member.name for member in card.members] == ["catch", "isolation_forest", "pca"]
    loaded = load_detector(tmp_path / "blend")
    assert loaded.kinds == blend.kinds
    frame = blend.score_frame(rows)
    assert frame["reasons"].str.len_chars().sum() > 0
    assert loaded.score_frame(rows).equals(frame)


def test_settings_that_a_detector_does_not_know_are_refused(tmp_path):
    save_detector(tmp_path / "pca", BASELINES["pca"]().fit(waves(700)))
    card = tmp_path / "pca" / "card.json"
    card.write_text(card.read_text(encoding="utf-8").replace('"explained"', '"unknown"'), encoding="utf-8")
    with pytest.raises(ArtifactError) as error:
        load_detector(tmp_path / "pca")
    assert str(error.value) == (
        f"{tmp_path / 'pca' / 'weights.safetensors'} does not fit the card: unknown: Extra inputs are not permitted. "
        "Correct the setting. Fit and save the detector again, or copy the folder anew."
    )


def test_complex_networks_are_not_exported(catch, tmp_path, monkeypatch):
    network = catch.config.network.model_copy(update={"attention": "complex"})
    monkeypatch.setattr(catch, "config", catch.config.model_copy(update={"network": network}))
    with pytest.raises(ArtifactError) as error:
        export_onnx(catch, tmp_path / "graph.onnx")
    assert str(error.value) == (
        'Only networks of real numbers with decided masks can be exported to ONNX. Fit with attention = "real" and '
        "without the choices of the reference."
    )
