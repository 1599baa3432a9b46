import polars as pl
import pytest
from tests.fakes.dialects import ISO, assert_three_candles, text_rows, three_candles, write_text

from triptych.domain.errors import CandleError
from triptych.market import read_candles


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{t},11,13,,12.5,200", "column low ({at}): low is missing."),
        ("{t},11,13,NaN,12.5,200", "column low ({at}): low is not a number: 'NaN'."),
        ("{t},11,13,abc,12.5,200", "column low ({at}): low is not a number: 'abc'."),
        ("{t},11,inf,9,12.5,200", "column high ({at}): high is not a number: 'inf'."),
        (
            "{t},11,13,0,12.5,200",
            "column low ({at}): prices must be above zero: open=11.0 high=13.0 low=0.0 close=12.5 volume=200.0.",
        ),
        (
            "{t},11,10,12,12.5,200",
            "column high ({at}): high is below low: open=11.0 high=10.0 low=12.0 close=12.5 volume=200.0.",
        ),
        (
            "{t},11,12,10,12.5,200",
            "column high ({at}): high is below open or close: open=11.0 high=12.0 low=10.0 close=12.5 volume=200.0.",
        ),
        (
            "{t},11,13,11.5,12.5,200",
            "column low ({at}): low is above open or close: open=11.0 high=13.0 low=11.5 close=12.5 volume=200.0.",
        ),
        ("{t},11,13,10.5,12.5,many", "column volume ({at}): volume is not a number: 'many'."),
        (
            "{t},11,13,10.5,12.5,-1",
            "column volume ({at}): volume must be zero or more: open=11.0 high=13.0 low=10.5 close=12.5 volume=-1.0.",
        ),
        ("soon,11,13,10.5,12.5,200", "column timestamp: the time is missing or cannot be read: 'soon'."),
        (
            "2023-02-30 00:15:00,11,13,10.5,12.5,200",
            "column timestamp: the time is missing or cannot be read: '2023-02-30 00:15:00'.",
        ),
        ("{t},11,13", "column low ({at}): low is missing."),
    ],
)
def test_a_bad_row_is_named_by_line_column_and_time(tmp_path, row, message):
    good = text_rows(ISO).splitlines()
    row, message = (text.format(t="2023-01-02 00:15:00", at="2023-01-02 00:15:00 UTC") for text in (row, message))
    path = write_text(tmp_path, "\n".join(["time,open,high,low,close,volume", good[0], "", row, good[2], ""]))
    with pytest.raises(CandleError) as caught:
        read_candles(path)
    # The empty line counts: line 4 is what an editor shows.
    assert str(caught.value) == (
        f"BTCUSDT_15m.csv: line 4, {message} "
        "Correct the source, or import with `--repair` (repair=True), which drops such rows and says so."
    )


def test_the_number_of_further_bad_rows_is_told():
    frame = three_candles(close=[None, float("nan"), 12.0])
    with pytest.raises(CandleError) as caught:
        read_candles(frame, symbol="X")
    assert caught.value.message == (
        "polars frame: row 1, column close (2023-01-02 00:00:00 UTC): close is missing. 1 more row is bad."
    )


def test_repair_drops_and_mends_and_says_so(tmp_path):
    rows = [
        "2023-01-02 00:00:00,10,12,9,11,100",
        "2023-01-02 00:15:00,11,,10.5,12.5,200",  # dropped
        "2023-01-02 00:30:00,11,10,12,12.5,200",  # dropped: high below low
        "2023-01-02 00:45:00,11,12,10,12.5,200",  # high widened
        "2023-01-02 01:00:00,11,13,10,12.5,",  # volume set to zero
    ]
    result = read_candles(write_text(tmp_path, "\n".join(["time,open,high,low,close,volume", *rows])), repair=True)
    assert result.one().values.tolist() == [
        [10.0, 12.0, 9.0, 11.0, 100.0],
        [11.0, 12.5, 10.0, 12.5, 200.0],
        [11.0, 13.0, 10.0, 12.5, 0.0],
    ]
    assert result.notes[:3] == (
        "dropped 2 candles: a time or price is missing, not positive, or high is below low",
        "widened high or low of 1 candle to contain open and close",
        "set the volume of 1 candle to zero: missing or negative",
    )


def test_rounding_errors_of_adjusted_prices_are_no_violation():
    frame = three_candles(close=[12.000000000000002, 12.5, 12.0])
    result = read_candles(frame, symbol="X")
    assert result.one().values[0, 1] == 12.000000000000002
    assert result.notes == ("high or low widened by a rounding error in 1 candle",)


def test_disorder_is_sorted_and_exact_duplicates_are_removed():
    frame = pl.concat([three_candles()[[2, 0, 1]], three_candles()[[1]]])
    result = read_candles(frame, symbol="X")
    assert_three_candles(result)
    assert result.notes == (
        "sorted by time: 1 candle stood before an earlier one",
        "removed 1 candle that repeated another one exactly",
    )


def test_conflicting_duplicates_are_refused_unless_a_choice_is_made():
    other = three_candles(close=[10.0, 10.0, 10.0]).with_columns(low=pl.lit(9.0), high=pl.lit(13.0))[[1]]
    frame = pl.concat([three_candles(), other])
    with pytest.raises(CandleError) as caught:
        read_candles(frame, symbol="X")
    assert str(caught.value) == (
        "polars frame: row 2 and row 4 both hold X at 2023-01-02 00:15:00 UTC, column low: 10.5 and 9.0. "
        "Remove one, or say which to take: `--duplicates first` or `--duplicates last` (duplicates='last')."
    )
    assert read_candles(frame, symbol="X", duplicates="first").one().close[1] == 12.5
    last = read_candles(frame, symbol="X", duplicates="last")
    assert last.one().close[1] == 10.0
    assert last.notes[1] == "removed 1 candle of a time given twice with different values; kept the last"
