from __future__ import annotations

import io
import json
import signal
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from tests.fakes.waves import TINY, waves

from triptych.bootstrap.anomalies import Rows, fit_anomalies


def frame(n, *, seed=0, planted=()):
    x = waves(n, seed=seed)
    labels = np.zeros(n, dtype=int)
    for start, stop in planted:
        x[start:stop] += 7
        labels[start:stop] = 1
    times = pl.Series("timestamp", (np.arange(n) * 900_000 + 1_700_000_000_000).astype("datetime64[ms]"))
    return pl.DataFrame({"timestamp": times, "a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "truth": labels})


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    home = tmp_path_factory.mktemp("anomaly")
    frame(1300, planted=[(100, 104)]).write_parquet(home / "train.parquet")
    frame(300, seed=3, planted=[(200, 210)]).write_csv(home / "test.csv")
    card = fit_anomalies(
        home / "train.parquet", home / "detector", Rows(labels="truth"),
        settings={"network": TINY, "focus": 8}, training={"epochs": 2, "num_threads": 1},
    )  # fmt: skip
    assert card.columns == ("a", "b", "c")
    assert sorted(path.name for path in home.iterdir()) == ["detector", "test.csv", "train.parquet"]
    return home


def test_fit_tells_what_was_fitted(fitted, triptych, tmp_path):
    said = triptych(
        "anomaly", "fit", fitted / "train.parquet", "--out", tmp_path / "d", "--labels", "truth", "--epochs", 1,
        "--hidden-rows", 12, "--json",
    )  # fmt: skip
    assert said.status == 0
    card = json.loads(said.out)
    assert card["columns"] == ["a", "b", "c"]
    assert card["config"]["network"]["hidden_rows"] == 12


def test_a_folder_that_is_no_detector_is_never_touched(fitted, triptych, tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    (tmp_path / "mine.training").mkdir()
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    (tmp_path / "mine.training" / "notes.txt").write_text("more of it")
    said = triptych("anomaly", "fit", fitted / "train.parquet", "--out", mine)
    assert said.status == 2
    assert "holds thesis.txt, which is no part of a detector of this version: it would be lost." in said.err
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "mine.training" / "notes.txt").read_text() == "more of it"
    monkeypatch.chdir(mine)
    said = triptych("anomaly", "fit", fitted / "train.parquet", "--out", ".")
    assert said.status == 2
    assert "is the folder that the command runs in" in said.err


def test_score_writes_an_aligned_frame_and_metrics(fitted, triptych, tmp_path):
    said = triptych(
        "anomaly", "score", fitted / "detector", fitted / "test.csv", "--labels", "truth", "--out",
        tmp_path / "scores.csv", "--json",
    )  # fmt: skip
    assert said.status == 0
    found = json.loads(said.out)
    assert found["metrics"]["auc_roc"] > 0.9
    assert found["metrics"]["recall"] == 1.0
    scored = pl.read_csv(tmp_path / "scores.csv")
    assert scored.columns == ["time", "score", "threshold", "alarm", "bad", "reasons"]
    assert scored.height == 300
    assert scored[200:210]["alarm"].any()


def test_watch_says_of_rows_what_score_says_and_survives_anything(fitted, triptych, tmp_path, monkeypatch):
    rows = frame(300, seed=3, planted=[(200, 210)]).head(215).select("a", "b", "c")
    lines = [json.dumps(row) for row in rows.iter_rows(named=True)]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    said = triptych("anomaly", "watch", fitted / "detector", "--threshold", "fixed")
    readings = [json.loads(line) for line in said.out.splitlines()]
    triptych("anomaly", "score", fitted / "detector", fitted / "test.csv", "--labels", "truth", "--out",
             tmp_path / "scores.csv")  # fmt: skip
    scores = pl.read_csv(tmp_path / "scores.csv")["score"][:215]
    assert [r["score"] is None for r in readings] == scores.is_null().to_list() == [True] * 23 + [False] * 192
    np.testing.assert_allclose([r["score"] for r in readings[23:]], scores[23:], rtol=1e-4, atol=1e-6)

    monkeypatch.setattr(
        "sys.stdin",
        io.StringIO(
            'nonsense\n{"a": "x"}\n[1]\n' + "[" * 100_000 + '\n{"a": 1' + "0" * 400 + '}\n\n{"a": 1, "b": 2, "c": 3}\n'
        ),
    )
    said = triptych("anomaly", "watch", fitted / "detector")
    assert said.status == 0
    assert [json.loads(line)["reasons"] for line in said.out.splitlines()] == [
        "bad row: starts anew (it is no row)", "bad row: starts anew (no channel 'b')",
        "bad row: starts anew (it is no row)", "bad row: starts anew (it is no row)",
        "bad row: starts anew (no channel 'b')", "warming up: 1 of 24 rows",
    ]  # fmt: skip


def stamped(n, time):
    rows = frame(n, seed=3).with_columns(time)
    return "\n".join(json.dumps(row) for row in rows.drop("truth").iter_rows(named=True))


def test_a_watch_reads_milliseconds_as_the_datetimes_of_the_fit(fitted, triptych, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(stamped(60, pl.col("timestamp").dt.epoch("ms"))))
    said = triptych("anomaly", "watch", fitted / "detector", "--time", "timestamp", "--threshold", "fixed")
    assert (said.status, said.err) == (0, "")
    readings = [json.loads(line) for line in said.out.splitlines()]
    assert ["warming up" in reading["reasons"] for reading in readings] == [True] * 23 + [False] * 37


def test_a_watch_that_sees_nothing_says_so_aloud(fitted, triptych, monkeypatch):
    hours = pl.from_epoch(1_700_000_000 + 3600 * pl.int_range(60)).dt.to_string("iso").alias("timestamp")
    monkeypatch.setattr("sys.stdin", io.StringIO(stamped(60, hours)))
    said = triptych("anomaly", "watch", fitted / "detector", "--time", "timestamp")
    assert said.status == 0
    why = (
        "the newest said 'warming up: 1 of 24 rows after a gap: its time is 4 steps ahead'. A score needs 24 rows "
        "without a break. The usual step is 900 s: rows that come later than 1.5 times that, or earlier, start anew."
    )
    assert f"Warning: The last 48 rows have no score, nothing is watched: {why}" in said.err
    assert (
        "Warning: No row had a score: the last one said 'warming up: 1 of 24 rows after a gap: its time is 4"
        in said.err
    )


def test_a_watch_refuses_times_of_another_unit(fitted, triptych, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(stamped(3, pl.int_range(3).alias("timestamp"))))
    said = triptych("anomaly", "watch", fitted / "detector", "--time", "timestamp")
    assert said.status == 2
    assert "The time 0 is of another unit than those of the fit: it reads as a count of their own" in said.err


def test_files_and_columns_that_are_not_there_are_named(fitted, triptych, tmp_path):
    said = triptych("anomaly", "score", fitted / "detector", tmp_path / "none.csv")
    assert said.status == 2
    assert f"There is no file {tmp_path / 'none.csv'}." in said.err
    said = triptych("anomaly", "score", fitted / "detector", fitted / "test.csv", "--labels", "label")
    assert said.status == 2
    assert "has no column 'label'. " in said.err.replace("\n", " ").replace("What to do:", "") or "label" in said.err


def test_labels_may_name_types_and_are_judged_by_type(fitted, triptych, tmp_path):
    test = pl.read_csv(fitted / "test.csv")
    kinds = (
        pl.when(pl.int_range(300).is_between(200, 204))
        .then(pl.lit("spike"))
        .when(pl.int_range(300).is_between(205, 209))
    )
    test.with_columns(kinds.then(pl.lit("flood")).otherwise(pl.lit("")).alias("truth")).write_csv(tmp_path / "k.csv")
    said = triptych("anomaly", "score", fitted / "detector", tmp_path / "k.csv", "--labels", "truth", "--json")
    found = json.loads(said.out)
    assert (found["within_rows"], list(found["by_type"])) == (8, ["flood", "spike"])
    assert set(found["metrics"]) >= {"auc_roc", "vus_pr", "affiliation_f1", "recall", "alarms_per_day"}
    spike = found["by_type"]["spike"]
    assert (spike["events"], spike["recall_within"]) == (1, 1.0)
    assert spike["auc_roc"] > 0.8
    assert 0.0 < spike["vus_pr"] <= 1.0
    assert 0.0 <= spike["delay"] <= 8.0
    command = ("anomaly", "score", fitted / "detector", tmp_path / "k.csv", "--labels", "truth", "--within", "3")
    table = triptych(*command).out
    assert "By type of event" in table
    assert "spike" in table
    assert "flood" in table
    triptych("anomaly", "report", fitted / "detector", tmp_path / "k.csv", "--labels", "truth", "--within", "3",
             "--out", tmp_path / "k.html")  # fmt: skip
    page = (tmp_path / "k.html").read_text(encoding="utf-8")
    heads = page.split("<h2>Metrics by type of event</h2>")[1].split("</tr>")[0]
    assert "<th>found within 3 rows</th><th>median delay, rows</th>" in heads
    assert f'<td>spike</td><td class="n">1</td><td class="n">{spike["auc_roc"]:.3f}</td>' in page
    test.with_columns(pl.when(pl.int_range(300) == 7).then(None).otherwise("truth").alias("truth")).write_csv(
        tmp_path / "n.csv"
    )
    said = triptych("anomaly", "score", fitted / "detector", tmp_path / "n.csv", "--labels", "truth")
    assert said.status == 2
    assert "1 labels in column 'truth'" in said.err
    (tmp_path / "e.csv").write_text("a,b,c\n")
    said = triptych("anomaly", "score", fitted / "detector", tmp_path / "e.csv")
    assert "has no rows." in said.err


def test_labels_do_not_let_bad_rows_in(fitted, triptych, tmp_path):
    train = frame(1300, planted=[(100, 104)]).with_columns(
        pl.when(pl.int_range(1300) == 700).then(None).otherwise("a").alias("a")
    )
    train.write_parquet(tmp_path / "t.parquet")
    said = triptych("anomaly", "fit", tmp_path / "t.parquet", "--out", tmp_path / "d", "--labels", "truth")
    assert said.status == 2
    assert "hold values that are not numbers" in said.err.replace("\n", " ")


def test_the_report_is_a_page_with_events_and_metrics(fitted, triptych, tmp_path):
    said = triptych(
        "anomaly", "report", fitted / "detector", fitted / "test.csv", "--labels", "truth", "--out",
        tmp_path / "page.html",
    )  # fmt: skip
    assert said.status == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h2>Metrics</h2>" in page
    assert "<td>auc roc</td>" in page
    for name in ("scores", "series", "channels", "kinds", "mask-0"):
        assert f'<div id="{name}"></div>' in page
        assert f'"id": "{name}"' in page
    first_event = page.split("<th>reasons</th></tr>")[1].split("</tr>")[0]
    assert "2023-11-1" in first_event
    assert ": " in first_event


def test_a_simple_detector_is_fitted_scored_and_reported_too(fitted, triptych, tmp_path):
    said = triptych(
        "anomaly", "fit", fitted / "train.parquet", "--out", tmp_path / "pca", "--labels", "truth", "--detector", "pca",
        "--json",
    )  # fmt: skip
    assert said.status == 0
    card = json.loads(said.out)
    assert (card["name"], card["graph"]) == ("pca", "none: only the network of CATCH alone has one")
    said = triptych("anomaly", "report", tmp_path / "pca", fitted / "test.csv", "--labels", "truth", "--out",
                    tmp_path / "page.html")  # fmt: skip
    assert said.status == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert '<div id="kinds"></div>' in page
    assert '<div id="mask-' not in page


def machines(n, *, start=1_700_000_000_000):
    """Rows of two machines below one another, as the how-to's `sensors.parquet`; one has a jump in `a`."""
    first, second = (frame(n, seed=seed).drop("truth") for seed in (1, 2))
    first = first.with_columns(pl.when(pl.int_range(n).is_between(200, 205)).then(9.0).otherwise("a").alias("a"))
    both = pl.concat([first.with_columns(machine=pl.lit("m1")), second.with_columns(machine=pl.lit("m2"))])
    return both.with_columns(pl.col("timestamp") + pl.duration(milliseconds=start - 1_700_000_000_000))


@pytest.fixture(scope="module")
def watched_machines(tmp_path_factory):
    home = tmp_path_factory.mktemp("machines")
    machines(700).write_parquet(home / "sensors.parquet")
    machines(300, start=1_704_000_000_000).write_csv(home / "today.csv")
    return home


def test_the_how_tos_first_commands_work_one_after_the_other(watched_machines, triptych, monkeypatch):
    monkeypatch.chdir(watched_machines)
    assert triptych("anomaly", "fit", "sensors.parquet", "--out", "detector", "--time", "timestamp", "--entity",
                    "machine", "--detector", "kmeans").status == 0  # fmt: skip
    said = triptych("anomaly", "score", "detector", "today.csv", "--out", "scores.parquet")
    assert said.status == 0
    scored = pl.read_parquet("scores.parquet")
    assert scored.columns == ["time", "machine", "score", "threshold", "alarm", "bad", "reasons"]
    assert scored["machine"].to_list() == ["m1"] * 300 + ["m2"] * 300
    assert scored["score"].is_null().arg_true().to_list()[:3] == [0, 1, 2]
    assert scored["score"][300] is None
    assert scored["alarm"][200]
    assert "m1" in said.out
    assert triptych("anomaly", "report", "detector", "today.csv", "--out", "today.html").status == 0

    order = machines(300, start=1_704_000_000_000).sort("timestamp", "machine").with_columns(
        pl.col("timestamp").dt.epoch("ms")
    )  # fmt: skip
    rows = [json.dumps(row) for row in order.iter_rows(named=True)]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(rows)))
    said = triptych("anomaly", "watch", "detector", "--threshold", "fixed")
    assert (said.status, said.err) == (0, "")
    readings = [json.loads(line) for line in said.out.splitlines()]
    for machine in ("m1", "m2"):
        own = [one["score"] for one in readings if one["machine"] == machine]
        expected = scored.filter(machine=machine)["score"].to_list()
        np.testing.assert_allclose(np.array(own, dtype=float), np.array(expected, dtype=float), rtol=1e-5)


def test_the_report_has_a_section_for_each_entity_and_names_it_in_the_events(watched_machines, triptych, monkeypatch):
    monkeypatch.chdir(watched_machines)
    triptych("anomaly", "fit", "sensors.parquet", "--out", "d2", "--entity", "machine", "--detector", "kmeans")
    assert triptych("anomaly", "report", "d2", "today.csv", "--out", "two.html").status == 0
    page = (watched_machines / "two.html").read_text(encoding="utf-8")
    for machine, start in (("m1", 0), ("m2", 300)):
        assert f'<h2>{machine}: Evidence by channel, in deviations</h2><div id="channels-{start}"></div>' in page
    figures = json.loads(page.split("<script>for (const f of ")[1].split(") Plotly.newPlot")[0])
    for figure in figures:
        (heat,) = figure["data"] if figure["data"][0]["type"] == "heatmap" else ({"x": []},)
        assert len(set(heat["x"])) == len(heat["x"])  # no cell is painted over
    head, first_event = page.split("<h2>Events")[1].split("<tr>")[1:3]
    assert head.startswith("<th>of</th><th>from</th>")
    assert first_event.startswith("<td>m1</td>")


def test_a_fit_with_labels_keeps_the_policy_for_bad_rows(fitted, triptych, tmp_path):
    card = json.loads((fitted / "detector" / "card.json").read_text())
    assert (card["config"]["bad_rows"], card["config"]["bridge"]) == ("refuse", 3)
    pl.read_csv(fitted / "test.csv").with_columns(
        pl.when(pl.int_range(300) == 250).then(None).otherwise("a").alias("a")
    ).write_csv(tmp_path / "nan.csv")
    said = triptych("anomaly", "score", fitted / "detector", tmp_path / "nan.csv", "--labels", "truth")
    assert said.status == 2
    assert "Row 250 holds nan in column 'a'" in said.err


def test_columns_of_a_csv_file_are_what_all_of_their_rows_are(triptych, tmp_path):
    rows = frame(500).with_columns(
        pl.col("timestamp").dt.to_string("%m/%d/%Y %H:%M"),
        pl.when(pl.int_range(500) < 150).then(pl.lit("0")).otherwise(pl.col("b").round(3).cast(pl.String)).alias("b"),
        pl.when(pl.int_range(500).is_between(300, 303)).then(pl.lit("flood")).otherwise(pl.lit("0")).alias("truth"),
    )
    rows.write_csv(tmp_path / "rows.csv")
    said = triptych("anomaly", "fit", tmp_path / "rows.csv", "--out", tmp_path / "d", "--labels", "truth", "--detector",
                    "kmeans", "--json")  # fmt: skip
    assert said.status == 0, said.err
    card = json.loads(said.out)
    assert (card["columns"], card["first_time"], card["step"]) == (["a", "b", "c"], "2023-11-14T22:13:00Z", 900_000.0)
    rows.with_columns(pl.lit("noon").alias("timestamp")).write_csv(tmp_path / "noon.csv")
    said = triptych("anomaly", "fit", tmp_path / "noon.csv", "--out", tmp_path / "e", "--labels", "truth")
    assert said.status == 2
    assert "The time of row 0 cannot be read: 'noon'." in said.err


def test_rows_that_stop_at_night_are_fitted_and_watched_without_breaks(triptych, tmp_path, monkeypatch):
    hours = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 6, 30), "1h", eager=True)
    times = hours.filter(hours.dt.hour() < 8).head(900)
    rows = frame(900).drop("truth").with_columns(times.alias("timestamp"))
    rows.write_parquet(tmp_path / "days.parquet")
    fit = ("anomaly", "fit", tmp_path / "days.parquet", "--out", tmp_path / "d", "--detector", "kmeans")
    said = triptych(*fit)
    assert said.status == 2
    assert "112 gaps in their times, of more than 1.5 times the usual step, break them." in said.err
    assert "let gaps break nothing: breaks=False (--no-breaks). Otherwise: Bring at least" in said.err
    assert triptych(*fit, "--no-breaks").status == 0
    lines = rows.head(300).with_columns(pl.col("timestamp").dt.to_string("iso"))
    for options, warmed in (((), 0), (("--breaks",), 300)):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(json.dumps(row) for row in lines.to_dicts())))
        said = triptych("anomaly", "watch", tmp_path / "d", *options)
        late = [line for line in said.out.splitlines()[150:] if "warming up" in line]
        assert len(late) == min(warmed, 150)
    hours = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2025, 1, 1), "1h", eager=True).head(900)
    half = rows.drop("timestamp").with_columns(times=hours + pl.duration(days=pl.int_range(900) // 20))
    half.write_parquet(tmp_path / "half.parquet")
    command = ("anomaly", "score", tmp_path / "d", tmp_path / "half.parquet", "--time", "times")
    assert "Warning" not in triptych(*command).err
    assert "Warning: 675 of 900 rows have no score: 44 gaps in their times" in triptych(*command, "--breaks").err
    said = triptych("anomaly", "score", tmp_path / "d", tmp_path / "days.parquet", "--breaks")
    assert "900 rows, 8 of them without a break, cannot be scored" in said.err


def strict(line):
    """A line as JSON of RFC 8259, without Python's NaN and Infinity."""

    def refuse(name):
        raise ValueError(name)

    return json.loads(line, parse_constant=refuse)


def test_whatever_times_and_entities_are_sent_each_line_that_comes_back_is_json(fitted, triptych, monkeypatch):
    sent = ["1e400", "NaN", "-Infinity", "[1e400]", '{"a": [NaN]}', '"\\ud800"', "9" * 400, "true", '"a\\nb"',
            "[" * 500 + "]" * 500]  # fmt: skip
    lines = [f'{{"timestamp": {one}, "who": {one}, "a": 1, "b": 2, "c": 3}}' for one in sent]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    said = triptych("anomaly", "watch", fitted / "detector", "--time", "timestamp", "--entity", "who")
    assert said.status == 0
    read = [strict(line) for line in said.out.splitlines()]
    assert len(read) == len(sent)
    assert [one["timestamp"] for one in read[:4]] == ["inf", "nan", "-inf", "[inf]"]
    assert read[0]["reasons"] == "bad row: starts anew ('inf' is no time)"


def watched(triptych, monkeypatch, detector, text, *more):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    said = triptych("anomaly", "watch", detector, *more)
    return said, [json.loads(line) for line in said.out.splitlines()]


def test_a_watch_that_is_begun_again_goes_on_with_its_state(fitted, triptych, tmp_path, monkeypatch):
    lines = stamped(90, pl.col("timestamp").dt.epoch("ms")).splitlines()
    detector, state = fitted / "detector", tmp_path / "watch.state"
    _, whole = watched(triptych, monkeypatch, detector, "\n".join(lines))
    _, first = watched(triptych, monkeypatch, detector, "\n".join(lines[:50]), "--state", state)
    said, second = watched(triptych, monkeypatch, detector, "\n".join(lines[45:]), "--state", state)
    assert said.status == 0
    assert "Warning: 5 rows were ignored: they came again, the state knows times until " in said.err
    assert [one["reasons"] for one in second[:5]] == ["ignored: sent again, the state knows its time"] * 5
    assert first + second[5:] == whole
    said, _ = watched(triptych, monkeypatch, detector, "", "--state", state, "--alarms-per-day", 7)
    assert said.status == 2
    assert "was written with other settings: alarms_per_day was 1.0, is 7.0." in said.err


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_a_watch_in_order_and_its_state_is_whole(fitted, triptych, tmp_path, monkeypatch, name):
    lines = stamped(90, pl.col("timestamp").dt.epoch("ms")).splitlines()

    def asked():
        yield from lines[:60]
        signal.raise_signal(getattr(signal, name))
        raise AssertionError("the signal came while the watch waited for a row")

    before = signal.getsignal(getattr(signal, name))
    _, whole = watched(triptych, monkeypatch, fitted / "detector", "\n".join(lines))
    monkeypatch.setattr("sys.stdin", asked())
    state = tmp_path / "watch.state"
    said = triptych("anomaly", "watch", fitted / "detector", "--state", state)
    assert said.status == 0
    first = [json.loads(line) for line in said.out.splitlines()]
    _, second = watched(triptych, monkeypatch, fitted / "detector", "\n".join(lines[60:]), "--state", state)
    assert first + second == whole
    assert signal.getsignal(getattr(signal, name)) is before


def test_the_rows_of_a_day_are_those_of_the_fit_and_unknown_ones_are_told(fitted, triptych, tmp_path, monkeypatch):
    rows = frame(700, planted=[(400, 410)])
    rows.drop("timestamp").write_csv(tmp_path / "untimed.csv")
    minutes = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 1, 1, 11, 39), "1m", eager=True)
    rows.with_columns(minutes.alias("timestamp")).write_csv(tmp_path / "minutes.csv")
    for name in ("untimed", "minutes"):
        made = triptych("anomaly", "fit", tmp_path / f"{name}.csv", "--out", tmp_path / name, "--labels", "truth",
                        "--detector", "zscore")  # fmt: skip
        assert made.status == 0
    told = "96 are taken for a day. --rows-per-day says it."
    text = stamped(5, pl.col("timestamp").dt.epoch("ms"))
    for name, more, is_told in (
        ("untimed", (), True),
        ("untimed", ("--rows-per-day", 24), False),
        ("minutes", (), False),
    ):
        said, _ = watched(triptych, monkeypatch, tmp_path / name, text, *more)
        assert (told in said.err) == is_told
    said = triptych("anomaly", "score", tmp_path / "minutes", tmp_path / "minutes.csv", "--labels", "truth",
                    "--alarms-per-day", 2)  # fmt: skip
    assert "2 alarms in 1440 rows a day" in said.out
