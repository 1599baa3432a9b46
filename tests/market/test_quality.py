import io
import json
import time

import numpy as np
import polars as pl
import pytest
from rich.console import Console
from tests.fakes.candles import make_series

from triptych.domain.errors import ColumnError, DataError
from triptych.market import QualityConfig, check_quality, read_raw, to_frame

QUARTER_MS = 900_000
MONDAY_MS = 1_672_617_600_000  # 2023-01-02 00:00 UTC
DAY_MS = 86_400_000


def _frame(n: int = 400, seed: int = 0) -> pl.DataFrame:
    return to_frame(make_series(MONDAY_MS + QUARTER_MS * np.arange(n), seed=seed))


def _findings(source, timeframe="15m", **options) -> dict[str, tuple[str, int]]:
    report = check_quality(source, timeframe, **options)
    return {finding.check: (finding.severity, finding.count) for finding in report.findings}


def _set(frame: pl.DataFrame, column: str, rows: dict[int, float | None]) -> pl.DataFrame:
    values = frame[column].to_list()
    for row, value in rows.items():
        values[row] = value
    return frame.with_columns(pl.Series(column, values, dtype=frame[column].dtype))


def test_a_clean_history_is_good():
    series = make_series(MONDAY_MS + QUARTER_MS * np.arange(400))
    report = check_quality(series)
    assert report.findings == ()
    assert report.verdict == "BTCUSDT 15m, 400 candles: good."
    assert report.severity == "info"


@pytest.mark.parametrize(
    ("change", "check", "severity", "count"),
    [
        (lambda f: pl.concat([f[:10], f[20:30], f[10:20], f[30:]]), "disorder", "warning", 1),
        (lambda f: pl.concat([f, f[5:8]]), "duplicates", "warning", 3),
        (lambda f: pl.concat([f, f[5:6].with_columns(volume=pl.lit(0.5))]), "conflicting duplicates", "error", 1),
        (lambda f: _set(f, "close", {3: None, 4: float("nan")}), "missing price", "error", 2),
        (lambda f: _set(f, "low", {3: 0.0, 9: -1.0}), "price not positive", "error", 2),
        (lambda f: _set(f, "high", {3: 1.0}), "high below low", "error", 1),
        (lambda f: _set(f, "low", {3: f["close"][3] + 0.001}), "open or close outside", "error", 1),
        (lambda f: _set(f, "volume", {3: None}), "missing volume", "error", 1),
        (lambda f: _set(f, "volume", {3: -2.0}), "negative volume", "error", 1),
        (lambda f: _set(f, "volume", {3: 0.0}), "zero volume", "info", 1),
        (lambda f: _set(f, "volume", dict.fromkeys(range(9), 0.0)), "zero volume", "warning", 9),
        (lambda f: f.with_columns(volume=pl.lit(0.0)), "zero volume", "warning", 400),
        (lambda f: pl.concat([f[:50], f[52:]]), "gaps", "info", 1),
        (lambda f: pl.concat([f[:50], f[60:]]), "gaps", "warning", 1),
    ],
)  # fmt: skip
def test_each_blemish_is_found_counted_and_weighed(change, check, severity, count):
    assert _findings(change(_frame()), symbol="X")[check] == (severity, count)


def test_rounding_errors_of_adjusted_prices_are_no_blemish():
    frame = _frame()
    high = max(frame["open"][3], frame["close"][3]) * (1 - 1e-15)
    assert _findings(_set(frame, "high", {3: high}), symbol="X") == {}


def test_unreadable_times_are_named_by_row():
    frame = _frame().with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) == 6).then(None).otherwise(pl.col("timestamp"))
    )
    finding = check_quality(frame, "15m").findings[0]
    assert (finding.check, finding.severity, finding.count, finding.places) == (
        "unreadable time",
        "error",
        1,
        ("row 7",),
    )


def test_a_gap_says_where_and_how_many_candles_are_missing():
    frame = pl.concat([_frame()[:50], _frame()[60:]])
    finding = next(f for f in check_quality(frame, "15m").findings if f.check == "gaps")
    assert finding.detail == "10 candles (2.50%) missing in 1 gap"
    assert finding.places == ("2023-01-02 12:30:00 .. 2023-01-02 15:00:00 (10)",)


def test_a_jump_is_an_outlier_and_a_return_makes_it_a_spike():
    series = make_series(MONDAY_MS + QUARTER_MS * np.arange(400))
    values = series.values.copy()
    values[100:103, :4] /= 3
    report = check_quality(make_series(series.open_time_ms, values), config=QualityConfig(outlier_z=20))
    found = {f.check: f for f in report.findings}
    assert found["outliers"].count == 2
    assert found["outliers"].severity == "warning"
    assert found["spikes"].count == 1
    assert found["spikes"].places[0].startswith("2023-01-03 01:00:00 .. 2023-01-03 01:30:00 (-6")
    step = series.values.copy()
    step[100:, :4] /= 3
    assert "spikes" not in _findings(make_series(series.open_time_ms, step), None)


def test_a_long_wick_is_found():
    frame = _set(_frame(), "high", {70: 5000.0})
    assert _findings(frame)["long wicks"] == ("info", 1)


def test_runs_of_identical_prices_are_stale():
    frame = _frame()
    for column in ("open", "high", "low", "close"):
        frame = _set(frame, column, dict.fromkeys(range(30, 37), 100.0))
    report = check_quality(frame, "15m")
    stale = next(f for f in report.findings if f.check == "stale prices")
    assert (stale.count, stale.severity) == (7, "warning")
    assert stale.places == ("2023-01-02 07:30:00 (7 candles)",)
    assert stale.detail == "1 runs of 5 or more candles with identical prices"


def test_candles_beside_the_grid_are_told():
    times = MONDAY_MS + QUARTER_MS * np.arange(400)
    times[100:] += 60_000
    assert _findings(make_series(times), None)["off the grid"] == ("info", 300)
    times[100:] -= 120_000
    assert _findings(make_series(times), None)["too close"] == ("warning", 1)


def _sessions(opens: list[int], minutes: int, days: range, length_ms: int) -> np.ndarray:
    """Open times of daily sessions; `opens` in minutes after midnight, weekdays only."""
    starts = [MONDAY_MS + day * DAY_MS + minute * 60_000 for day in days if day % 7 < 5 for minute in opens]
    return np.concatenate([start + np.arange(0, minutes * 60_000, length_ms) for start in starts])


def test_nights_lunches_and_weekends_are_sessions_and_not_gaps():
    times = _sessions([90, 300], 120, range(60), QUARTER_MS)
    assert set(_findings(make_series(times), None)) == {"session breaks"}
    holed = np.delete(times, [200, 201])
    found = check_quality(make_series(holed)).findings
    gaps = next(f for f in found if f.check == "gaps")
    assert gaps.detail == "2 candles (0.28%) missing in 1 gap"


def test_sessions_stay_whole_when_the_clocks_change():
    winter = _sessions([870], 390, range(70), 1_800_000)
    summer = _sessions([810], 390, range(70, 300), 1_800_000)
    assert set(_findings(make_series(np.r_[winter, summer], timeframe="30m"), None)) == {"session breaks"}


def test_weekends_and_short_holidays_of_daily_candles_are_sessions_and_long_holes_are_gaps():
    days = np.array([day for day in range(400) if day % 7 < 5 and day not in (3, 4)])
    found = _findings(make_series(MONDAY_MS + DAY_MS * days, timeframe="1d"), None)
    assert set(found) == {"session breaks"}
    holed = days[(days < 100) | (days > 114)]
    assert _findings(make_series(MONDAY_MS + DAY_MS * holed, timeframe="1d"), None)["gaps"] == ("warning", 1)


def test_every_missing_day_of_a_market_that_never_closes_is_a_gap():
    days = np.delete(np.arange(400), [100, 101])
    report = check_quality(make_series(MONDAY_MS + DAY_MS * days, timeframe="1d"))
    assert report.findings[0].detail == "2 candles (0.50%) missing in 1 gap"


def test_the_report_is_ready_for_json_and_always_the_same():
    frame = pl.concat([_frame(), _frame()[5:8]])
    one, two = (check_quality(frame, "15m", symbol="X").to_dict() for _ in range(2))
    assert json.dumps(one) == json.dumps(two)
    assert one["findings"] == [
        {
            "check": "disorder",
            "severity": "warning",
            "count": 1,
            "detail": "rows that stand after a later one; an import sorts them",
            "places": ["2023-01-02 01:15:00"],
        },
        {
            "check": "duplicates",
            "severity": "warning",
            "count": 3,
            "detail": "rows that repeat another one; an import removes them",
            "places": ["2023-01-02 01:15:00", "2023-01-02 01:30:00", "2023-01-02 01:45:00"],
        },
    ]
    assert (one["rows"], one["first"], one["last"]) == (403, "2023-01-02 00:00:00", "2023-01-06 03:45:00")
    assert one["verdict"] == "X 15m, 403 candles: usable with care (disorder, duplicates)."


def test_the_table_shows_every_finding():
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(check_quality(_set(_frame(), "close", {3: None}), "15m", symbol="[X]").table())
    text = console.export_text()
    assert "[X] 15m, 400 candles: not usable as it is (missing price)." in text
    assert "open, high, low or close is no number" in text


def test_empty_and_tiny_histories_are_reported_too():
    assert check_quality(_frame().head(0), "15m", symbol="X").to_dict()["first"] is None
    assert check_quality(_frame().head(1), "15m", symbol="X").findings == ()
    assert check_quality(_frame().head(2), "15m", symbol="X").findings == ()


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(DataError) as caught:
        check_quality(_frame(), symbol="X")
    assert str(caught.value) == "X: the quality of candles needs their timeframe. Say it: `--timeframe 15m`."
    with pytest.raises(ColumnError) as caught:
        check_quality(_frame().drop("low"), "15m", symbol="X")
    assert str(caught.value) == (
        "X: a quality report needs the columns timestamp, open, high, low, close, volume; missing: low. "
        "Read the source with `read_raw`."
    )
    panel = pl.concat([_frame().with_columns(symbol=pl.lit(name)) for name in "AB"])
    with pytest.raises(DataError) as caught:
        check_quality(panel, "15m")
    assert str(caught.value) == (
        "A quality report looks at one symbol; the frame holds A, B. "
        "Check them one by one, as `RawCandles.by_symbol` gives them."
    )


def test_a_million_candles_take_about_a_second():
    series = make_series(MONDAY_MS + 60_000 * np.arange(1_000_000), timeframe="1m")
    begin = time.process_time()
    check_quality(series)
    assert time.process_time() - begin < 5  # 0.7 s of one core; generous, for a slower machine


@pytest.mark.parametrize(
    ("file", "gaps", "missing"),
    [
        ("binance_spot_BTCUSDT_1h", 27, 122),
        ("binance_spot_SOLUSDT_1h", 10, 20),
        ("binance_spot_LINKUSDT_1h", 1, 1),
        ("binance_spot_BTCUSDT_30m", 1, 2),
        ("binance_spot_ETHUSDT_15m", 1, 5),
        ("binance_perp_BTCUSDT_15m", 0, 0),
        ("btc_perp_1m_2022-01", 0, 0),
    ],
)
def test_the_gaps_of_real_files_are_those_counted_by_hand(real_data, file, gaps, missing):
    raw = read_raw(real_data / f"crypto/{file}.parquet")
    (frame,) = raw.by_symbol().values()
    found = [f for f in check_quality(frame, raw.timeframe).findings if f.check == "gaps"]
    assert sum(f.count for f in found) == gaps
    assert [f.detail.split(" candles")[0] for f in found] == ([str(missing)] if gaps else [])


def test_the_false_price_of_rrc_is_found(real_data):
    close = pl.read_parquet(real_data / "us/us_oil_panel_close_1d.parquet").select("timestamp", "RRC")
    frame = close.select(
        "timestamp", *[pl.col("RRC").alias(name) for name in ("open", "high", "low", "close")], volume=pl.lit(1.0)
    )
    spikes = next(f for f in check_quality(frame, "1d", symbol="RRC").findings if f.check == "spikes")
    assert (spikes.count, spikes.places) == (1, ("1990-04-10 00:00:00 .. 1990-05-21 00:00:00 (-67%)",))


def test_the_days_on_which_shanghai_closed_early_are_gaps(real_data):
    raw = read_raw(real_data / "china/sse_composite_000001_1m.parquet")
    report = check_quality(raw.frame, raw.timeframe, config=QualityConfig(places=99))
    places = " ".join(next(f for f in report.findings if f.check == "gaps").places)
    assert "2016-01-04 05:" in places
    assert "2016-01-07 0" in places
    sessions = next(f for f in report.findings if f.check == "session breaks")
    assert sessions.count > 1400  # a lunch and a night on each of some 730 days
