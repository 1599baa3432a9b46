from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.domain import Timeframe
from triptych.domain.errors import DataError


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("100ms", 100),
        ("1s", 1_000),
        ("1m", 60_000),
        ("15m", 900_000),
        ("4h", 14_400_000),
        ("1d", 86_400_000),
        ("1w", 604_800_000),
    ],
)
def test_a_timeframe_is_read_and_written_alike(text, milliseconds):
    assert Timeframe.parse(text) == Timeframe(milliseconds)
    assert str(Timeframe(milliseconds)) == text
    assert Timeframe.parse(Timeframe(milliseconds)) == Timeframe(milliseconds)


def test_the_largest_whole_unit_is_written():
    assert str(Timeframe.parse("60m")) == "1h"
    assert str(Timeframe.parse("48h")) == "2d"
    assert str(Timeframe.parse("90m")) == "90m"


@pytest.mark.parametrize("text", ["", "m", "0m", "1M", "15", "1.5h", "-1m", "1 m", "one hour"])
def test_other_texts_are_refused(text):
    with pytest.raises(DataError) as caught:
        Timeframe.parse(text)
    assert str(caught.value) == f"Unknown timeframe {text!r}. Write it like 1m, 5m, 15m, 1h, 4h, 1d or 1w."


def test_a_timeframe_has_a_length():
    with pytest.raises(DataError) as caught:
        Timeframe(0)
    assert str(caught.value) == "A timeframe must be longer than 0 ms, was 0 ms."


def test_timeframes_are_ordered_from_short_to_long():
    texts = ["1w", "1m", "4h", "15m"]
    assert sorted(texts, key=Timeframe.parse) == ["1m", "15m", "4h", "1w"]


def _ms(*date: int) -> int:
    return round(datetime(*date, tzinfo=UTC).timestamp() * 1000)


def test_the_grid_starts_at_midnight_and_weeks_on_monday():
    moment = _ms(2023, 1, 5, 13, 37, 11)  # a Thursday
    assert Timeframe.parse("15m").floor(moment) == _ms(2023, 1, 5, 13, 30)
    assert Timeframe.parse("4h").floor(moment) == _ms(2023, 1, 5, 12)
    assert Timeframe.parse("1d").floor(moment) == _ms(2023, 1, 5)
    assert Timeframe.parse("1w").floor(moment) == _ms(2023, 1, 2)


times = st.integers(-(10**13), 10**13)
timeframes = st.builds(
    lambda count, unit: Timeframe.parse(f"{count}{unit}"),
    st.integers(1, 60),
    st.sampled_from(["s", "m", "h", "d", "w"]),
)


@given(time=times, timeframe=timeframes)
def test_a_candle_contains_its_time_and_opens_at_its_own_floor(time, timeframe):
    opened = timeframe.floor(time)
    assert opened <= time < opened + timeframe.milliseconds
    assert timeframe.floor(opened) == opened


@given(timeframe=timeframes)
def test_the_text_of_a_timeframe_reads_back(timeframe):
    assert Timeframe.parse(str(timeframe)) == timeframe


def test_a_year_holds_its_candles():
    assert Timeframe.parse("1d").candles_per_year() == 365.25
    assert Timeframe.parse("15m").candles_per_year() == 35_064
