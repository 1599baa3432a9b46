"""`triptych render` as a user gives it: what it writes, what it says, and how it refuses."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fakes.candles import make_series

from triptych.market import synthetic, to_panel
from triptych.market.books import BookTape, write_tape

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
CANDLES = SHARED / "crypto" / "binance_perp_BTCUSDT_5m.parquet"
BOOKS = SHARED / "lob" / "binance_usdm_btcusdt_20240718_book20_100ms.parquet"
START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC


@pytest.fixture
def market(tmp_path):
    """Two instruments, 100 candles of 15 minutes from 2024-01-01: the last one closes on 2024-01-02 at 01:00."""
    path = tmp_path / "market.parquet"
    to_panel(synthetic.synthesise(synthetic.Config(seed=5, n_candles=100, instruments=2)).series).write_parquet(path)
    return path


@pytest.fixture
def books(tmp_path):
    n = 50
    random = np.random.default_rng(0)
    mid = 30_000.0 + np.cumsum(random.normal(0, 2, n))[:, None].round()
    distance = np.arange(1, 6) - 0.5
    tape = BookTape(
        symbol="BTCUSDT", time_ms=START_MS + 1000 * np.arange(1, n + 1),
        bid_prices=mid - distance, bid_sizes=random.uniform(1, 9, (n, 5)),
        ask_prices=mid + distance, ask_sizes=random.uniform(1, 9, (n, 5)),
    )  # fmt: skip
    return write_tape(tmp_path / "books.parquet", tape)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def test_the_last_window_of_every_instrument_is_drawn_by_default(run_command, market, tmp_path):
    said = run_command("render", market, "-e", "gasf", "--out", tmp_path / "out")
    assert (said.status, said.err) == (0, "")
    assert names(tmp_path / "out") == [
        "ALFA-USDT_15m_gasf_2024-01-02T0100Z.png", "BRAVO-USDT_15m_gasf_2024-01-02T0100Z.png",
    ]  # fmt: skip
    lines = said.out.splitlines()
    assert lines[0] == "gasf: 60 rows as 1 x 60 x 60, enlarged 6 times"
    assert lines[1] == str(tmp_path / "out" / "ALFA-USDT_15m_gasf_2024-01-02T0100Z.png")
    assert opened(Path(lines[1])).size == (360, 360)


def test_json_is_a_manifest_of_the_files(run_command, market, tmp_path):
    said = run_command(
        "render", market, "-e", "candlestick", "--set", "candlestick.width=96", "--set", "candlestick.up_color=#00ff00",
        "--symbol", "BRAVO-USDT", "--length", 20, "--last", 2, "--every", 4, "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert said.err == ""
    manifest = json.loads(said.out)
    assert [{**one, "file": Path(one["file"]).name} for one in manifest["files"]] == [
        {
            "file": f"BRAVO-USDT_15m_candlestick_2024-01-02T{clock}Z.png", "encoding": "candlestick",
            "symbol": "BRAVO-USDT", "timeframe": "15m", "closes": f"2024-01-02T{clock[:2]}:{clock[2:]}:00Z",
        }
        for clock in ("0000", "0100")
    ]  # fmt: skip
    about = manifest["encodings"]["candlestick"]
    assert (about["length"], about["channels"], about["height"], about["width"]) == (20, 3, 200, 96)
    assert about["options"]["up_color"] == "#00ff00"
    assert manifest["notes"] == []


def test_a_timeframe_resamples_the_candles(run_command, market, tmp_path):
    said = run_command(
        "render", market, "-e", "jkx", "--symbol", "ALFA-USDT", "--timeframe", "1h", "--length", 5, "--at",
        "2024-01-01 12:00", "--out", tmp_path / "a.png", "--view", "network",
    )  # fmt: skip
    assert said.status == 0
    assert opened(tmp_path / "a.png").size == (15, 32)


def test_a_sheet_and_an_animation_of_it(run_command, market, tmp_path):
    for options, name in ((("--sheet",), "sheet.webp"), (("--sheet", "--animate", "--fps", 20), "moving.gif")):
        said = run_command(
            "render", market, "-e", "gasf", "-e", "jkx", "--symbol", "ALFA-USDT", "--length", 12, "--last", 3, *options,
            "--out", tmp_path / name,
        )  # fmt: skip
        assert said.status == 0
        assert said.out.splitlines()[-1] == str(tmp_path / name)
    assert opened(tmp_path / "sheet.webp").height > 3 * 96
    assert opened(tmp_path / "moving.gif").n_frames == 3


def test_all_draws_what_the_source_can_feed_and_says_what_it_leaves_out(run_command, books, tmp_path):
    said = run_command("render", books, "-e", "all", "--length", 30, "--out", tmp_path / "out", "--quiet")
    assert said.status == 0
    assert {name.split("_2024")[0] for name in names(tmp_path / "out")} == {
        "BTCUSDT_1s_book_imbalance", "BTCUSDT_1s_depth_heatmap",
    }  # fmt: skip
    assert "candlestick, " in said.out
    assert "(books.parquet holds no candles)" in said.out


def test_books_stand_beside_candles(run_command, books, tmp_path):
    series = make_series(START_MS + 1000 * np.arange(50), timeframe="1s")
    series = replace(series, values=series.values * [300, 300, 300, 300, 1])  # prices of the books
    to_panel([series]).write_parquet(tmp_path / "BTCUSDT_1s.parquet")
    said = run_command(
        "render", tmp_path / "BTCUSDT_1s.parquet", "--book", books, "-e", "depth_heatmap", "-e", "candlestick",
        "--length", 40, "--out", tmp_path / "out",
    )  # fmt: skip
    assert said.status == 0, said.err
    assert names(tmp_path / "out") == [
        "BTCUSDT_1s_candlestick_2024-01-01T000050Z.png", "BTCUSDT_1s_depth_heatmap_2024-01-01T000050Z.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("-e", "candelstick"),
            "Error: Unknown encoding 'candelstick'. What to do: Did you mean candlestick? Known encodings: ",
        ),
        ((), "Error: No encoding was asked for. What to do: Say --encoding NAME or --encoding all. There are "),
        (
            ("-e", "depth_heatmap"),
            "Error: depth_heatmap reads order book; market.parquet holds candles and factors. "
            "What to do: Bring a file of order books as SOURCE, or beside the candles with --book FILE.",
        ),
        (
            ("-e", "gasf", "--at", "2024-01-02T00:50"),
            "Error: ALFA-USDT 15m, gasf: nothing closes at 2024-01-02 00:50:00 UTC. "
            "What to do: Nearest: 2024-01-02 00:45:00 and 2024-01-02 01:00:00 UTC.",
        ),
        (
            ("-e", "gasf", "--length", "101"),
            "Error: ALFA-USDT 15m, gasf: a window is longer than the history of 100 rows, or than what is known of it. "
            "What to do: Bring a longer history or shorten the window by --length.",
        ),
        (
            ("-e", "gasf", "--set", "gasf.sizes=3"),
            "Error: gasf has no option 'sizes'. Did you mean 'size'? "
            "What to do: `triptych encodings gasf` lists the options with their limits.",
        ),
        (
            ("-e", "gasf", "--symbol", "ALFA"),
            "Error: market.parquet holds no symbol 'ALFA'. What to do: It holds ALFA-USDT, BRAVO-USDT.",
        ),
        (
            ("-e", "gasf", "--colors", "rainbows"),
            "Error: Unknown colour map 'rainbows'. "
            "What to do: Take gray, book, viridis, magma, inferno, cividis, coolwarm, RdBu or another of matplotlib's.",
        ),
    ],
)
def test_a_wrong_wish_ends_with_status_2_and_writes_nothing(run_command, market, tmp_path, arguments, message):
    said = run_command("render", market, *arguments, "--out", tmp_path / "out")
    assert (said.status, said.out) == (2, "")
    assert said.error.startswith(message)
    assert not (tmp_path / "out").exists()


def test_a_book_encoding_asked_of_trades_needs_a_timeframe(run_command, tmp_path):
    import polars as pl

    trades = pl.DataFrame({"timestamp": [START_MS], "price": [1.0], "size": [1.0], "side": [1]})
    trades.with_columns(pl.col("timestamp").cast(pl.Datetime("ms", "UTC"))).write_parquet(tmp_path / "trades.parquet")
    said = run_command("render", tmp_path / "trades.parquet", "-e", "gasf", "--out", tmp_path / "out")
    assert said.status == 2
    assert said.error == (
        "Error: trades.parquet holds trades. What to do: Say of what length their candles are: --timeframe 1s."
    )


def test_many_pictures_are_counted_not_listed(run_command, market, tmp_path):
    said = run_command(
        "render", market, "-e", "gasf", "--length", 10, "--every", 1, "--view", "network", "--workers", 2,
        "--out", tmp_path / "out", "--quiet",
    )  # fmt: skip
    assert said.out.splitlines()[-1] == f"182 pictures in {tmp_path / 'out'}"
    assert len(names(tmp_path / "out")) == 182


@pytest.mark.skipif(not CANDLES.exists(), reason="needs the real candles beside the repository")
def test_real_candles_are_drawn_by_every_encoding_that_reads_candles(run_command, tmp_path):
    said = run_command(
        "render", CANDLES, "-e", "all", "--at", "2023-12-31T23:55", "--out", tmp_path / "out", "--json"
    )  # fmt: skip
    manifest = json.loads(said.out)
    assert {"candlestick", "gasf", "gadf", "jkx", "recurrence_plot"} <= set(manifest["encodings"])
    for one in manifest["files"]:
        picture = np.asarray(opened(Path(one["file"])).convert("RGB"))
        assert picture.std() > 5, one["encoding"]
        assert one["closes"] == "2023-12-31T23:55:00Z"


@pytest.mark.skipif(not BOOKS.exists(), reason="needs the real order books beside the repository")
def test_real_books_are_drawn_as_heatmap_and_imbalance(run_command, tmp_path):
    said = run_command("render", BOOKS, "-e", "all", "--timeframe", "1s", "--out", tmp_path / "out", "--json")
    manifest = json.loads(said.out)
    assert {"depth_heatmap", "book_imbalance"} <= set(manifest["encodings"])
    for one in manifest["files"]:
        red, green, _ = np.asarray(opened(Path(one["file"])).convert("RGB")).astype(int).transpose(2, 0, 1)
        assert (green > red + 50).mean() > 0.005
        assert (red > green + 50).mean() > 0.005
