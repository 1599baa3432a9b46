"""An artifact whose network reads a detector's score carries the detector."""

import shutil

import numpy as np
import polars as pl
import pytest
import torch
from tests.fakes.market import walk
from tests.fakes.waves import TINY
from tests.inference.anomaly.conftest import learner

from triptych.domain.errors import ArtifactError
from triptych.features.channels import market_channels
from triptych.images import create_encoding
from triptych.inference import Card, FactorRows, WindowClassifier, load_artifact, save_artifact
from triptych.inference.anomaly.catch import CatchDetector, Config
from triptych.inference.anomaly.saving import save_detector
from triptych.inference.inputs import Config as InputsConfig
from triptych.models import create_model

LENGTH = 16
SERIES = walk(500, seed=4)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A detector and an artifact beside it that reads it."""
    home = tmp_path_factory.mktemp("home")
    made = market_channels([walk(900, seed=3)])
    detector = CatchDetector(Config(network=TINY, focus=8, groups=3), learner=learner)
    save_detector(home / "catch", detector.fit(pl.DataFrame(made.values, schema=list(made.columns))))
    features = InputsConfig(names=("return_1",), window=20, detector=str(home / "catch"))
    rows = FactorRows(features)
    model = {"name": "lstm", "sequence": {"width": 8}}
    encoding = {"name": "sequence", "factors": len(rows.columns)}
    torch.manual_seed(0)
    drawing = create_encoding(length=LENGTH, **encoding)
    classifier = WindowClassifier(drawing, create_model(in_chans=drawing.channels, num_classes=3, **model))
    card = Card(
        name="carries", length=LENGTH, columns=len(rows.columns), features=features.model_dump(mode="json"),
        timeframe="15m", symbols=("A",), encoding=encoding, model=model, parameters=1, target={}, splits=[],
        period=("a", "b"), data_hash="0", metrics={}, seed=5, versions={},
    )  # fmt: skip
    known = rows.rows(SERIES)[rows.warm_up :]
    windows = np.stack([known[i : i + LENGTH] for i in range(0, 160, 20)])
    save_artifact(home / "artifact", classifier, card, windows)
    return home


@pytest.fixture
def moved(home, tmp_path):
    """The artifact alone, on a machine on which the detector's folder does not exist."""
    return shutil.copytree(home / "artifact", tmp_path / "artifact")


def test_it_answers_alike_where_the_detector_is_not(home, moved):
    expected = load_artifact(home / "artifact").predictor()
    ends = np.array([300, 400, 499])
    answers = expected.over(SERIES, ends)
    assert np.isfinite(answers).all()
    away = home / "catch"
    away.rename(home / "gone")
    try:
        again = load_artifact(moved).predictor()
        np.testing.assert_array_equal(again.over(SERIES, ends), answers)
    finally:
        (home / "gone").rename(away)
    assert load_artifact(moved).card.features["detector"] == "detector"
    carried = {"detector/card.json", "detector/model.onnx", "detector/weights.safetensors"}
    assert carried < load_artifact(moved).card.files.keys()


def test_a_changed_detector_is_noticed(moved):
    path = moved / "detector" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        load_artifact(moved)
    assert caught.value.message == f"{path} is damaged: it is not the file its card was written for."


def test_a_missing_file_of_the_detector_is_named(moved):
    (moved / "detector" / "card.json").unlink()
    with pytest.raises(ArtifactError) as caught:
        load_artifact(moved)
    assert caught.value.message == f"{moved} is damaged: detector/card.json is missing."


def test_a_damaged_detector_is_not_carried(home, tmp_path):
    artifact = load_artifact(home / "artifact")
    shutil.copytree(home / "catch", tmp_path / "catch")
    (tmp_path / "catch" / "weights.safetensors").write_bytes(b"")
    features = artifact.card.features | {"detector": str(tmp_path / "catch")}
    card = artifact.card.model_copy(update={"features": features})
    windows = np.zeros((2, LENGTH, card.columns), dtype=np.float32)
    with pytest.raises(ArtifactError) as caught:
        save_artifact(tmp_path / "artifact", artifact.classifier(), card, windows)
    place = tmp_path / "catch" / "weights.safetensors"
    assert caught.value.message == f"{place} is damaged: it is not the file its card was written for."
    assert not (tmp_path / "artifact").exists()
