import json
import re

import numpy as np
import polars as pl
import pytest

from triptych.bootstrap.anomalies import Rows, fit_anomalies, read_rows, score_anomalies
from triptych.bootstrap.anomaly_watch import watch_anomalies
from triptych.domain.errors import ColumnError, DataError

N = 700


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """700 rows of two channels with the names of an exchange, and a detector of them."""
    folder = tmp_path_factory.mktemp("files")
    values = np.random.default_rng(1).standard_normal((N, 2)).round(4)
    stamps = 1_700_000_000_000 + 60_000 * np.arange(N)
    frame = pl.DataFrame({"open_time": stamps, "flow": values[:, 0], "heat": values[:, 1]})
    frame.write_csv(folder / "rows.csv")
    fit_anomalies(folder / "rows.csv", folder / "detector", Rows(), settings={}, training={}, name="zscore")
    return folder


def told(home, frame, name="other.csv", **options):
    frame.write_csv(home / name)
    warnings = []
    scored, _, _ = score_anomalies(home / "detector", home / name, Rows(), warn=warnings.append, **options)
    return scored, warnings


def test_what_a_file_is_its_bytes_say(home):
    frame = pl.read_csv(home / "rows.csv")
    frame.write_parquet(home / "rows.pq")
    frame.write_parquet(home / "rows.data")
    frame.write_ipc(home / "rows.feather")
    for name in ("rows.pq", "rows.data", "rows.feather"):
        assert read_rows(home / name, Rows())[0].equals(frame)


def test_two_columns_of_one_name_are_refused(tmp_path):
    for name, text in (("a.csv", "a,b,a\n1,2,3\n"), ("b.csv", "a;b;a\n1,5;2;3\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ColumnError, match=f"Two columns of .*{name} are called 'a'. Give each its own name"):
            read_rows(tmp_path / name, Rows())


@pytest.mark.parametrize("nothing", ["NA", "n/a", "NaN", "null", "-", "", " none "])
@pytest.mark.parametrize("form", ["a,b\n1.5,2\n{},3\n2.5,4\n", "a;b\n1,5;2\n{};3\n2,5;4\n"])
def test_cells_that_say_that_there_is_no_value_are_missing_ones(nothing, form, tmp_path):
    (tmp_path / "n.csv").write_text(form.format(nothing))
    frame, _ = read_rows(tmp_path / "n.csv", Rows())
    assert frame.fill_nan(None).to_dict(as_series=False) == {"a": [1.5, None, 2.5], "b": [2, 3, 4]}


def test_missing_cells_are_refused_or_masked_and_names_of_entities_stay(tmp_path):
    lines = ["who,a,labels"] + [f"NA,{i % 7}.5,normal" if i != 30 else "NA,n/a,NA" for i in range(600)]
    (tmp_path / "n.csv").write_text("\n".join(lines))
    frame, labels = read_rows(tmp_path / "n.csv", Rows(entity="who", labels="labels"))
    assert frame["who"].unique().to_list() == ["NA"]
    assert set(labels) == {""}  # a label that says nothing is that of a normal row
    columns = Rows(entity="who")
    wanted = Rows(entity="who", drop=("labels",))
    with pytest.raises(DataError, match="Row 30 holds nan in column 'a'; 1 of 600 rows hold values"):
        fit_anomalies(tmp_path / "n.csv", tmp_path / "d", wanted, settings={}, training={}, name="zscore")
    fit_anomalies(tmp_path / "n.csv", tmp_path / "d", wanted, settings={"bad_rows": "mask"}, training={}, name="zscore")
    warnings = []
    scored, _, _ = score_anomalies(tmp_path / "d", tmp_path / "n.csv", columns, warn=warnings.append)
    assert scored["bad"].arg_true().to_list() == [30]
    assert warnings == ["Columns that are none of the detector's are ignored: labels."]


def test_score_finds_channels_by_name_as_streams_do(home):
    frame = pl.read_csv(home / "rows.csv")
    plain, warnings = told(home, frame)
    assert warnings == []
    moved, warnings = told(home, frame.select("heat", "open_time", pl.lit("ok").alias("note"), "flow"))
    assert warnings == ["Columns that are none of the detector's are ignored: note."]
    assert moved.equals(plain)
    with pytest.raises(ColumnError) as error:
        told(home, frame.drop("flow"))
    assert str(error.value) == (
        "The detector was fitted on the columns flow, heat; these rows have no 'flow'. Bring that column too; theirs "
        "are heat."
    )


def test_score_refuses_another_step_and_tells_of_missing_times(home):
    frame = pl.read_csv(home / "rows.csv")
    hourly = frame.with_columns(open_time=1_700_000_000_000 + 3_600_000 * pl.int_range(N))
    with pytest.raises(DataError, match="These rows are 1:00:00 apart; the detector was fitted on rows that are 0:01"):
        told(home, hourly)
    assert told(home, hourly, any_step=True)[0]["score"].min() > 0
    _, warnings = told(home, frame.drop("open_time"))
    assert warnings == [
        "The rows have no 'open_time': gaps in time are not seen, nor whether they are as far apart as in the fit."
    ]


@pytest.mark.parametrize("seconds", [1, 60, 3600])
def test_a_watch_tells_once_of_rows_of_another_step(home, seconds):
    rows = pl.read_csv(home / "rows.csv").with_columns(open_time=1_700_000_000 + seconds * pl.int_range(N)).head(40)
    lines = [json.dumps(row) for row in rows.iter_rows(named=True)]
    for options, expected in (({}, 0 if seconds == 60 else 1), ({"step": float(seconds)}, 0)):
        warnings = []
        list(watch_anomalies(home / "detector", iter(lines), Rows(), threshold={}, warn=warnings.append, **options))
        assert len([one for one in warnings if "as many of them span another time" in one]) == expected
    if seconds == 1:
        list(watch_anomalies(home / "detector", iter(lines), Rows(), threshold={}, warn=warnings.append))
        assert warnings[0] == (
            "Rows come 0:00:01 apart, the detector was fitted on rows that are 0:01:00 apart: as many of them span "
            "another time."
        )


def test_the_commands_drop_keep_and_take_any_step(home, triptych):
    frame = pl.read_csv(home / "rows.csv").with_columns(number=pl.int_range(N), close_time=pl.col("open_time") + 59_999)
    frame.write_csv(home / "numbered.csv")
    fit = ("anomaly", "fit", home / "numbered.csv", "--out", home / "own", "--detector", "zscore")
    said = triptych(*fit)
    assert said.status == 2
    assert "Column 'number' rises or falls from row to row" in said.err
    said = triptych(*fit, "--drop", "number", "--drop", "close_time")
    assert said.status == 0, said.err
    hourly = frame.with_columns(open_time=1_700_000_000_000 + 3_600_000 * pl.int_range(N))
    hourly.write_csv(home / "hourly.csv")
    score = ("anomaly", "score", home / "own", home / "hourly.csv")
    report = ("anomaly", "report", home / "own", home / "hourly.csv", "--out", home / "page.html")
    for command in (score, report):
        said = triptych(*command)
        assert said.status == 2
        assert "the detector was fitted on rows that are 0:01:00 apart" in said.err
        said = triptych(*command, "--any-step")
        assert said.status == 0
        assert "are ignored: number, close_time" in said.err
    said = triptych(*fit, "--drop", "close_time", "--keep", "number", "--json")
    assert '"number"' in said.out


def machines(n=400):
    """Rows of two machines in order of time, one of which stumbles."""
    values = np.random.default_rng(2).standard_normal((2 * n, 2)).round(4)
    values[500:520:2] += 12.0
    frame = pl.DataFrame(values, schema=["flow", "heat"]).with_row_index("i")
    time, machine = 1_700_000_000_000 + 60_000 * (pl.col("i") // 2), pl.Series(["pump", "fan"])[np.arange(2 * n) % 2]
    labels = pl.when(pl.col("i").is_in(range(500, 520, 2))).then(pl.lit("jam")).otherwise(pl.lit(""))
    return frame.with_columns(open_time=time, machine=machine, truth=labels).drop("i")


def test_a_file_in_order_of_time_is_answered_as_one_in_order_of_entities_and_in_its_own(tmp_path, triptych):
    mixed = machines()
    mixed.write_csv(tmp_path / "mixed.csv")
    mixed.sort("machine", maintain_order=True, descending=True).write_csv(tmp_path / "apart.csv")
    thresholds, scored, told = [], [], []
    for name in ("mixed", "apart"):
        file, detector = tmp_path / f"{name}.csv", tmp_path / f"d_{name}"
        more = ("--entity", "machine", "--labels", "truth")
        said = triptych("anomaly", "fit", file, "--out", detector, "--detector", "zscore", "--json", *more)
        thresholds.append(json.loads(said.out)["threshold"])
        out = triptych(
            "anomaly", "score", detector, file, "--labels", "truth", "--out", tmp_path / "s.parquet", "--json"
        )
        scored.append(pl.read_parquet(tmp_path / "s.parquet"))
        told.append((json.loads(out.out)["metrics"], json.loads(out.out)["by_type"], "are interleaved" in out.error))
        assert ("The rows of 2 entities are interleaved: each entity's are" in said.error) == (name == "mixed")
        report = triptych("anomaly", "report", detector, file, "--out", tmp_path / f"{name}.html", "--labels", "truth")
        assert report.status == 0
    assert thresholds[0] == thresholds[1]
    assert told[0][:2] == told[1][:2]
    assert [one[2] for one in told] == [True, False]
    assert scored[0]["time"].equals(mixed["open_time"])
    assert scored[0].sort("machine", maintain_order=True, descending=True).equals(scored[1])
    pages = [(tmp_path / f"{name}.html").read_text() for name in ("mixed", "apart")]
    assert pages[0].replace("mixed.csv", "") == pages[1].replace("apart.csv", "")
    back = mixed.with_columns(pl.col("open_time").shift(2, fill_value=1_700_030_000_000))
    back.write_csv(tmp_path / "back.csv")
    said = triptych("anomaly", "score", tmp_path / "d_mixed", tmp_path / "back.csv")
    assert said.status == 2
    assert "The time of row 2 is not later than that of row 0, the one before it of its entity." in said.error


def test_a_history_that_is_short_for_the_alarms_asked_is_told_of_and_a_long_one_is_not(tmp_path):
    for rows, contamination, words in (
        (
            200,
            0.01,
            r"The history is short for 0\.01 of the normal rows to alarm: \d+ rows, worth \d+ independent ones",
        ),
        (4000, 0.01, ""),
        (200, 0.2, ""),
    ):
        values = np.random.default_rng(1).standard_normal((rows, 2)).cumsum(axis=0) * 0.3
        values = values - pl.DataFrame(values).select(pl.all().rolling_mean(20, min_samples=1)).to_numpy()
        pl.DataFrame(values, schema=["a", "b"]).write_csv(tmp_path / "rows.csv")
        warnings = []
        settings = {"contamination": contamination}
        fit_anomalies(
            tmp_path / "rows.csv", tmp_path / "d", Rows(), settings=settings, training={}, name="kmeans",
            warn=warnings.append,
        )  # fmt: skip
        assert bool(warnings) == bool(words), warnings
        assert re.match(words, "".join(warnings))
