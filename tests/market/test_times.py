from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from tests.fakes.dialects import PRICES, TIMES, assert_three_candles, text_rows, three_candles, write_text

from triptych.domain.errors import ColumnError, DataError
from triptych.market import read_candles
from triptych.market.times import read_times


@pytest.mark.parametrize(
    "times",
    [
        ["2023-01-02 00:00:00", "2023-01-02 00:15:00", "2023-01-02 00:30:00"],
        ["2023-01-02 00:00", "2023-01-02 00:15", "2023-01-02 00:30"],
        ["2023-01-02T00:00:00Z", "2023-01-02T00:15:00Z", "2023-01-02T00:30:00Z"],
        ["2023-01-02T00:00:00.000000+00:00", "2023-01-02T00:15:00.000000+00:00", "2023-01-02T00:30:00.000000+00:00"],
        ["2023-01-02T08:00:00+08:00", "2023-01-02T08:15:00+0800", "2023-01-02T08:30:00+08"],
        ["2023-01-01 19:00:00-05:00", "2023-01-01 19:15:00-05:00", "2023-01-01 19:30:00-05:00"],
        ["2023-01-02 00:00:00 UTC", "2023-01-02 00:15:00 UTC", "2023-01-02 00:30:00 UTC"],
        ["2023.01.02 00:00", "2023.01.02 00:15", "2023.01.02 00:30"],
        ["2023/1/2 0:00", "2023/1/2 0:15", "2023/1/2 0:30"],
        ["20230102 000000", "20230102 001500", "20230102 003000"],
        ["20230102000000", "20230102001500", "20230102003000"],
        ["202301020000", "202301020015", "202301020030"],
        ["02.01.2023 00:00:00.000", "02.01.2023 00:15:00.000", "02.01.2023 00:30:00.000"],
        ["02.01.2023 02:00:00.000 GMT+0200", "02.01.2023 02:15:00.000 GMT+0200", "02.01.2023 02:30:00.000 GMT+0200"],
        ["1672617600", "1672618500", "1672619400"],
        ["1672617600.0", "1672618500.0", "1672619400.0"],
        ["1672617600000", "1672618500000", "1672619400000"],
        ["1672617600000000", "1672618500000000", "1672619400000000"],
        ["1672617600000000000", "1672618500000000000", "1672619400000000000"],
        # Binance changed its files from milliseconds to microseconds: both may stand in one history.
        ["1672617600000", "1672618500000", "1672619400000000"],
        ["2 Jan 2023 00:00", "2 Jan 2023 00:15", "2 Jan 2023 00:30"],
    ],
)
def test_every_way_to_write_a_time_is_read(tmp_path, times):
    assert_three_candles(read_candles(write_text(tmp_path, "time,open,high,low,close,volume\n" + text_rows(times))))


def test_times_of_day_in_words_of_noon_are_read(tmp_path):
    rows = "2023-01-02 11-AM,1,2,1,2,5\n2023-01-02 12-PM,1,2,1,2,5\n2023-01-02 01-PM,1,2,1,2,5\n"
    series = read_candles(write_text(tmp_path, "Date,Open,High,Low,Close,Volume\n" + rows, "ETHUSD_1h.csv")).one()
    assert [datetime.fromtimestamp(t / 1000, UTC).hour for t in series.open_time_ms] == [11, 12, 13]


def test_metatrader_files_with_date_and_time_apart_are_read(tmp_path):
    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
    rows = [
        f"2023.01.02\t00:{minute}:00\t" + prices.replace(",", "\t") + f"\t{volume}\t0\t9\n"
        for minute, prices, volume in zip(("00", "15", "30"), PRICES, (100, 200, 300), strict=True)
    ]
    path = tmp_path / "EURUSD_M15_202301020000_202301312345.csv"
    path.write_text(header + "".join(rows), encoding="utf-16")
    result = read_candles(path)
    assert result.one().symbol == "EURUSD"
    assert result.notes == ("'<VOL>' is zero throughout; for ticks as volume say `--column volume=<TICKVOL>`",)
    assert_three_candles(read_candles(path, columns={"volume": "<TICKVOL>"}))


def test_times_of_day_that_lost_their_zeros_are_read(tmp_path):
    text = "date,time,open,high,low,close,volume\n" + "".join(
        f"20230102,{clock},{prices},{volume}\n"
        for clock, prices, volume in zip(("0", "1500", "3000"), PRICES, (100, 200, 300), strict=True)
    )
    with pytest.raises(DataError):  # 1500 is three in the afternoon: four digits count hours and minutes
        read_candles(write_text(tmp_path, text), timeframe="1d")
    assert_three_candles(read_candles(write_text(tmp_path, text.replace("1500", "001500").replace("3000", "003000"))))


def test_a_date_column_beside_a_whole_time_is_left_aside(tmp_path):
    text = "date,time,open,high,low,close,volume\n" + text_rows([f"2023-01-02,{t // 1000}" for t in TIMES])
    assert_three_candles(read_candles(write_text(tmp_path, text)))


@pytest.mark.parametrize(
    ("dates", "first_two"),
    [
        (["01/02/2023", "01/03/2023", "01/13/2023"], ["2023-01-02", "2023-01-03"]),  # month first: there is no month 13
        (["12/01/2023", "13/01/2023", "14/01/2023"], ["2023-01-12", "2023-01-13"]),
        (["02/01/2023", "03/01/2023", "04/01/2023"], ["2023-01-02", "2023-01-03"]),  # days run evenly only day first
        (["1/2/23", "1/3/23", "1/4/23"], ["2023-01-02", "2023-01-03"]),
    ],
)
def test_the_order_of_day_and_month_is_told_from_all_dates(tmp_path, dates, first_two):
    text = "Date,Open,High,Low,Close,Volume\n" + "".join(f"{date},1,2,1,2,5\n" for date in dates)
    series = read_candles(write_text(tmp_path, text, "X_1d.csv"), timeframe="1d").one()
    assert [datetime.fromtimestamp(t / 1000, UTC).strftime("%Y-%m-%d") for t in series.open_time_ms[:2]] == first_two


def test_an_undecidable_order_of_day_and_month_is_an_error(tmp_path):
    text = "Date,Open,High,Low,Close,Volume\n01/02/2023,1,2,1,2,5\n"
    with pytest.raises(DataError) as caught:
        read_candles(write_text(tmp_path, text, "X_1d.csv"))
    assert str(caught.value) == (
        "X_1d.csv: the dates of column 'Date', such as '01/02/2023', can be read day first or month first. "
        "Write them as year-month-day, such as 2023-01-31."
    )


def test_times_without_a_zone_are_read_in_the_one_given(tmp_path):
    times = ["2023-01-02 08:00:00", "2023-01-02 08:15:00", "2023-01-02 08:30:00"]
    path = write_text(tmp_path, "time,open,high,low,close,volume\n" + text_rows(times))
    assert_three_candles(read_candles(path, timezone="Asia/Shanghai"))
    with pytest.raises(DataError) as caught:
        read_candles(path, timezone="Mars/Olympus")
    assert str(caught.value) == (
        "Unknown time zone 'Mars/Olympus'. Write it like UTC, Asia/Shanghai or America/New_York."
    )


def test_midnights_of_a_zone_are_trading_dates(tmp_path):
    rows = "".join(f"2023-03-{day} 00:00:00{zone},1,2,1,2,5\n" for day, zone in ((10, "-05:00"), (13, "-04:00")))
    result = read_candles(
        write_text(tmp_path, "Date,Open,High,Low,Close,Volume\n" + rows, "SPY_1d.csv"), timeframe="1d"
    )
    assert result.one().open_time_ms.tolist() == [1678406400000, 1678665600000]
    assert result.notes == ("all times are midnights (with their zone): taken as trading dates at 00:00 UTC",)


def test_the_unit_of_epoch_numbers_can_be_given(tmp_path):
    path = write_text(tmp_path, "time,open,high,low,close,volume\n" + text_rows(["0", "900", "1800"]))
    with pytest.raises(ColumnError) as caught:
        read_candles(path)
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: the column 'time' starts with 0, too small for an epoch time. "
        "Name another column (`--column timestamp=NAME`) or the unit (`--timestamp-unit s`)."
    )
    assert read_candles(path, timestamp_unit="s").one().open_time_ms.tolist() == [0, 900_000, 1_800_000]


def test_dates_and_clocks_of_their_own_types_are_read():
    moments = pl.Series(TIMES).cast(pl.Datetime("ms"))
    frame = three_candles().drop("timestamp").with_columns(date=moments.dt.date(), time=moments.dt.time())
    assert_three_candles(read_candles(frame))


@pytest.mark.parametrize("rows", ["forward", "backward", "by symbol", "by time"])
def test_the_hour_that_a_clock_change_repeats_is_told_by_the_order_of_the_rows(rows):
    utc_ms = 1_698_523_200_000 + 900_000 * np.arange(40)  # from 2023-10-28 20:00 UTC over the end of summer time
    order = {
        "forward": np.arange(40), "backward": np.arange(40)[::-1], "by symbol": np.tile(np.arange(40), 2),
        "by time": np.repeat(np.arange(40), 3),
    }[rows]  # fmt: skip
    berlin = ZoneInfo("Europe/Berlin")
    clock = [datetime.fromtimestamp(ms / 1000, berlin).strftime("%Y-%m-%d %H:%M") for ms in utc_ms]
    assert len(set(clock)) == 36
    read = read_times(pl.Series([clock[i] for i in order]), timezone="Europe/Berlin", where="file").utc_ms
    assert read.to_list() == utc_ms[order].tolist()


def test_a_repeated_time_that_never_goes_back_is_the_first():
    read = read_times(pl.Series(["2023-10-29 01:30", "2023-10-29 02:30"]), timezone="Europe/Berlin", where="file")
    assert read.utc_ms.diff()[1] == 3_600_000
