"""A stream that is broken off and taken up says what an unbroken one says."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.fakes.waves import waves
from tests.inference.anomaly.conftest import fitted

from triptych.domain.errors import ArtifactError
from triptych.inference.anomaly.baselines import BASELINES, KMeansConfig, KMeansDetector
from triptych.inference.anomaly.saving import load_detector, save_detector
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.stream_state import StreamFile
from triptych.inference.anomaly.thresholds import Config

START = 1_700_000_040


def eventful(n):
    """Rows of two symbols with all that a stream has to remember: bad rows, wrong times, gaps, runs of alarms."""
    rows, minutes = waves(n, seed=3), list(range(n))
    rows[30:34] += 9
    rows[50] = np.nan
    minutes[60] += 90
    for row in range(80, n):
        minutes[row] += 40
    minutes[80] += 7  # doubtful, and dropped
    rows[100:130] *= 4
    return rows, minutes


def feed(stream, rows, minutes, first, stop):
    found = []
    for i in range(first, stop):
        one = {"A": rows[i]} | ({"B": -rows[i]} if i % 3 else {})
        found.append(stream.update_many(one, time=START + 60 * minutes[i]))
    return found


def kmeans(seed=0):
    return KMeansDetector(KMeansConfig(length=8, seed=seed)).fit(waves(900), time=60 * np.arange(900) + START)


@pytest.fixture(scope="module")
def detector():
    return kmeans()


def config_of(method):
    return Config(method=method, alarms_per_day=20, window=200, patience=0.01)


@pytest.mark.parametrize("method", ["fixed", "rolling", "conformal", "spot"])
def test_a_stream_goes_on_to_the_last_bit_wherever_it_was_broken(detector, tmp_path, method):
    rows, minutes = eventful(150)
    whole = feed(DetectorStream(detector, config_of(method)), rows, minutes, 0, 150)
    assert any(one["A"].alarm for one in whole)
    for cut in (3, 32, 61, 81, 115):
        path = tmp_path / f"{cut}.state"
        first = DetectorStream(detector, config_of(method))
        kept = StreamFile(path, first)
        found = feed(first, rows, minutes, 0, cut)
        kept.write()
        second = DetectorStream(detector, config_of(method))
        assert StreamFile(path, second).resumed
        assert found + feed(second, rows, minutes, cut, 150) == whole


def test_catch_goes_on_from_the_state_of_a_saved_detector(tmp_path):
    detector = fitted()
    save_detector(tmp_path / "detector", detector)
    rows = waves(140, seed=3)
    config = Config(alarms_per_day=2, rows_per_day=100, window=100)
    whole = [DetectorStream(detector, config)]
    expected = [whole[0].update(row) for row in rows]
    first = DetectorStream(detector, config)
    kept = StreamFile(tmp_path / "state", first)
    found = [first.update(row) for row in rows[:100]]
    kept.write()
    second = DetectorStream(load_detector(tmp_path / "detector"), config)
    StreamFile(tmp_path / "state", second)
    assert found + [second.update(row) for row in rows[100:]] == expected


def test_the_state_of_another_detector_or_of_other_settings_is_refused(detector, tmp_path):
    path = tmp_path / "state"
    StreamFile(path, DetectorStream(detector, config_of("rolling"))).write()
    with pytest.raises(ArtifactError) as error:
        StreamFile(path, DetectorStream(kmeans(seed=1), config_of("rolling")))
    assert str(error.value) == (
        f"{path} is the state of another detector. Name another file, or remove this one: the watch then begins with a "
        "warm-up."
    )
    other = config_of("rolling").model_copy(update={"alarms_per_day": 5.0})
    with pytest.raises(ArtifactError, match=r"with other settings: alarms_per_day was 20.0, is 5.0\. Give the same"):
        StreamFile(path, DetectorStream(detector, other))
    with pytest.raises(ArtifactError, match=r"step was 60000.0, is 30000.0"):
        StreamFile(
            path, DetectorStream(detector, config_of("rolling").model_copy(update={"rows_per_day": 1440.0}), step=30)
        )


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def nonsense(path: Path) -> None:
    path.write_text("no state")


def others(path: Path) -> None:
    save_file({"a": np.zeros(3)}, path)


@pytest.mark.parametrize("harm", [damaged, nonsense, others])
def test_a_file_that_is_no_whole_state_is_refused(detector, tmp_path, harm):
    path = tmp_path / "state"
    stream = DetectorStream(detector, config_of("rolling"))
    feed(stream, *eventful(150), 0, 40)
    StreamFile(path, stream).write()
    harm(path)
    with pytest.raises(ArtifactError, match="is no state of a stream"):
        StreamFile(path, DetectorStream(detector, config_of("rolling")))


def test_a_detector_is_told_from_others_by_what_it_learnt_also_after_saving(detector, tmp_path):
    from triptych.inference.anomaly.saving import fingerprint

    save_detector(tmp_path / "detector", detector)
    loaded = load_detector(tmp_path / "detector")
    assert fingerprint(loaded) == fingerprint(detector) == fingerprint(loaded.set_params(breaks=False))
    assert fingerprint(detector) != fingerprint(kmeans(seed=1))
    assert fingerprint(BASELINES["zscore"]().fit(waves(600))) != fingerprint(BASELINES["zscore"]().fit(waves(601)))


def test_readings_are_plain_values(detector):
    reading = DetectorStream(detector).update([0.0, 0.0, 0.0])
    assert {type(one) for one in dataclasses.asdict(reading).values()} <= {float, bool, str}
