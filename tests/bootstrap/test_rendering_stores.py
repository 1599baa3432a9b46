"""Pictures from a candle store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fakes.candles import make_series

from triptych.bootstrap.rendering import Output, Reading, render
from triptych.bootstrap.rendering.opening import open_source
from triptych.domain.errors import DataError
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
