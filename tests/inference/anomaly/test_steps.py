import numpy as np
import polars as pl
import pytest

from triptych.domain.errors import DataError
from triptych.inference.anomaly.baselines import ZScoreDetector
from triptych.inference.anomaly.catch import CatchDetector
from triptych.inference.anomaly.coverage import blind
from triptych.inference.anomaly.saving import load_detector, save_detector
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.table import as_table

START = 1_700_000_000_000


def rows(n, seconds, *, seed=0, start=START):
    values = np.random.default_rng(seed).standard_normal((n, 2))
    return pl.DataFrame({"time": start + 1000 * seconds * np.arange(n), "a": values[:, 0], "b": values[:, 1]})


def two_machines(first=60, second=300):
    """300 rows of a, 200 of b, each with its own step."""
    return pl.concat(
        [rows(300, first).with_columns(who=pl.lit("a")), rows(200, second, seed=1).with_columns(who=pl.lit("b"))]
    )


def test_entities_of_another_step_are_refused_by_name():
    with pytest.raises(DataError) as error:
        ZScoreDetector().fit(two_machines(), entity="who")
    assert str(error.value).startswith(
        "The rows of 'b' are 0:05:00 apart, those of most entities 0:01:00; 1 of 2 entities have another step than "
        "most. As many rows"
    )
    assert "(--any-step)" in str(error.value)


def test_of_two_entities_with_as_many_rows_one_is_named():
    halves = pl.concat([two_machines().head(200), two_machines().tail(200)])
    with pytest.raises(DataError, match="The rows of 'b' are 0:05:00 apart, those of most entities 0:01:00"):
        ZScoreDetector().fit(halves, entity="who")


def test_entities_of_any_step_are_learnt_scored_and_streamed_by_their_own(tmp_path):
    frame = two_machines()
    detector = ZScoreDetector(steps="any").fit(frame, entity="who")
    table = detector.checked(frame)
    assert (table.stretches, table.gaps) == (((0, 300), (300, 500)), 0)
    assert detector.span_.steps == {"b": 300_000.0}
    save_detector(tmp_path / "d", detector)
    loaded = load_detector(tmp_path / "d")
    assert loaded.span_ == detector.span_
    late = frame.with_columns(pl.when(pl.int_range(500) >= 450).then(pl.col("time") + 400_000).otherwise("time"))
    assert loaded.checked(late).stretches == ((0, 300), (300, 450), (450, 500))
    stream = DetectorStream(loaded)
    assert (stream.step_of("a"), stream.step_of("b"), stream.step_of("new")) == (60_000.0, 300_000.0, 60_000.0)
    said = [stream.update([0.0, 0.0], symbol="b", time=START + 300_000 * i).reasons for i in (0, 1, 2, 4)]
    assert said == ["", "", "", ""]  # a detector of one row needs no warm-up


def test_a_stream_knows_a_gap_of_the_entity_by_its_own_step(silent_catch):
    values = np.random.default_rng(3).standard_normal((2400, 2))
    frame = pl.DataFrame({"a": values[:, 0], "b": values[:, 1]}).with_columns(
        who=pl.when(pl.int_range(2400) < 1600).then(pl.lit("a")).otherwise(pl.lit("b")),
        time=START + pl.when(pl.int_range(2400) < 1600).then(60_000).otherwise(300_000) * pl.int_range(2400),
    )
    detector: CatchDetector = silent_catch(frame, entity="who", steps="any")
    stream = DetectorStream(detector)
    step = 300_000
    said = [stream.update([0.0, 0.0], symbol="b", time=START + step * i).reasons for i in (0, 1, 2, 4)]
    assert said[1:] == [
        "warming up: 2 of 96 rows", "warming up: 3 of 96 rows",
        "warming up: 1 of 96 rows after a gap: its time is 2 steps ahead",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (rows(300, 3600), "These rows are 1:00:00 apart; the detector was fitted on rows that are 0:01:00 apart."),
        (rows(300, 10), "These rows are 0:00:10 apart; the detector was fitted on rows that are 0:01:00 apart."),
        (
            rows(300, 60).with_columns(time=60 * pl.int_range(300)),
            "The times of these rows are a count of their own, such as seconds since a start, those of the fit were "
            "times since 1970: whether the rows are as far apart cannot be told.",
        ),
    ],
)
def test_rows_of_another_step_or_clock_are_refused_unless_they_are_meant(given, sentence):
    detector = ZScoreDetector().fit(rows(600, 60))
    with pytest.raises(DataError) as error:
        detector.decision_function(given)
    assert error.value.message == sentence
    scores = detector.set_params(steps="any").decision_function(given)
    assert (scores > 0).all()


def test_gaps_of_later_rows_are_those_of_the_fits_step():
    detector = ZScoreDetector().fit(rows(600, 60))
    few = pl.concat([rows(5, 60), rows(5, 60, start=START + 10_000_000), rows(2, 60, start=START + 20_000_000)])
    assert detector.checked(few).gaps == 2
    assert as_table(rows(5, 3600)).gaps == 0
    assert detector.checked(rows(5, 3600)).gaps == 4  # too few to say that they are of another step


def test_an_entity_that_is_mostly_without_scores_is_named():
    who = ["long"] * 300 + ["short"] * 20
    table = as_table(np.random.default_rng(0).standard_normal((320, 2)), entity=who)
    assert blind(table, 24) == [
        "Of 1 entities most rows have no score: 'short' (0 of 20). A score needs 24 rows of an entity without a break."
    ]
    assert blind(table, 5) == []
