import gzip
import json
import math

import numpy as np
import polars as pl
import pytest

from triptych.bootstrap.anomalies import Rows, fit_anomalies, read_rows, score_anomalies
from triptych.bootstrap.anomaly_lines import LineReader
from triptych.bootstrap.anomaly_watch import watch_anomalies
from triptych.domain.errors import ColumnError, DataError
from triptych.inference.anomaly.saving import load_detector

FORMS = {
    "commas": {}, "semicolons": {"separator": ";"}, "tabs": {"separator": "\t"},
    "decimal commas": {"separator": ";", "decimal_comma": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    """1,200 days of three channels; the days are numbers such as 20240131."""
    values = np.random.default_rng(0).standard_normal((1200, 3)).round(6)
    values[1100, 1] = 9.0
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2030, 1, 1), eager=True)[:1200].dt.strftime("%Y%m%d")
    return pl.DataFrame({"day": days.cast(pl.Int64)} | dict(zip("abc", values.T, strict=True)))


@pytest.fixture(scope="module")
def written(rows, tmp_path_factory):
    home = tmp_path_factory.mktemp("separated")
    for name, form in FORMS.items():
        rows.write_csv(home / f"{name}.csv", **form)
    fit_anomalies(home / "commas.csv", home / "detector", Rows(time="day"), settings={}, training={}, name="zscore")
    return home


@pytest.mark.parametrize("form", FORMS)
def test_a_file_holds_the_same_rows_whatever_stands_between_them(written, rows, form):
    frame, _ = read_rows(written / f"{form}.csv", Rows(time="day"))
    assert frame.equals(rows)


def test_a_file_with_one_column_and_a_compressed_one_are_read_as_before(rows, tmp_path):
    rows.select("a").write_csv(tmp_path / "one.csv")
    (tmp_path / "all.csv.gz").write_bytes(gzip.compress(rows.write_csv().encode()))
    assert read_rows(tmp_path / "one.csv", Rows())[0].equals(rows.select("a"))
    assert read_rows(tmp_path / "all.csv.gz", Rows())[0].equals(rows)


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_says_of_lines_of_csv_what_score_says_of_the_file(written, form):
    scored, _, _ = score_anomalies(written / "detector", written / f"{form}.csv", Rows())
    with (written / f"{form}.csv").open() as lines:
        said = list(watch_anomalies(written / "detector", lines, Rows(), threshold={"method": "fixed"}))
    np.testing.assert_allclose([reading.score for _, reading in said], scored["score"], rtol=1e-6)
    assert said[1100][1].alarm
    assert said[0][0] == {"day": "20200101"}


def test_days_as_numbers_are_one_step_apart_over_the_ends_of_months(written, rows):
    lines = [json.dumps(one) for one in rows.head(60).iter_rows(named=True)]
    warnings = []
    said = list(watch_anomalies(written / "detector", iter(lines), Rows(), threshold={}, warn=warnings.append))
    assert [reading.reasons for _, reading in said if "warming up" in reading.reasons] == []
    assert warnings == []
    assert load_detector(written / "detector").span_.step == 86_400_000.0


def test_seconds_and_milliseconds_in_text_are_read_as_the_days_of_the_fit(written, rows):
    seconds = 1_612_010_112 + 86_400 * np.arange(30)
    for stamps in (seconds, 1000 * seconds):  # the milliseconds read as ISO 8601 would be of the year 1612
        csv = rows.head(30).with_columns(day=pl.Series(stamps)).write_csv(separator=";")
        warnings = []
        said = list(watch_anomalies(written / "detector", csv.splitlines(), Rows(), threshold={}, warn=warnings.append))
        assert [reading.score > 0 for _, reading in said] == [True] * 30
        assert warnings == []


def test_a_stream_of_numbers_without_a_header_is_refused(written):
    with (written / "semicolons.csv").open() as lines:
        next(lines)
        with pytest.raises(DataError, match="The first line of the stream holds numbers and no names: which channels"):
            list(watch_anomalies(written / "detector", lines, Rows(), threshold={}))


def test_a_header_without_a_channel_or_with_one_twice_is_refused():
    with pytest.raises(ColumnError, match="has no column 'c', which the detector was fitted on"):
        LineReader(["a", "b", "c"]).read("day;a;b\n")
    with pytest.raises(ColumnError, match="2 columns of the stream are called 'b'"):
        LineReader(["a", "b"]).read("a,b,b\n")


def test_lines_that_are_no_rows_are_empty_ones_and_the_stream_goes_on():
    reader = LineReader(["a", "b"], ["machine"])
    assert reader.read("nonsense; more of it\n") == {}
    assert reader.read("\ufeffmachine; a;b\r\n") is None
    assert reader.read("7;1.5;2\r\n") == {"machine": "7", "a": 1.5, "b": 2.0}
    assert reader.read(";1;2\n") == {"machine": None, "a": 1.0, "b": 2.0}
    assert reader.read("7;1;2;3\n") == {}
    assert reader.read('{"a": 1, "b": 2}\n')["machine"] == '{"a": 1, "b": 2}'
    assert reader.read("machine; a;b\n") is None  # the file was begun anew
    short = reader.read("7;x\n")
    assert math.isnan(short["a"])
    assert "b" not in short


def test_a_point_is_no_decimal_point_behind_a_decimal_comma():
    reader = LineReader(["a", "b"])
    reader.read("a;b")
    assert reader.read("1,5;2") == {"a": 1.5, "b": 2.0}
    row = reader.read("1.234;2,5")
    assert math.isnan(row["a"])
    assert row["b"] == 2.5


def test_a_stream_that_began_as_json_stays_json():
    reader = LineReader(["a", "b"])
    assert reader.read('{"a": 1, "b": 2}') == {"a": 1, "b": 2}
    assert reader.read("a;b") == {}
    assert reader.read("1;2") == {}
    assert reader.read("[1, 2]") == {}
