"""Three candles of 15 minutes from 2023-01-02 00:00 UTC, to be written in every dialect and read back the same."""

from pathlib import Path

import numpy as np
import polars as pl

from triptych.domain import Timeframe

START_MS = 1_672_617_600_000
STEP_MS = 900_000
TIMES = [START_MS, START_MS + STEP_MS, START_MS + 2 * STEP_MS]
VALUES = [[10.0, 12.0, 9.0, 11.0, 100.0], [11.0, 13.0, 10.5, 12.5, 200.0], [12.5, 12.75, 11.5, 12.0, 300.0]]
PRICES = ["10,12,9,11", "11,13,10.5,12.5", "12.5,12.75,11.5,12"]
EPOCH = ["1672617600", "1672618500", "1672619400"]
ISO = ["2023-01-02 00:00:00", "2023-01-02 00:15:00", "2023-01-02 00:30:00"]


def write_text(tmp_path: Path, text: str, name: str = "BTCUSDT_15m.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def text_rows(times: list[str], separator: str = ",", volumes: tuple[str, ...] = ("100", "200", "300")) -> str:
    return "".join(
        separator.join([time, prices.replace(",", separator), volume]) + "\n"
        for time, prices, volume in zip(times, PRICES, volumes, strict=True)
    )


def three_candles(**changes) -> pl.DataFrame:
    fields = dict(zip(("open", "high", "low", "close", "volume"), np.array(VALUES).T, strict=True))
    return pl.DataFrame({"timestamp": TIMES, **fields, **changes})


def assert_three_candles(result, volume: bool = True) -> None:
    series = result.one()
    assert series.open_time_ms.tolist() == TIMES
    expected = np.array(VALUES)
    if not volume:
        expected[:, 4] = 0
    assert series.values.tolist() == expected.tolist()
    assert series.timeframe == Timeframe.parse("15m")
