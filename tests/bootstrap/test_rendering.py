from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from tests.fakes.candles import make_series

from triptych import bootstrap
from triptych.bootstrap.rendering import Moments, Output, Reading, Style, encoding_catalogue, render
from triptych.bootstrap.rendering.catalogue import make, read_option
from triptych.bootstrap.rendering.colouring import paint, palette_of
from triptych.bootstrap.rendering.histories import History
from triptych.bootstrap.rendering.looks import enlargement
from triptych.bootstrap.rendering.moments import choose
from triptych.bootstrap.rendering.names import format_of, picture_name, put, require_replaceable, time_in_name
from triptych.bootstrap.rendering.opening import open_source
from triptych.bootstrap.rendering.plans import make_plans
from triptych.bootstrap.rendering.png import encode_png
from triptych.bootstrap.rendering.wanted import wanted_encodings
from triptych.domain import book_columns, utc
from triptych.domain.errors import DataError, NotEnoughData, RecipeError, StorageError
from triptych.features import Config as FeatureConfig
from triptych.features import FeaturePipeline
from triptych.images import available, create_encoding
from triptych.inference import FactorRows
from triptych.market import to_panel
from triptych.market.books import BookTape, write_tape
from triptych.settings import load_recipe

MINUTE_MS = 60_000
START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC


@pytest.fixture
def series():
    return make_series(START_MS + 5 * MINUTE_MS * np.arange(80), timeframe="5m")


@pytest.fixture
def file(series, tmp_path):
    path = tmp_path / "BTCUSDT_5m.parquet"
    to_panel([series]).write_parquet(path)
    return str(path)


@pytest.fixture
def tape():
    """Ten books, 100 ms apart, two levels a side; the third misses its second level."""
    n = 10
    mid = 100.0 + np.arange(n)[:, None]
    step = np.array([[1.0, 2.0]])
    bid, ask = mid - step, mid + step
    size = np.full((n, 2), 5.0)
    bid_size = size.copy()
    bid[2, 1] = bid_size[2, 1] = np.nan
    return BookTape(
        symbol="BTCUSDT", time_ms=START_MS + 100 * np.arange(n), bid_prices=bid, bid_sizes=bid_size,
        ask_prices=ask, ask_sizes=size, segment=np.repeat([0, 1], [6, 4]),
    )  # fmt: skip


def history_of(tape: BookTape) -> History:
    place = "book.parquet"
    return History(
        symbol=tape.symbol, timeframe="100ms", close_time_ms=tape.time_ms, candles=None, books=tape, place=place
    )


def picture(content: bytes | Path | str) -> Image.Image:
    return Image.open(io.BytesIO(content if isinstance(content, bytes) else Path(content).read_bytes()))


# --- PNG -------------------------------------------------------------------------------------------------------------


@given(
    pixels=hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    smooth=st.booleans(),
    level=st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_a_grey_picture_is_read_back_pixel_by_pixel(pixels, smooth, level):
    read = picture(encode_png(pixels, smooth=smooth, level=level))
    assert read.mode == "L"
    assert np.array_equal(np.asarray(read), pixels)


@pytest.mark.parametrize("smooth", [False, True])
def test_colours_and_palettes_are_read_back_as_well(smooth):
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(picture(encode_png(colours, smooth=smooth))), colours)
    places, palette = colours[..., 0], random.integers(0, 256, (256, 3), dtype=np.uint8)
    read = picture(encode_png(places, palette=palette, smooth=smooth))
    assert read.mode == "P"
    assert np.array_equal(np.asarray(read.convert("RGB")), palette[places])


def test_a_picture_says_what_it_shows_and_ends_as_the_format_asks():
    content = encode_png(np.zeros((2, 3), np.uint8), text={"Description": "BTC/USDT 5m"})
    read = picture(content)
    assert (read.size, read.info["Description"]) == ((3, 2), "BTC/USDT 5m")
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert content[-12:] == b"\0\0\0\0IEND\xaeB`\x82"


# --- colours ---------------------------------------------------------------------------------------------------------


def test_one_channel_goes_through_the_colour_map():
    painted = paint(np.array([[[[0], [255]]]], np.uint8), colors="viridis")
    assert painted.pixels.shape == (1, 1, 2)
    assert painted.rgb()[0, 0].tolist() == [[68, 1, 84], [253, 231, 36]]


def test_grey_needs_no_palette():
    assert paint(np.zeros((1, 2, 2, 1), np.uint8), colors="gray").palette is None
    assert paint(np.full((1, 1, 1, 1), 9, np.uint8), colors="gray").rgb().tolist() == [[[[9, 9, 9]]]]


def test_three_channels_are_red_green_blue():
    pixels = np.array([[[[1, 2, 3]]]], np.uint8)
    assert paint(pixels, colors="viridis").rgb().tolist() == [[[[1, 2, 3]]]]


def test_two_sides_are_green_and_red():
    pixels = np.array([[[[255, 0], [0, 255], [0, 0]]]], np.uint8)
    assert paint(pixels, colors="sides").rgb()[0, 0].tolist() == [[38, 214, 130], [255, 72, 84], [0, 0, 0]]


def test_other_channels_stand_side_by_side():
    pixels = np.array([[[[1, 2, 3, 4]], [[5, 6, 7, 8]]]], np.uint8)
    assert paint(pixels, colors="gray").pixels.tolist() == [[[1, 2, 3, 4], [5, 6, 7, 8]]]
    pixels = pixels[:, :1]
    assert paint(pixels[..., :3], colors="gray", channels="tiles").pixels.tolist() == [[[1, 2, 3]]]
    assert paint(pixels[..., :2], colors="gray", channels="tiles", gap=1).rgb()[0, 0, :, 0].tolist() == [1, 40, 2]


def test_a_pixel_becomes_a_square():
    pixels = np.array([[[[1], [2]]]], np.uint8)
    assert paint(pixels, colors="gray", scale=2).pixels.tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2]]]


def test_books_are_red_and_green_around_black():
    palette = palette_of("book")
    assert palette.shape == (256, 3)
    assert palette[[127, 128]].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert palette[40][0] > 1.2 * palette[40][1:].max()
    assert palette[215][1] > 1.2 * palette[215][[0, 2]].max()
    assert palette[[0, 255]].min() > 150


def test_channels_of_one_row_stand_below_one_another():
    pixels = np.arange(4 * 30, dtype=np.uint8).reshape(1, 1, 30, 4)
    painted = paint(pixels, colors="gray")
    assert painted.rgb().shape == (1, 4, 30, 3)
    assert np.array_equal(painted.pixels[0], pixels[0, 0].T)


def test_an_unknown_colour_map_is_refused():
    with pytest.raises(RecipeError) as caught:
        palette_of("virids")
    assert str(caught.value) == (
        "Unknown colour map 'virids'. "
        "Take gray, book, viridis, magma, inferno, cividis, coolwarm, RdBu or another of matplotlib's."
    )


@pytest.mark.parametrize(("height", "width", "times"), [(60, 60, 6), (96, 180, 2), (320, 10, 1), (224, 224, 2)])
def test_small_pictures_are_enlarged_until_people_can_see_them(height, width, times):
    assert enlargement(height, width) == times


# --- which windows ---------------------------------------------------------------------------------------------------

TIMES = START_MS + 5 * MINUTE_MS * np.arange(10)
FROM_3 = np.arange(10) >= 3


def chosen(moments: Moments, exact: bool = True) -> list[int]:
    return choose(moments, TIMES, FROM_3, what="BTCUSDT 5m, gasf", exact=exact).tolist()


@pytest.mark.parametrize(
    ("moments", "rows"),
    [
        (Moments(), [9]),
        (Moments(last=3), [7, 8, 9]),
        (Moments(last=100), [3, 4, 5, 6, 7, 8, 9]),
        (Moments(last=2, every=3), [6, 9]),
        (Moments(every=3), [3, 6, 9]),
        (Moments(start="2024-01-01T00:30", end="2024-01-01T00:40"), [6, 7, 8]),
        (Moments(start="2024-01-01T00:31", every=2), [7, 9]),
        (Moments(end="2024-01-01T00:24:59", last=1), [4]),
        (Moments(at=("2024-01-01T00:20", "2024-01-01T00:15Z")), [3, 4]),
        (Moments(at=("2024-01-01T01:15+01:00",)), [3]),
    ],
)
def test_windows_are_chosen_by_the_time_at_which_they_close(moments, rows):
    assert chosen(moments) == rows


def test_books_are_taken_as_they_stood_at_a_time():
    assert chosen(Moments(at=("2024-01-01T00:22",)), exact=False) == [4]


@pytest.mark.parametrize(
    ("moments", "message"),
    [
        (
            Moments(at=("2024-01-01T00:22",)),
            "BTCUSDT 5m, gasf: nothing closes at 2024-01-01 00:22:00 UTC. "
            "Nearest: 2024-01-01 00:20:00 and 2024-01-01 00:25:00 UTC.",
        ),
        (
            Moments(at=("2023-06-30",)),
            "BTCUSDT 5m, gasf: nothing closes at 2023-06-30 00:00:00 UTC. Nearest: 2024-01-01 00:00:00 UTC.",
        ),
        (
            Moments(at=("2024-01-01T00:10",)),
            "BTCUSDT 5m, gasf: there is not enough history before 2024-01-01 00:10:00 UTC to fill a window. "
            "The first window closes at 2024-01-01 00:15:00 UTC.",
        ),
        (
            Moments(start="2025-01-01", end="2025-02-01"),
            "BTCUSDT 5m, gasf: no window closes from 2025-01-01 to 2025-02-01. "
            "Windows close from 2024-01-01 00:15:00 to 2024-01-01 00:45:00 UTC.",
        ),
    ],
)
def test_where_no_window_closes_the_nearest_times_are_named(moments, message):
    with pytest.raises(DataError) as caught:
        chosen(moments)
    assert str(caught.value) == message


def test_a_window_longer_than_the_history_is_refused():
    with pytest.raises(NotEnoughData) as caught:
        choose(Moments(), TIMES, np.zeros(10, bool), what="BTCUSDT 5m, gasf", exact=True)
    assert str(caught.value) == (
        "BTCUSDT 5m, gasf: a window is longer than the history of 10 rows, or than what is known of it. "
        "Bring a longer history or shorten the window by --length."
    )


def test_times_and_a_period_exclude_each_other():
    with pytest.raises(DataError) as caught:
        Moments(at=("2024-01-01",), last=3)
    assert str(caught.value) == (
        "Times and a period cannot be asked for together. Give either --at, or --last, --every, --from and --to."
    )
    with pytest.raises(DataError, match="'soon' is not a time"):
        Moments(start="soon")


# --- names and files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time_ms", "name"),
    [
        (START_MS, "2024-01-01T0000Z"),
        (START_MS + 30_000, "2024-01-01T000030Z"),
        (START_MS + 100, "2024-01-01T000000.100Z"),
    ],
)
def test_a_name_has_as_much_of_the_time_as_matters(time_ms, name):
    assert time_in_name(time_ms) == name


def test_what_file_systems_refuse_becomes_a_dash():
    assert picture_name("BTC/USDT:USDT", "5m", "gasf", "now", "png") == "BTC-USDT-USDT_5m_gasf_now.png"


def test_a_file_is_told_by_its_ending(tmp_path):
    (tmp_path / "v1.2").mkdir()
    assert format_of(tmp_path / "a.WEBP") == "webp"
    assert format_of(tmp_path / "v1.2") is None
    assert format_of(tmp_path / "v1.3") is None
    with pytest.raises(DataError) as caught:
        format_of(Path("a.png"), "gif")
    assert str(caught.value) == "a.png cannot be a gif file. Name it with .gif, or drop --format."
    with pytest.raises(DataError) as caught:
        format_of(Path("a.jpg"))
    assert str(caught.value) == (
        "Cannot write a.jpg: there is no writer for .jpg. Choose a name ending in .png, .gif or .webp, or a folder."
    )


@pytest.mark.parametrize("ending", ["png", "gif", "webp"])
def test_our_own_pictures_are_replaced_and_nobody_elses(tmp_path, file, ending):
    path = tmp_path / f"a.{ending}"
    for kind in ("pictures", "animation"):
        render(file, Output(path=path, kind=kind), encodings=["gasf"], moments=Moments(last=1), length=8)
        require_replaceable([path], overwrite=False)
    Image.new("RGB", (2, 2)).save(path)
    with pytest.raises(DataError) as caught:
        render(file, Output(path=path), encodings=["gasf"])
    assert str(caught.value) == (
        f"{path} is there already and is no picture of ours. "
        "Choose another name or folder, or replace it with --overwrite."
    )
    assert picture(path).size == (2, 2)
    render(file, Output(path=path, overwrite=True), encodings=["gasf"], length=8, style=Style(view="network"))
    assert picture(path).size == (8, 8)


def test_a_picture_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(StorageError, match=r"taken\.png could not be written"):
        put(tmp_path / "taken.png", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]


# --- histories -------------------------------------------------------------------------------------------------------


def test_a_window_of_books_spans_no_break_and_needs_no_deep_level(tape):
    history = history_of(tape)
    rows = history.rows("any", book_columns(2))
    assert rows.shape == (10, 8)
    assert rows.dtype == np.float32
    assert np.isnan(rows[2, 1])
    assert np.flatnonzero(history.can_end(book_columns(2), rows, 3)).tolist() == [2, 3, 4, 5, 8, 9]
    assert not history.can_end(book_columns(2), rows, 7).any()
    assert not history.can_end(book_columns(2), rows, 11).any()


@pytest.fixture
def holed(tmp_path):
    """120 candles of 5 minutes; three are missing after the 80th."""
    times = START_MS + 5 * MINUTE_MS * np.delete(np.arange(123), [80, 81, 82])
    path = tmp_path / "BTCUSDT_5m.parquet"
    to_panel([make_series(times, timeframe="5m")]).write_parquet(path)
    return str(path)


def test_windows_across_a_hole_are_not_drawn_and_that_is_said(holed, tmp_path):
    drawn = render(holed, Output(path=tmp_path / "out"), encodings=["gasf"], length=10, moments=Moments(last=60))
    assert len(drawn.files) == 60 - 9
    assert drawn.notes == (
        "BTCUSDT 5m, gasf: 9 windows across holes in the history not drawn (the first hole is after "
        "2024-01-01 06:40:00 UTC)",
    )


def test_the_jkx_chart_leaves_missing_candles_blank_and_that_is_said(holed, tmp_path):
    drawn = render(
        holed, Output(path=tmp_path / "out"), encodings=["jkx"], length=10, moments=Moments(at=("2024-01-01 07:00",)),
        style=Style(view="network"),
    )  # fmt: skip
    assert drawn.notes == ("BTCUSDT 5m, jkx: missing candles are left blank in 1 of 1 pictures",)
    columns = np.asarray(picture(drawn.files[0]["file"]).convert("L")).any(axis=0)
    # Ten candles up to the one that closes at 07:00: four back to 06:45 would be, 06:40, 06:45 and 06:50 are missing.
    blank = np.flatnonzero(~columns.reshape(10, 3).any(axis=1))
    assert blank.tolist() == [6, 7, 8]


def test_a_window_that_was_asked_for_and_crosses_a_hole_is_refused(holed, tmp_path):
    with pytest.raises(NotEnoughData) as caught:
        render(
            holed, Output(path=tmp_path / "out"), encodings=["gasf"], length=10,
            moments=Moments(at=("2024-01-01 07:00",)),
        )  # fmt: skip
    assert str(caught.value) == (
        "BTCUSDT 5m, gasf: the window that closes at 2024-01-01 07:00:00 UTC crosses a hole in the history. Name "
        "another time, shorten the window by --length, or draw jkx, which leaves holes blank."
    )


def test_a_sheet_shows_the_windows_that_every_encoding_can_draw(holed, tmp_path):
    output = Output(path=tmp_path / "sheet.png", kind="sheet")
    drawn = render(holed, output, encodings=["jkx", "gasf"], length=10, moments=Moments(last=41))
    assert any("windows across holes in the history not drawn" in note for note in drawn.notes)
    assert not any("left blank" in note for note in drawn.notes)


@pytest.mark.parametrize("names", [["jkx", "candlestick"], ["gasf", "jkx", "gadf"]])
def test_charts_with_blanks_stand_beside_the_others_on_a_sheet(holed, tmp_path, names):
    style = Style(view="network", scale=1)
    common = {"encodings": names, "length": 10, "moments": Moments(last=3), "style": style}
    (sheet,) = render(holed, Output(path=tmp_path / "sheet.png", kind="sheet"), **common).files
    assert (sheet["encodings"], sheet["windows"]) == (names, 3)
    heights = [create_encoding(name, 10).height for name in names]
    assert picture(sheet["file"]).height == 20 + 13 + 3 * (max(heights) + 10) + 5  # a row a time
    (animated,) = render(holed, Output(path=tmp_path / "sheet.gif", kind="animated sheet"), **common).files
    assert (animated["encodings"], animated["windows"]) == (names, 3)
    assert picture(animated["file"]).n_frames == 3


def test_a_recipe_of_whole_days_is_drawn_as_its_network_sees_it(tmp_path):
    recipe = load_recipe("grid")
    drawn = render("grid", Output(path=tmp_path / "out"), style=Style(view="network"), moments=Moments(last=2))
    candles = bootstrap.load_candles(recipe)
    table = FactorRows(recipe.features).table(candles.series[0])
    ends = np.flatnonzero(table.known(896))[-2:]
    assert [one["closes"] for one in drawn.files] == [
        utc(int(candles.series[0].close_time_ms[end])).replace(" ", "T") + "Z" for end in ends
    ]
    window = torch.from_numpy(table.values[table.ends[ends[-1]] - 895 : table.ends[ends[-1]] + 1][None])
    expected = create_encoding("factor_grid", 896)(window)[0, 0].numpy() * 255
    seen = np.asarray(picture(drawn.files[-1]["file"]).convert("L"))
    assert np.abs(seen - expected).max() <= 1.0


def test_of_several_books_of_one_time_the_last_ends_a_window(tape):
    top = tape.between(0, 3).top(1)
    twice = replace(top, time_ms=np.array([0, 100, 100]))
    history = history_of(twice)
    rows = history.rows("any", book_columns(1))
    assert history.can_end(book_columns(1), rows, 1).tolist() == [True, False, True]


def test_more_levels_than_the_file_has_are_refused(tape):
    with pytest.raises(DataError) as caught:
        history_of(tape).rows("depth", book_columns(5))
    assert str(caught.value) == (
        "depth reads 5 levels of order book a side; book.parquet holds 2. Say --set depth.levels=2."
    )


def test_everything_for_people_leaves_numbers_side_by_side_out_unless_they_are_named(tape, tmp_path):
    opened = open_source(str(write_tape(tmp_path / "book.parquet", tape)), Reading())
    drawn = {
        (view, *names): "book_levels" in wanted_encodings(opened, names, {}, 5, view=view).options
        for view in ("people", "network")
        for names in (("all",), ("all", "book_levels"))
    }
    assert drawn == {
        ("people", "all"): False, ("people", "all", "book_levels"): True,
        ("network", "all"): True, ("network", "all", "book_levels"): True,
    }  # fmt: skip


def test_a_file_of_books_is_recognised_and_sampled(tape, tmp_path):
    path = write_tape(tmp_path / "book.parquet", tape)
    (whole,) = open_source(str(path), Reading()).histories
    assert (whole.symbol, whole.timeframe, len(whole.close_time_ms)) == ("BTCUSDT", "100ms", 10)
    (sampled,) = open_source(str(path), Reading(timeframe="1s")).histories
    assert sampled.close_time_ms.tolist() == [START_MS]
    (halves,) = open_source(str(path), Reading(timeframe="1s")).histories
    assert halves.timeframe == "book"


def test_books_beside_candles_stand_as_they_were_at_the_close(tape, tmp_path):
    series = make_series(START_MS - 1000 + 200 * np.arange(9), timeframe="1s")
    candles = History(
        symbol="BTCUSDT", timeframe="1s", close_time_ms=series.close_time_ms, candles=series, books=tape, place="x"
    )  # fmt: skip
    rows = candles.rows("any", ("close", "bid_price_1", "ask_price_1"))
    assert rows[:, 0].tolist() == series.close.astype(np.float32).tolist()
    # Closes 0, 200 .. 1600 ms after the first book; the last book, of 900 ms, stays good for a candle's length.
    assert rows[:, 1].tolist() == [99.0, 101.0, 103.0, 105.0, 107.0, 108.0, 108.0, 108.0, 108.0]


def test_columns_that_a_source_does_not_hold_are_refused(series, tape):
    candles = History(
        symbol="BTCUSDT", timeframe="5m", close_time_ms=series.close_time_ms, candles=series, books=None, place="x.csv"
    )  # fmt: skip
    with pytest.raises(DataError) as caught:
        candles.rows("depth", book_columns(2))
    assert str(caught.value) == (
        "depth reads order book; x.csv holds candles and factors. "
        "Bring a file of order books as SOURCE, or beside the candles with --book FILE."
    )
    with pytest.raises(DataError) as caught:
        history_of(tape).rows("gasf", ("close",))
    assert str(caught.value) == (
        "gasf reads candles; book.parquet holds order book. Bring a file of candles as SOURCE."
    )


# --- the whole way ---------------------------------------------------------------------------------------------------


def test_a_file_holds_exactly_what_a_network_gets(file, series, tmp_path):
    drawn = render(
        file, Output(path=tmp_path / "out"), encodings=["gasf", "candlestick"], length=20, moments=Moments(last=3),
        style=Style(view="network"),
    )  # fmt: skip
    assert [Path(one["file"]).name for one in drawn.files] == [
        "BTCUSDT_5m_gasf_2024-01-01T0630Z.png", "BTCUSDT_5m_gasf_2024-01-01T0635Z.png",
        "BTCUSDT_5m_gasf_2024-01-01T0640Z.png", "BTCUSDT_5m_candlestick_2024-01-01T0630Z.png",
        "BTCUSDT_5m_candlestick_2024-01-01T0635Z.png", "BTCUSDT_5m_candlestick_2024-01-01T0640Z.png",
    ]  # fmt: skip
    for one in drawn.files:
        end = int(np.searchsorted(series.close_time_ms, _ms(one["closes"])))
        window = torch.tensor(series.windows(np.array([end]), 20), dtype=torch.float32)
        image = create_encoding(one["encoding"], 20)(window)[0].permute(1, 2, 0).numpy()
        expected = np.floor(image * np.float32(255) + np.float32(0.5)).astype(np.uint8)
        read = np.asarray(picture(one["file"]))
        assert np.abs(read.reshape(expected.shape).astype(int) - expected).max() <= 1
        assert (read.reshape(expected.shape) == expected).mean() > 0.999


def _ms(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64))


def test_a_picture_does_not_depend_on_what_came_later_nor_on_the_workers(series, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    contents = []
    for folder, history, workers in ((whole, series, 3), (cut, series.head(61), 1)):
        folder.mkdir()
        to_panel([history]).write_parquet(folder / "BTCUSDT_5m.parquet")
        render(
            str(folder / "BTCUSDT_5m.parquet"), Output(path=folder / "out", workers=workers), encodings=["all"],
            length=16, moments=Moments(end="2024-01-01T05:05", last=40),
        )  # fmt: skip
        contents.append({path.name: path.read_bytes() for path in (folder / "out").iterdir()})
    assert contents[0] == contents[1]
    assert len(contents[0]) >= 40 * 4


def test_drawing_again_changes_nothing(file, tmp_path):
    output = Output(path=tmp_path / "out")
    first = render(file, output, encodings=["jkx"], moments=Moments(last=4))
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert render(file, output, encodings=["jkx"], moments=Moments(last=4)) == first
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_folder_may_have_a_dot_in_its_name(file, tmp_path):
    drawn = render(file, Output(path=tmp_path / "v1.3"), encodings=["jkx"], moments=Moments(last=2))
    assert [Path(one["file"]).parent for one in drawn.files] == [tmp_path / "v1.3"] * 2


def test_several_pictures_do_not_fit_into_one_file(file, tmp_path):
    with pytest.raises(DataError) as caught:
        render(file, Output(path=tmp_path / "a.png"), encodings=["gasf"], moments=Moments(last=2))
    assert str(caught.value) == (
        f"2 pictures do not fit into one file, {tmp_path / 'a.png'}. "
        "Name a folder by --out, or put them on one sheet by --sheet."
    )
    assert not (tmp_path / "a.png").exists()


def test_a_sheet_has_a_row_a_time_and_a_column_an_encoding(file, tmp_path):
    drawn = render(
        file, Output(path=tmp_path, kind="sheet"), encodings=["gasf", "gadf"], length=10,
        moments=Moments(last=3, every=5), style=Style(scale=4),
    )  # fmt: skip
    (one,) = drawn.files
    assert Path(one["file"]).name == "BTCUSDT_5m_sheet_2024-01-01T0550Z_2024-01-01T0640Z.png"
    assert (one["encodings"], one["windows"]) == (["gasf", "gadf"], 3)
    assert (one["closes_from"], one["closes_to"]) == ("2024-01-01T05:50:00Z", "2024-01-01T06:40:00Z")
    sheet = picture(one["file"])
    assert sheet.height == 20 + 13 + 3 * (40 + 10) + 5
    assert 2 * 40 < sheet.width < 2 * 40 + 140


@pytest.mark.parametrize("format", ["gif", "webp", "png"])
def test_an_animation_shows_one_window_after_the_other(file, tmp_path, format):
    render(
        file, Output(path=tmp_path, kind="animation", format=format, fps=10), encodings=["jkx"], length=10,
        moments=Moments(last=5),
    )  # fmt: skip
    (path,) = tmp_path.glob(f"*.{format}")
    assert path.name == f"BTCUSDT_5m_jkx_2024-01-01T0620Z_2024-01-01T0640Z.{format}"
    animation = picture(path)
    assert animation.n_frames == 5
    assert animation.info.get("loop", 0) == 0
    frames = []
    for number in range(5):
        animation.seek(number)
        frames.append(np.asarray(animation.convert("RGB")))
    assert all((frames[i] != frames[i + 1]).any() for i in range(4))


def test_an_animation_that_fills_the_memory_is_refused(file, tmp_path):
    with pytest.raises(
        DataError, match=r"^An animation of 72 windows of \d+ x \d+ pixels is too long; the most is \d+"
    ):
        render(
            file, Output(path=tmp_path, kind="animation"), encodings=["gasf"], length=9, moments=Moments(every=1),
            style=Style(scale=300),
        )  # fmt: skip


def test_a_sheet_that_fills_the_memory_is_refused(file, tmp_path):
    with pytest.raises(DataError, match=r"^A sheet of 72 rows would have \d+ x \d+ pixels\. Ask for fewer windows"):
        render(
            file, Output(path=tmp_path, kind="sheet"), encodings=["gasf"], length=9, moments=Moments(every=1),
            style=Style(scale=300),
        )  # fmt: skip


def test_a_landscape_is_drawn_for_every_channel(file, tmp_path):
    options = {"gasf": {"series": ["close", "volume"]}}
    for kind, name in (("wireframe", "w.png"), ("shaded", "s.png")):
        style = Style(surface=kind)
        render(file, Output(path=tmp_path / name), encodings=["gasf"], options=options, length=12, style=style)
    wire, shaded = (picture(tmp_path / name) for name in ("w.png", "s.png"))
    assert wire.size == shaded.size == (1408, 550)
    assert np.asarray(wire).std() > 1
    assert (np.asarray(wire) != np.asarray(shaded)).any()


def test_a_recipe_is_drawn_with_its_own_encoding_and_window(tmp_path):
    (tmp_path / "r.toml").write_text(
        "[data.synthetic]\nn_candles = 60\ninstruments = 2\n[window]\nlength = 12\n"
        '[encoding]\nname = "gasf"\nseries = ["volume", "close"]\n'
    )
    drawn = render(str(tmp_path / "r.toml"), Output(path=tmp_path / "out"), style=Style(view="network"))
    assert [one["symbol"] for one in drawn.files] == ["ALFA-USDT", "BRAVO-USDT"]
    assert (drawn.encodings["gasf"]["length"], drawn.encodings["gasf"]["channels"]) == (12, 2)
    assert drawn.encodings["gasf"]["options"]["series"] == ["volume", "close"]
    (one,) = render(
        str(tmp_path / "r.toml"), Output(path=tmp_path / "out"), reading=Reading(symbols=("BRAVO-USDT",)),
        options={"gasf": {"size": 6}}, style=Style(view="network"),
    ).files  # fmt: skip
    assert picture(one["file"]).size == (12, 6)


@pytest.fixture(scope="module")
def long_file(tmp_path_factory):
    """Two instruments with enough history for factors of 640 candles and a short grid."""
    times = START_MS + 15 * MINUTE_MS * np.arange(1300)
    both = [make_series(times, symbol=symbol, seed=seed) for seed, symbol in enumerate(("AAA", "BBB"))]
    path = tmp_path_factory.mktemp("long") / "both.parquet"
    to_panel(both).write_parquet(path)
    return str(path), both


def test_a_factor_grid_shows_the_scores_that_a_network_reads(long_file, tmp_path):
    file, (first, _) = long_file
    (one,) = render(
        file, Output(path=tmp_path), encodings=["factor_grid"], length=64, style=Style(view="network"),
        reading=Reading(symbols=("AAA",)),
    ).files  # fmt: skip
    rows = FeaturePipeline(FeatureConfig()).rows(first.values, first.open_time_ms, 15 * MINUTE_MS)[-64:]
    expected = np.rint((rows.reshape(16, 224) + 4) / 8 * 255)
    assert np.abs(np.asarray(picture(one["file"])).astype(float) - expected).max() <= 1


@pytest.fixture
def short_one(tmp_path):
    """A long history and one that is too short for factors."""
    long = make_series(START_MS + 15 * MINUTE_MS * np.arange(2200), symbol="LONG")
    short = make_series(START_MS + 15 * MINUTE_MS * np.arange(200), symbol="SHORT", seed=1)
    path = tmp_path / "both.parquet"
    to_panel([long, short]).write_parquet(path)
    return str(path)


WARM_UP = "factor_grid, sequence (The factors are known after 1199 candles, the history has 200)"


def test_what_cannot_be_drawn_of_one_instrument_is_left_out_and_said(short_one, tmp_path):
    drawn = render(short_one, Output(path=tmp_path / "out"), encodings=["all"], style=Style(view="network"))
    names = {symbol: {f["encoding"] for f in drawn.files if f["symbol"] == symbol} for symbol in ("LONG", "SHORT")}
    assert names["LONG"] - names["SHORT"] == {"factor_grid", "sequence"}
    assert f"left out of SHORT: {WARM_UP}" in drawn.notes


def test_of_a_sheet_an_instrument_is_left_out_as_a_whole(short_one, tmp_path):
    style = Style(view="network")
    drawn = render(short_one, Output(path=tmp_path, kind="sheet"), encodings=["all"], style=style)
    assert [one["symbol"] for one in drawn.files] == ["LONG"]
    assert f"left out: SHORT, of which not all can be drawn ({WARM_UP})" in drawn.notes


def test_a_companion_is_another_channel(long_file, tmp_path):
    file, _ = long_file
    reading = Reading(symbols=("AAA",), companions=("BBB",), factors=("return_1", "body", "range"))
    drawn = render(
        file, Output(path=tmp_path / "a.png"), encodings=["factor_grid"], length=64, reading=reading,
        style=Style(view="network"),
    )  # fmt: skip
    about = drawn.encodings["factor_grid"]
    assert (about["channels"], about["height"], about["width"]) == (2, 16, 12)
    assert picture(tmp_path / "a.png").size == (24, 16)


def test_a_grid_of_another_size_than_the_factors_is_refused(long_file, tmp_path):
    file, _ = long_file
    with pytest.raises(DataError) as caught:
        render(
            file, Output(path=tmp_path), encodings=["factor_grid"], length=64, options={"factor_grid": {"factors": 50}},
            reading=Reading(symbols=("AAA",)),
        )  # fmt: skip
    assert str(caught.value) == (
        "factor_grid reads 50 columns of factors; there are 56: 56 factors of AAA. "
        "Leave out what --set says of factor_grid's size, or choose others by --factors and --companion."
    )


def test_factors_need_a_history_before_the_window(file, tmp_path):
    with pytest.raises(
        NotEnoughData, match=r"^factor_grid: The factors are known after \d+ candles, the history has 80"
    ):
        render(file, Output(path=tmp_path), encodings=["factor_grid"])


def test_options_of_an_encoding_that_is_not_drawn_are_refused(file, tmp_path):
    with pytest.raises(RecipeError) as caught:
        render(file, Output(path=tmp_path), encodings=["gasf"], options={"gadf": {"size": 4}})
    assert str(caught.value) == "There are options of gadf, which is not drawn. Say --encoding gadf as well."


def test_a_source_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"^There is no file nothing\.csv, and no recipe of that name\. Bring candles"):
        render("nothing.csv", Output(path=tmp_path), encodings=["gasf"])


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_the_catalogue_holds_every_encoding_and_describes_every_option():
    entries = {entry.name: entry for entry in encoding_catalogue()}
    assert tuple(entries) == available()
    for entry in entries.values():
        assert entry.about
        assert entry.reads
        assert min(entry.channels, entry.height, entry.width) >= 1
        assert all(option.about and option.kind for option in entry.options)


def test_an_entry_says_what_is_drawn():
    (entry,) = encoding_catalogue(["candlestick"])
    assert (entry.reads, entry.length, entry.channels, entry.height, entry.width) == (("candles",), 60, 3, 64, 64)
    assert (entry.low, entry.high, entry.differentiable) == (0.0, 1.0, True)
    height = next(option for option in entry.options if option.name == "height")
    assert (height.kind, height.limits, height.default) == ("whole number", "≥ 32, ≤ 600", 64)


def test_a_name_that_is_nearly_right_is_suggested():
    with pytest.raises(RecipeError) as caught:
        encoding_catalogue(["candlesticks"])
    assert str(caught.value) == (
        "Unknown encoding 'candlesticks'. Did you mean candlestick? Known encodings: " + ", ".join(available()) + "."
    )


def test_wrong_options_are_named_with_the_nearest_right_one():
    with pytest.raises(RecipeError) as caught:
        make("candlestick", 20, {"hight": 100, "width": 7})
    assert str(caught.value) == (
        "candlestick.width: Input should be greater than or equal to 32 (was 7). "
        "candlestick has no option 'hight'. Did you mean 'height'? "
        "`triptych encodings candlestick` lists the options with their limits."
    )


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("gasf.size=32", ("gasf", "size", 32)),
        ("gasf.series = ['close', 'volume']", ("gasf", "series", ["close", "volume"])),
        ("candlestick.up_color=#00ff00", ("candlestick", "up_color", "#00ff00")),
    ],
)
def test_an_option_is_toml_or_a_bare_word(text, read):
    assert read_option(text) == read


def test_an_option_without_its_encoding_is_refused():
    with pytest.raises(RecipeError) as caught:
        read_option("size=3")
    assert str(caught.value) == "Cannot read --set 'size=3'. Write it as NAME.OPTION=VALUE: gasf.size=32."


def test_layers_are_a_white_drawing_over_dim_green_and_blue():
    pixels = np.array([[[[255, 255, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]]], np.uint8)
    assert paint(pixels, colors="layers").rgb()[0, 0].tolist() == [
        [255, 255, 255], [0, 105, 60], [40, 30, 110], [0, 0, 0],
    ]  # fmt: skip
    assert paint(pixels, colors="gray").rgb()[0, 0].tolist() == pixels[0, 0].tolist()


def test_pictures_of_several_instruments_say_which_is_which(tmp_path):
    opened = open_source("grid_four", Reading())
    history = opened.histories[0]
    names = ("ALFA-USDT", "BRAVO-USDT", "CHARLIE-USDT", "DELTA-USDT")
    assert history.panels(4) == names
    assert history.panels(3) == history.panels(1) == ()
    plan = make_plans(
        [history], {"factor_grid": opened.recipe.encoding.model_dump(exclude={"name"})}, length=896,
        moments=Moments(last=1), style=Style(), together=False,
    )[0]  # fmt: skip
    assert plan.caption(int(plan.ends[-1])).endswith(f"UTC  from the left: {', '.join(names)}")
