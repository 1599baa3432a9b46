"""Pictures from a candle store."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.bootstrap.rendering import Output, Reading, render
from triptych.bootstrap.rendering.opening import open_source
from triptych.domain.errors import DataError, RecipeError
from triptych.market import CandleStore, resample, to_panel

MINUTE_MS = 60_000
START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC
TIMES = START_MS + 5 * MINUTE_MS * np.arange(96)


@pytest.fixture
def store(tmp_path) -> Path:
    filled = CandleStore(tmp_path / "store")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        filled.merge(make_series(TIMES, timeframe="5m", symbol=symbol))
    return filled.root


def opened(path: Path, **reading):
    return open_source(str(path), Reading(**reading))


def test_a_store_gives_what_its_files_would(store, tmp_path):
    to_panel([make_series(TIMES, timeframe="5m", symbol="ETHUSDT")]).write_parquet(tmp_path / "ETHUSDT_5m.parquet")
    for source, folder in ((store, "a"), (tmp_path / "ETHUSDT_5m.parquet", "b")):
        reading = Reading(symbols=("ETHUSDT",))
        render(str(source), Output(path=tmp_path / folder), encodings=["gasf"], length=12, reading=reading)
    (one,), (other,) = (tmp_path / "a").iterdir(), (tmp_path / "b").iterdir()
    assert one.name == other.name == "ETHUSDT_5m_gasf_2024-01-01T0800Z.png"
    assert one.read_bytes() == other.read_bytes()


def test_what_a_killed_process_left_of_a_picture_is_removed_and_nothing_else(store, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    drawn = "BTCUSDT_5m_gasf_2024-01-01T0800Z.png"
    left, young = folder / f".{drawn}.12-34.tmp", folder / f".{drawn}.12-35.tmp"
    foreign = folder / ".notes.png.12-34.tmp"
    for path in (left, young, foreign):
        path.write_bytes(b"half a picture")
    for path in (left, foreign):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    render(str(store), Output(path=folder), encodings=["gasf"], length=12, reading=Reading(symbols=("BTCUSDT",)))
    assert {path.name for path in folder.iterdir()} == {drawn, young.name, foreign.name}


def test_a_file_in_the_place_of_the_folder_is_refused(store, tmp_path):
    (tmp_path / "pictures").write_text("notes")
    with pytest.raises(DataError) as caught:
        render(str(store), Output(path=tmp_path / "pictures"), encodings=["gasf"], length=12)
    assert str(caught.value) == (
        f"{tmp_path / 'pictures'} is a file. Name a folder by --out, or a file that ends in .png, .gif or .webp."
    )


def test_an_image_that_fills_the_memory_is_refused(store, tmp_path):
    with pytest.raises(RecipeError) as caught:
        render(str(store), Output(path=tmp_path / "a"), encodings=["gasf"], length=11_000)
    assert str(caught.value) == (
        "gasf: an image of 1 x 11000 x 11000 would fill the memory. Shorten the window by --length, or draw it "
        "smaller: `triptych encodings gasf` lists what sets its size."
    )


def test_companions_come_from_the_store(store):
    (history,) = opened(store, symbols=("BTCUSDT",), companions=("ETHUSDT",)).histories
    assert history.symbol == "BTCUSDT"
    assert list(history.companions) == ["ETHUSDT"]
    assert [one.symbol for one in opened(store).histories] == ["BTCUSDT", "ETHUSDT"]


def test_the_folder_of_a_venue_is_a_source_too(store):
    (venue,) = store.iterdir()
    assert [one.symbol for one in opened(venue).histories] == ["BTCUSDT", "ETHUSDT"]


def test_of_several_lengths_one_is_chosen_or_made_of_the_finest(store):
    CandleStore(store).merge(resample(make_series(TIMES, timeframe="5m", symbol="BTCUSDT"), "1h"))
    with pytest.raises(DataError) as caught:
        opened(store, symbols=("BTCUSDT",))
    assert str(caught.value) == "store holds BTCUSDT in candles of 5m and 1h. Say which to draw: --timeframe 5m."
    for timeframe, rows in (("1h", 8), ("15m", 32)):
        (history,) = opened(store, symbols=("BTCUSDT",), timeframe=timeframe).histories
        assert (history.timeframe, len(history.close_time_ms)) == (timeframe, rows)


def test_an_instrument_that_is_not_there_is_refused(store):
    with pytest.raises(DataError) as caught:
        opened(store, symbols=("BTCUSDT",), companions=("XRPUSDT",))
    assert str(caught.value) == "store holds no symbol 'XRPUSDT'. It holds BTCUSDT, ETHUSDT."


def test_a_folder_without_candles_is_refused(tmp_path):
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    assert str(caught.value) == (
        f"The folder {tmp_path} holds no candles. "
        "Name a file, or a candle store: `triptych data import FILE --store FOLDER` fills one."
    )
