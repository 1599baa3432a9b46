from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pytest

from triptych.domain.errors import DataError
from triptych.inference.anomaly.instants import instants, moment

FIRST_MS = 1_709_475_300_000
PLAIN = [datetime(2024, 3, 3, 14, 15) + timedelta(minutes=15 * i) for i in range(3)]
UTC_TIMES = [one.replace(tzinfo=UTC) for one in PLAIN]
CET = [one.astimezone(timezone(timedelta(hours=1))) for one in UTC_TIMES]
MS = [FIRST_MS + 900_000 * i for i in range(3)]
REMEDY = "Write times as ISO 8601 (2024-01-31T09:30:00), as datetimes, or as seconds or milliseconds since 1970."


@pytest.mark.parametrize(
    "given",
    [
        PLAIN, UTC_TIMES, CET, MS, [one / 1000 for one in MS], np.array(MS) * 1000, np.array(MS) * 1_000_000,
        [str(one) for one in MS], [one.isoformat() for one in PLAIN], [one.isoformat(" ") for one in CET],
        [f"{one:%d.%m.%Y %H:%M}" for one in PLAIN], [f"{one:%b %d %Y %H:%M}" for one in PLAIN],
        [f"{one:%Y/%m/%d %I:%M %p}" for one in PLAIN], np.array(PLAIN, dtype="datetime64[s]"), pl.Series(PLAIN),
        pl.Series(CET), pl.Series(PLAIN).cast(pl.Datetime("ns")), pd.DatetimeIndex(CET), pd.Series(UTC_TIMES),
        pd.Series(PLAIN, dtype=object), pd.period_range("2024-03-03 14:15", periods=3, freq="15min"),
    ],
)  # fmt: skip
def test_the_same_times_are_the_same_whatever_they_come_as(given):
    read = instants(given)
    assert read.clock == "utc"
    assert read.values.tolist() == MS


@pytest.mark.parametrize(
    "value",
    [
        PLAIN[0], CET[0], FIRST_MS, FIRST_MS / 1000, float(FIRST_MS), str(FIRST_MS), "2024-03-03T14:15:00Z",
        "2024-03-03 15:15:00+01:00", np.datetime64(PLAIN[0]), np.int64(FIRST_MS), pd.Timestamp(CET[0]),
        pd.Period("2024-03-03 14:15", freq="min"),
    ],
)  # fmt: skip
def test_one_time_reads_as_a_column_of_them(value):
    assert moment(value) == (FIRST_MS, "utc")


def test_days_are_read_whether_as_dates_or_as_numbers():
    for given in ([date(2024, 1, 31), date(2024, 2, 1)], [20240131, 20240201], ["20240131", "20240201"]):
        assert instants(given).values.tolist() == [1_706_659_200_000, 1_706_745_600_000]


def test_one_number_is_a_day_only_where_others_are_known_to_be_times():
    assert moment(20240131, clock="utc") == moment("20240131") == (1_706_659_200_000, "utc")
    assert moment(20240131) == moment(20240131, clock="count") == (20240131.0, "count")
    assert moment(20241331, clock="utc") == (20241331.0, "count")  # no month has the number 13


def test_milliseconds_as_text_are_not_read_as_a_day_of_the_middle_ages():
    assert moment("1612010112345") == (1_612_010_112_345.0, "utc")


def test_small_numbers_count_something_of_their_own():
    read = instants([0.0, 0.5, 1.0])
    assert (read.values.tolist(), read.clock) == ([0.0, 0.5, 1.0], "count")
    assert moment(5) == (5.0, "count")


def test_the_day_is_told_from_the_month_by_the_whole_column():
    read = instants(["01/12/2024", "01/13/2024"])
    assert read.values.tolist() == [1_705_017_600_000, 1_705_104_000_000]
    assert instants(["12/01/2024", "13/01/2024"]).values.tolist() == read.values.tolist()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([1_709_475_300, 1_709_476_200_000],
         "The unit of the times is unclear: they range from 1709475300 to 1709476200000, which are not of one of "
         f"seconds, milliseconds, microseconds and nanoseconds since 1970. {REMEDY}"),
        (["03/06/2024 14:15", "03/06/2024 14:30"],
         "Whether '03/06/2024 14:15' begins with the day or with the month cannot be told: all 2 times can be read "
         f"both ways. {REMEDY}"),
        (["2024-01-01", "soon"], f"The time of row 1 cannot be read: 'soon'. {REMEDY}"),
        ([PLAIN[0], None], f"The time of row 1 cannot be read: None. {REMEDY}"),
        (pd.DatetimeIndex(["2024-01-01", None]), "The time of row 1 is missing (None); 1 of 2 rows have none. Fill "
                                                 "them in, or leave those rows out."),
        ([True, False], f"Times cannot be read from a column of the kind Boolean. {REMEDY}"),
        ([PLAIN[0], 5], f"Times are of different kinds. {REMEDY}"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(given, sentence):
    with pytest.raises(DataError) as error:
        instants(given)
    assert str(error.value) == sentence


@pytest.mark.parametrize("value", [None, True, "soon", pd.NaT, np.datetime64("NaT"), [1], float("inf"), 1e25, b"1"])
def test_what_is_no_time_is_none(value):
    assert np.isnan(moment(value)[0])
