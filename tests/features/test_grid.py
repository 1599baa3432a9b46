import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.domain.errors import DataError, NotEnoughData, RecipeError
from triptych.features import GridHistory


def factors(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def stacked(rows, length_bars, step_bars, width):
    """Images by copying: candles cut, then reshaped."""
    ends = range(length_bars, len(rows) // 4 * 4 + 1, step_bars)
    return np.stack([rows[end - length_bars : end].ravel().reshape(-1, width) for end in ends]).astype(np.float32)


def test_a_day_is_four_rows_of_an_image_of_224():
    rows = factors(896 + 5 * 16 + 3, 56)
    grid = GridHistory(rows)
    images = grid.views()
    assert images.shape == (6, 224, 224)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, stacked(rows, 896, 16, 224))
    np.testing.assert_array_equal(images[1, :-4], images[0, 4:])


def test_images_share_the_memory_of_the_history():
    grid = GridHistory(factors(2000, 56))
    images = grid.views()
    assert np.shares_memory(images, grid.array)
    assert np.shares_memory(images[0], images[1])
    assert grid.array.shape == (500, 224)
    assert grid.array.nbytes < images.nbytes / 30


def test_a_pixel_is_where_the_issue_says():
    rows = np.arange(16.0 * 2).reshape(16, 2)
    image = GridHistory(rows).views(length_bars=16, step_bars=4)[0]
    np.testing.assert_array_equal(image[0], [0, 1, 2, 3, 4, 5, 6, 7])
    assert image[2, 3] == rows[2 * 4 + 1, 1]


def test_each_instrument_is_a_channel():
    rows = factors(960, 4, 56)
    images = GridHistory(rows).views()
    assert images.shape == (5, 4, 224, 224)
    for channel in range(4):
        np.testing.assert_array_equal(images[:, channel], stacked(rows[:, channel], 896, 16, 224))


def test_ends_are_the_last_candles_of_the_images():
    grid = GridHistory(factors(963, 56))
    assert grid.ends().tolist() == [895, 911, 927, 943, 959]
    assert grid.ends(length_bars=900, step_bars=4)[-1] == 959
    assert len(grid.ends()) == len(grid.views())


@given(
    first=st.integers(0, 40),
    parts=st.lists(st.integers(0, 15), max_size=8),
    instruments=st.sampled_from([None, 1, 3]),
)
def test_a_history_that_grew_equals_one_made_at_once(first, parts, instruments):
    n = first + sum(parts)
    rows = factors(n, 5) if instruments is None else factors(n, instruments, 5)
    grid = GridHistory(rows[:first])
    start = first
    for part in parts:
        grid.append(rows[start : start + part])
        start += part
    assert grid.n_bars == n
    np.testing.assert_array_equal(grid.array, GridHistory(rows).array)
    if n >= 8:
        np.testing.assert_array_equal(grid.views(8, 4), GridHistory(rows).views(8, 4))


def test_one_candle_at_a_time_copies_the_history_seldom():
    rows = factors(4000, 2)
    grid = GridHistory(rows[:8])
    moves, where = 0, grid.array.__array_interface__["data"][0]
    for row in rows[8:]:
        grid.append(row)
        now = grid.array.__array_interface__["data"][0]
        moves, where = moves + (now != where), now
    np.testing.assert_array_equal(grid.array, rows.reshape(1000, 8).astype(np.float32))
    assert moves == 9  # 8 candles doubled nine times hold 4,096


def test_views_handed_out_keep_what_they_show():
    rows = factors(200, 3)
    grid = GridHistory(rows[:100])
    before = grid.views(16, 4)
    kept = before.copy()
    grid.append(rows[100:])
    np.testing.assert_array_equal(before, kept)


def test_nobody_can_write_through_a_view():
    grid = GridHistory(factors(32, 3))
    for array in (grid.array, grid.views(16, 4)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_too_few_candles_for_an_image_are_refused():
    with pytest.raises(NotEnoughData) as refused:
        GridHistory(factors(895, 56)).views()
    assert str(refused.value) == (
        "An image of 896 candles cannot be cut from 895. Bring at least 896 candles with known factors."
    )


def test_an_image_of_broken_rows_is_refused():
    with pytest.raises(RecipeError) as refused:
        GridHistory(factors(64, 3)).views(length_bars=16, step_bars=6)
    assert str(refused.value) == (
        "The step of a grid must be a multiple of 4 candles, was 6. "
        "A row of the image holds 4 candles; whole rows are cut."
    )


def test_a_row_without_candles_is_refused():
    with pytest.raises(RecipeError) as refused:
        GridHistory(factors(64, 3), bars_per_row=0)
    assert str(refused.value) == "A row of the grid needs at least 1 candle, was 0. Use 4."


def test_unknown_factors_are_refused():
    rows = factors(64, 3)
    rows[5, 1] = np.nan
    with pytest.raises(DataError) as refused:
        GridHistory(rows)
    assert str(refused.value) == (
        "Row 5 holds a factor that is not finite. Leave out the rows before the pipeline's `warm_up`."
    )


def test_another_number_of_factors_is_refused():
    with pytest.raises(DataError) as refused:
        GridHistory(factors(64, 3)).append(factors(2, 4))
    assert str(refused.value) == (
        "Expected candles with factors of shape (3,), was (4,). "
        "Append rows of the pipeline that the grid was made from."
    )


def test_rows_without_an_axis_for_factors_are_refused():
    with pytest.raises(DataError) as refused:
        GridHistory(factors(64))
    assert str(refused.value) == (
        "Expected rows of shape (candles, factors) or (candles, instruments, factors), was (64,). "
        "Stack the instruments' factors on the middle axis."
    )
