import numpy as np
import pandas as pd
import polars as pl
import pytest

from triptych.domain.errors import ColumnError, DataError
from triptych.inference.anomaly.table import as_table


def test_arrays_polars_and_pandas_frames_give_the_same_rows():
    values = np.arange(12.0).reshape(6, 2)
    times = np.arange("2024-01-01", "2024-01-07", dtype="datetime64[D]").astype("datetime64[ms]")
    from_polars = as_table(pl.DataFrame({"timestamp": times, "a": values[:, 0], "b": values[:, 1]}))
    from_pandas = as_table(pd.DataFrame(values, columns=["a", "b"], index=times))
    assert from_polars.columns == from_pandas.columns == ("a", "b")
    assert as_table(values).columns == ("channel 0", "channel 1")
    for table in (from_polars, from_pandas, as_table(values)):
        np.testing.assert_array_equal(table.values, values)
        assert table.stretches == ((0, 6),)
    assert from_polars.index.to_list() == from_pandas.index.to_list()


def test_the_history_breaks_at_entities_and_gaps():
    frame = pl.DataFrame({"who": list("aaabbb"), "time": [0, 1, 2, 0, 1, 5], "x": range(6)})
    assert as_table(frame, entity="who").stretches == ((0, 3), (3, 5), (5, 6))
    assert as_table(np.arange(6.0), time=np.array([0, 1, 2, 10, 11, 12])).stretches == ((0, 3), (3, 6))


def test_short_runs_of_bad_rows_are_bridged_and_long_ones_break():
    x = np.arange(12.0)
    x[[3, 4, 7, 8, 9]] = np.nan
    table = as_table(x, bad_rows="mask", bridge=2)
    assert table.values[:7, 0].tolist() == [0, 1, 2, 2, 2, 5, 6]
    assert table.stretches == ((0, 9), (10, 12))
    assert np.flatnonzero(table.bad).tolist() == [3, 4, 7, 8, 9]


def test_a_bad_first_row_of_an_entity_is_not_bridged_from_another():
    table = as_table(np.array([1.0, np.nan, 3.0]), entity=np.array([0, 1, 1]), bad_rows="mask")
    assert table.stretches == ((0, 1), (2, 3))


def test_rows_that_are_not_numbers_are_refused():
    frame = pl.DataFrame({"a": [1.0, 2.0, None], "b": [1.0, float("inf"), 3.0]})
    with pytest.raises(DataError) as error:
        as_table(frame)
    assert str(error.value) == (
        "Row 1 holds inf in column 'b'; 2 of 3 rows hold values that are not numbers. Fill or remove them, or choose "
        'bad_rows = "mask" (`triptych anomaly fit --mask`).'
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"X": pl.DataFrame({"a": ["x"]})}, "Column 'a' is not numeric. Drop it, or name it as entity or time of the "
                                            "rows."),
        ({"X": pl.DataFrame({"a": ["1", "2,5"]})},
         "Column 'a' is not numeric: row 1 holds '2,5'. Drop it, or name it as entity or time of the rows."),
        ({"X": pl.DataFrame({"a": [1]}), "entity": "b"}, "There is no column 'b'. Columns are a."),
        ({"X": np.zeros((2, 2, 2))}, "Expected an array of shape (rows, channels), was (2, 2, 2)."),
        ({"X": np.zeros(3), "time": [1, 1, 2]}, "The time of row 1 is not later than the one before it. Sort the rows "
                                                "by time."),
        ({"X": np.zeros(3), "entity": [1]}, "There are 3 rows and 1 values of entity."),
        ({"X": pd.DataFrame(np.ones((3, 2)), columns=["a", "a"])}, "2 columns are called 'a'. Give each its own name."),
        ({"X": pd.DataFrame({"a": [1.0, 2.0]}, index=["2024-01-01", "soon"])},
         "The time of row 1 cannot be read: 'soon'. Write times as ISO 8601 (2024-01-31T09:30:00), as datetimes, or as "
         "seconds or milliseconds since 1970."),
        ({"X": ["a", "b"]}, "A list of this kind cannot be read as rows of numbers. Bring an array of numbers, or a "
                            "polars or pandas frame."),
        ({"X": pl.DataFrame({"time": [1, 2]})}, "There is no numeric column. Bring at least one channel."),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(arguments, sentence):
    with pytest.raises((DataError, ColumnError)) as error:
        as_table(**arguments)
    assert str(error.value) == sentence


def test_interleaved_entities_are_put_one_behind_the_other():
    entity, time = ["m2", "m1", "m2", "m1", "m2", "m1"], [1, 1, 2, 2, 9, 3]
    table = as_table(np.arange(6.0), entity=entity, time=time, leave_out=np.arange(6) == 3)
    assert table.values[:, 0].tolist() == [0, 2, 4, 1, 3, 5]
    assert table.order.tolist() == [0, 2, 4, 1, 3, 5]
    assert table.entities.to_list() == ["m2"] * 3 + ["m1"] * 3
    assert table.index.to_list() == [1, 2, 9, 1, 2, 3]
    assert table.stretches == ((0, 2), (2, 3), (3, 4), (5, 6))
    assert table.as_came(table.values[:, 0]).tolist() == [0, 1, 2, 3, 4, 5]
    assert table.from_source(np.array(entity)).tolist() == table.entities.to_list()
    assert as_table(np.arange(6.0), entity=["m2"] * 3 + ["m1"] * 3).order is None


def test_rows_of_interleaved_entities_are_named_as_the_source_counts_them():
    entity = ["m1", "m2"] * 3
    with pytest.raises(DataError) as error:
        as_table(np.arange(6.0), entity=entity, time=[5, 1, 4, 2, 3, 3])
    assert str(error.value) == (
        "The time of row 2 is not later than that of row 0, the one before it of its entity. Sort the rows by time."
    )
    with pytest.raises(DataError, match=r"^The time of row 2 is 9 steps ahead of row 0, and row 4 goes on from there"):
        as_table(np.arange(6.0), entity=entity, time=[1, 1, 10, 2, 2, 3], usual=lambda *_: np.ones(2))
    with pytest.raises(DataError, match=r"^Row 3 holds nan in column 'channel 0'; 2 of 6 rows hold values"):
        as_table([0, 0, 0, np.nan, np.nan, 0], entity=entity)


def test_a_pandas_index_of_texts_or_periods_is_times_where_it_can_be():
    days = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-09"]
    for index in (days, pd.PeriodIndex(days, freq="D"), pd.DatetimeIndex(days), pd.DatetimeIndex(days, tz="UTC")):
        table = as_table(pd.DataFrame({"a": np.arange(4.0)}, index=index))
        assert (table.stretches, table.gaps) == (((0, 3), (3, 4)), 1)
    named = as_table(pd.DataFrame({"a": np.arange(4.0)}, index=["pump", "valve", "motor", "fan"]))
    assert (named.stretches, named.times) == (((0, 4),), None)


def test_rows_that_are_left_out_break_the_history_and_may_hold_anything():
    x = np.arange(8.0)
    x[3] = np.nan
    table = as_table(x, leave_out=np.arange(8) == 3)
    assert table.stretches == ((0, 3), (4, 8))
    with pytest.raises(DataError):
        as_table(x, leave_out=np.arange(8) == 4)


def test_gaps_break_nothing_where_they_shall_not():
    table = as_table(np.arange(6.0), time=np.array([0, 1, 2, 10, 11, 12]), breaks=False)
    assert (table.stretches, table.gaps) == (((0, 6),), 0)
