"""Order books beside candles: those of another instrument or another time are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.bootstrap.rendering import Output, Reading, render
from triptych.bootstrap.rendering.opening import open_source
from triptych.domain import CandleSeries
from triptych.domain.errors import DataError
from triptych.market import to_panel
from triptych.market.books import BookTape, write_tape

MINUTE_MS = 60_000
START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC


@pytest.fixture
def series() -> CandleSeries:
    return make_series(START_MS + MINUTE_MS * np.arange(40), timeframe="1m")


def book_file(folder: Path, series: CandleSeries, *, dearer: float = 1.0, later_ms: int = 0) -> Path:
    """Books at the closes, three levels a side around the close."""
    step = series.close[:, None] * 1e-4 * np.array([[1.0, 2.0, 3.0]])
    size = np.full(step.shape, 5.0)
    tape = BookTape(
        symbol="OTHER", time_ms=series.close_time_ms + later_ms, bid_prices=(series.close[:, None] - step) * dearer,
        bid_sizes=size, ask_prices=(series.close[:, None] + step) * dearer, ask_sizes=size,
    )  # fmt: skip
    return write_tape(folder / "book.parquet", tape)


def draw(folder: Path, series: CandleSeries, book: Path) -> int:
    path = folder / "candles.parquet"
    to_panel([series]).write_parquet(path)
    drawn = render(
        str(path), Output(path=folder / "out"), encodings=["depth_heatmap"], length=10, reading=Reading(book=book)
    )
    return len(drawn.files)


def test_books_of_another_instrument_are_refused_by_their_prices(series, tmp_path):
    assert draw(tmp_path, series, book_file(tmp_path, series, dearer=1.04)) == 1
    with pytest.raises(DataError) as caught:
        draw(tmp_path, series, book_file(tmp_path, series, dearer=18.0))
    close = series.close[0]
    assert str(caught.value) == (
        f"{series.symbol}: the mid of the order books lies 1700% from the close of the candles beside them in the "
        f"median, such as {close * 18:g} at a close of {close:g}. "
        "The books are of another instrument, or their times are not UTC: bring those of the candles."
    )


def test_books_of_another_time_are_refused_by_their_time(series, tmp_path):
    with pytest.raises(DataError) as caught:
        draw(tmp_path, series, book_file(tmp_path, series, later_ms=86_400_000))
    assert str(caught.value) == (
        f"{series.symbol}: no candle closes with an order book beside it that is 60 s old or younger: there are books "
        "from 2024-01-02 00:01:00 to 2024-01-02 00:40:00, and closes from 2024-01-01 00:01:00 to 2024-01-01 00:40:00 "
        "UTC. Bring books and candles of the same time, or make the candles longer by --timeframe."
    )


def test_candles_dealt_out_to_trading_hours_have_no_books_of_the_hours_they_came_from():
    (dealt_out,) = open_source("grid", Reading()).histories
    assert dealt_out.books is None
    assert all(one.books is not None for one in open_source("chart", Reading()).histories)


@pytest.mark.parametrize(("beside", "third"), [(True, "book_imbalance"), (False, "gasf")])
def test_the_third_of_the_default_channels_is_the_book_where_there_is_one(series, tmp_path, beside, third):
    path = tmp_path / "candles.parquet"
    to_panel([series]).write_parquet(path)
    reading = Reading(book=book_file(tmp_path, series) if beside else None)
    drawn = render(str(path), Output(path=tmp_path / "out"), encodings=["multi_channel"], length=10, reading=reading)
    channels = drawn.encodings["multi_channel"]["options"]["channels"]
    assert [one["name"] for one in channels] == ["candlestick", "volume_profile", third]
    if beside:
        assert channels[2]["levels"] == 3  # as many as the books have
