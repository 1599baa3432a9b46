from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from triptych.domain.errors import DataError, NotEnoughData
from triptych.images import StreamingEncoder, available, create_encoding


def rows_for(encoding, n_rows, walk):
    """Candles of a random walk, or positive numbers where the columns are others; float64."""
    if encoding.columns == ("open", "high", "low", "close", "volume"):
        return walk(1, n_rows)[0].numpy()
    asks = [column.startswith("ask_price") for column in encoding.columns]
    return np.random.default_rng(0).uniform(1, 2, (n_rows, len(encoding.columns))) + asks  # no bid above an ask


def filled(name, length, walk, **options) -> tuple[StreamingEncoder, np.ndarray]:
    """A stream whose window is full, and the rows to come."""
    stream = StreamingEncoder(create_encoding(name, length, **options))
    rows = rows_for(stream.encoding, 3 * length, walk)
    for row in rows[:length]:
        stream.append(row)
    return stream, rows[length:]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", available())
def test_every_update_gives_the_image_of_the_last_rows(name, dtype, walk):
    encoding = create_encoding(name, 20)
    stream = StreamingEncoder(encoding, dtype=dtype)
    rows = rows_for(encoding, 67, walk)
    for i, row in enumerate(rows):
        if i < 19:
            stream.append(row)
            continue
        window = torch.tensor(rows[i - 19 : i + 1], dtype=dtype)[None]
        image = stream.update(row)
        assert image.dtype == dtype
        assert torch.equal(stream.window, window)
        assert torch.equal(image, encoding(window))


def test_before_the_window_is_full_there_is_no_image(walk):
    stream = StreamingEncoder(create_encoding("jkx", 5))
    rows = walk(1, 5)[0].numpy()
    for row in rows[:3]:
        stream.append(row)
    assert not stream.ready
    with pytest.raises(NotEnoughData) as caught:
        stream.image()
    assert str(caught.value) == "The window holds 3 of 5 rows. Append 2 more before the first image."
    stream.append(rows[3])
    stream.append(rows[4])
    assert stream.ready
    assert stream.image().shape == (1, 1, 32, 15)


def test_a_row_of_another_shape_is_refused(walk):
    stream, _ = filled("jkx", 5, walk)
    with pytest.raises(DataError) as caught:
        stream.append([1.0, 2.0, 3.0, 4.0])
    assert str(caught.value) == (
        "Expected a row of shape (5,), was (4,). Its values are the columns of the encoding, in order."
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_not_finite_is_refused_and_leaves_the_window_as_it_was(walk, value):
    stream, _ = filled("jkx", 5, walk)
    before = stream.window.clone()
    with pytest.raises(DataError) as caught:
        stream.update([1.0, 3.0, value, 2.0, 5.0])
    assert str(caught.value) == (
        f"Row 5 has a value that is not finite: [1.0, 3.0, {value}, 2.0, 5.0]. "
        "Leave the row out, or start anew after the gap."
    )
    assert torch.equal(stream.window, before)


def test_an_image_stays_as_it_is_during_the_updates_promised(walk):
    stream = StreamingEncoder(create_encoding("candlestick", 20), images=3)
    rows = walk(1, 40)[0].numpy()
    for row in rows[:20]:
        stream.append(row)
    image = stream.update(rows[20])
    kept = image.clone()
    second, third = stream.update(rows[21]), stream.update(rows[22])
    assert torch.equal(image, kept)
    assert not torch.equal(second, third)
    assert stream.update(rows[23]).data_ptr() == image.data_ptr()


def test_an_image_can_be_drawn_into_memory_of_the_callers(walk):
    stream, _ = filled("gasf", 16, walk)
    out = torch.empty(1, 1, 16, 16)
    assert stream.image(out) is out
    assert torch.equal(out, stream.image())


OTHER_PATHS = {
    "a growing volume profile": ("volume_profile", {"style": "heat", "split": True}),
    "bids and asks apart": ("depth_heatmap", {"style": "apart", "anchor": "each", "width": 100}),
    "imbalance by distance": ("book_imbalance", {"unit": "bp", "reach": 100.0, "height": 64, "width": 100}),
    "imbalance of another height": ("book_imbalance", {"height": 64}),
    "nearest points": ("recurrence_plot", {"threshold": "point"}),
    "points within a share": ("recurrence_plot", {"threshold": "distance", "dimension": 2}),
    "normal bins": ("markov_transition_field", {"strategy": "normal"}),
    "averaged bins": ("markov_transition_field", {"size": 96}),
    "averaged field": ("gasf", {"size": 48}),
    "shuffled factors": ("factor_grid", {"order": "shuffled", "layout": "factor_rows"}),
    "single tops": ("scalogram", {"wavelet": "ricker", "intensity": "decibels", "width": 100, "height": 128}),
    "decibels": ("spectrogram", {"intensity": "decibels", "height": 64, "width": 100}),
    "candles beside books": (
        "multi_channel",
        {"channels": ({"name": "scalogram"}, {"name": "book_imbalance", "levels": 6}, {"name": "candlestick"})},
    ),
}


SMALL_TENSORS = {"points within a share", "normal bins", "averaged field"}
"""Options that need a line of numbers a window besides the image."""


@pytest.mark.parametrize("name", [*available(), *OTHER_PATHS])
def test_steady_streaming_allocates_no_image(name, walk):
    encoding, options = OTHER_PATHS.get(name, (name, {}))
    if encoding in ("candlestick", "multi_channel"):
        options = {**options, "width": 128}  # a column a candle
    stream, rows = filled(encoding, 128, walk, **options)
    image_bytes = stream.update(rows[0]).nbytes
    images = {stream.update(row).data_ptr() for row in rows[1:4]}
    tracemalloc.start()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for row in rows[4:24]:
            assert stream.update(row).data_ptr() in images
        peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak < image_bytes * 3 / 4  # of Python and NumPy together, with what calls of kernels take for a moment
    by_torch = [event.self_cpu_memory_usage for event in profiler.events() if event.self_cpu_memory_usage > 0]
    if name not in SMALL_TENSORS:
        assert by_torch == []
    assert max(by_torch, default=0) < image_bytes / 4
    assert sum(by_torch) < 20 * image_bytes


def kept_by(encoding) -> set[int]:
    """The memory that kernels of an encoding and of its members hold ready."""
    pools = [module.scratch for module in encoding.modules() if hasattr(module, "scratch")]
    return {array.ctypes.data for pool in pools for free in pool._free.values() for lot in free for array in lot}


@pytest.mark.parametrize("name", ["depth_heatmap", "scalogram", "multi_channel"])
def test_memory_that_kernels_work_in_is_made_once(name, walk):
    stream, rows = filled(name, 64, walk)
    stream.update(rows[0])
    kept = kept_by(stream.encoding)
    assert kept
    for row in rows[1:20]:
        stream.update(row)
    assert kept_by(stream.encoding) == kept


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64, "float32"])
def test_a_stream_of_another_dtype_is_refused(dtype):
    with pytest.raises(DataError) as caught:
        StreamingEncoder(create_encoding("jkx", 5), dtype=dtype)
    assert str(caught.value) == (
        f"A stream holds float32 or float64, asked for was {str(dtype).removeprefix('torch.')}. "
        "Half precision cannot hold a price above 65,504, whole numbers no return: leave dtype out."
    )


@pytest.mark.parametrize("images", [0, -1, 1.5])
def test_a_stream_without_an_image_to_draw_into_is_refused(images):
    with pytest.raises(DataError) as caught:
        StreamingEncoder(create_encoding("jkx", 5), images=images)
    assert str(caught.value) == f"A stream draws into at least 1 image, asked for were {images}. Give 1 or more."


@pytest.mark.parametrize("row", ["a text", ["1", "2", "3", "4", "many"], [1.0, 2.0, [3.0], 4.0, 5.0], [object()] * 5])
def test_a_row_that_does_not_hold_numbers_is_refused(row):
    stream = StreamingEncoder(create_encoding("jkx", 5))
    with pytest.raises(DataError) as caught:
        stream.append(row)
    assert str(caught.value) == (
        f"Row 0 is not a row of numbers: {row!r}. Its values are the columns of the encoding, in order."
    )
    assert stream.n_rows == 0


def test_the_measure_of_torchs_memory_would_notice_an_image(walk):
    encoding = create_encoding("candlestick", 64)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        image = encoding(walk(1, 64))
    assert sum(max(event.self_cpu_memory_usage, 0) for event in profiler.events()) >= image.nbytes


def test_a_book_with_fewer_levels_streams_and_other_gaps_are_refused():
    encoding = create_encoding("book_imbalance", 4, levels=2)
    stream = StreamingEncoder(encoding)
    row = np.array([99.0, 98.0, 5.0, 4.0, 101.0, 102.0, 3.0, 2.0])
    thin = np.where(np.isin(np.arange(8), (1, 3)), np.nan, row)
    for given in (row, thin, row, thin):
        stream.append(given)
    window = torch.tensor(np.stack([row, thin, row, thin])[None], dtype=torch.float32)
    assert torch.equal(stream.image(), encoding(window))
    with pytest.raises(DataError):
        stream.append(np.where(np.arange(8) == 1, np.inf, row))
