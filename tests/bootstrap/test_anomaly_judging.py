import json

import numpy as np
import polars as pl
import pytest

from triptych.bootstrap import create_detector
from triptych.bootstrap.anomalies import Rows, score_anomalies
from triptych.bootstrap.anomaly_judging import judged, pieces_of
from triptych.bootstrap.anomaly_labels import labels_of
from triptych.inference.anomaly.saving import save_detector
from triptych.inference.anomaly.table import as_table


def told(*texts):
    said = []
    found = labels_of("file", pl.Series("truth", texts), said.append)
    return list(found), said


def test_whatever_says_that_nothing_is_wrong_is_normal_and_told():
    words = ("Normal", "NORMAL", "None", "nan", "NaN", "0.0", "0", "-0", "NA", "n/a", "null", "False", "", None, " ")
    kinds, said = told(*words, "leak", "1", "Leak ")
    assert kinds == [""] * len(words) + ["leak", "1", "Leak"]
    assert len(said) == 1
    for text in ("'Normal' (1 rows)", "'0.0' (1 rows)", "'' (3 rows)", "'NA' (1 rows)"):
        assert text in said[0].split("; for kinds")[0]
    assert said[0].split("for kinds of anomalies: ")[1].count("rows") == 3


def test_numbers_are_not_told_of():
    said = []
    assert list(labels_of("file", pl.Series("truth", [0, 1, 2]), said.append)) == ["", "1", "1"]
    assert said == []


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A detector that looks back on few rows, and a file of two machines whose events meet at their border."""
    made = tmp_path_factory.mktemp("judging")
    generator = np.random.default_rng(0)
    detector = create_detector("kmeans").fit(generator.standard_normal((2000, 2)))
    save_detector(made / "detector", detector)
    values = generator.standard_normal((400, 2))
    truth = np.full(400, "None", dtype=object)
    truth[195:205] = "leak"
    truth[2:4] = "start"
    values[truth == "leak"] += 9.0
    times = np.tile(np.arange(200) * 60_000 + 1_700_000_000_000, 2).astype("datetime64[ms]")
    frame = pl.DataFrame(
        {"time": times, "machine": ["a"] * 200 + ["b"] * 200, "channel 0": values[:, 0], "channel 1": values[:, 1],
         "truth": truth.tolist()}
    )  # fmt: skip
    frame.write_csv(made / "rows.csv")
    return made


def test_entities_warm_ups_and_days_are_those_of_the_file(home):
    columns = Rows(time="time", entity="machine", labels="truth")
    _, found, _ = score_anomalies(home / "detector", home / "rows.csv", columns)
    assert found.overall["events"] + found.overall["events_left_out"] == 3
    assert "A day of false alarms has 1440 rows." in found.notes
    _, said, _ = score_anomalies(home / "detector", home / "rows.csv", columns, threshold={"rows_per_day": 96})
    assert "A day of false alarms has 96 rows." in said.notes
    assert found.overall["alarms_per_day"] == pytest.approx(15 * said.overall["alarms_per_day"])
    labels = [note for note in found.notes if note.startswith("Labels of column 'truth' taken for normal: 'None'")]
    assert len(labels) == 1


def test_rows_and_events_that_were_left_out_are_told():
    generator = np.random.default_rng(1)
    detector = create_detector("blend")
    memory = detector.memory
    truth = np.zeros(300, dtype=int)
    truth[10:15] = truth[200:210] = 1
    pieces = pieces_of(detector, as_table(generator.standard_normal((300, 2))))
    found = judged(
        np.where(truth, "1", "").astype(object), np.arange(300.0), np.zeros(300, dtype=bool), pieces, day=96.0
    )
    assert found.overall["events_left_out"] == 1
    assert found.notes[0] == (
        f"{memory - 1} of 300 rows have no score (the first rows of each unbroken stretch, and bad rows) and are left "
        "out of all figures; 5 of them are anomalous."
    )
    assert found.notes[1] == (
        "1 of 2 events lie wholly in rows without a score: they are not judged, and do not count as missed."
    )


def test_the_screen_the_page_and_json_tell_what_belongs_to_the_figures(home, triptych, tmp_path):
    triptych("anomaly", "report", home / "detector", home / "rows.csv", "--labels", "truth", "--entity", "machine",
             "--time", "time", "--out", tmp_path / "page.html")  # fmt: skip
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<p>A day of false alarms has 1440 rows.</p>" in page
    command = ("anomaly", "score", home / "detector", home / "rows.csv", "--labels", "truth", "--entity", "machine",
               "--time", "time")  # fmt: skip
    assert "A day of false alarms has 1440 rows." in triptych(*command).out
    notes = json.loads(triptych(*command, "--json").out)["notes"]
    assert any(note.startswith("Labels of column") for note in notes)


def test_parts_begin_with_entities_gaps_and_behind_long_runs_of_bad_rows():
    detector = create_detector("blend")
    n, memory = 800, detector.memory
    values = np.random.default_rng(2).standard_normal((n, 2))
    values[[150, 380, 381, 382, 383, 384, 385]] = np.nan
    times = np.concatenate([np.arange(300), np.arange(300) + 1000, np.arange(200)]) * 60.0 + 1.7e9
    table = as_table(values, entity=np.repeat(["a", "b"], [600, 200]), time=times, bad_rows="mask")
    pieces = pieces_of(detector, table)
    assert list(pieces.starts) == [0, 300, 386, 600]
    expected = np.zeros(n, dtype=bool)
    for start, stop in ((0, 300), (300, 380), (386, 600), (600, 800)):
        expected[start + memory - 1 : max(stop, start + memory - 1)] = stop - start >= memory
    expected[150] = False
    np.testing.assert_array_equal(pieces.known, expected)
