import numpy as np
import pytest
import torch
from tests.fakes.windows import history

from triptych.images import available, create_encoding
from triptych.images._pixel_map import by_column, by_pair, by_row, prices

LENGTH = 24


def built(name: str, **options):
    return create_encoding(name, LENGTH, **options)


@pytest.mark.parametrize("name", available())
def test_every_pixel_stands_for_whole_candles_and_no_candle_is_forgotten(name):
    encoding = built(name)
    pixels = encoding.pixel_map()
    assert pixels.shape == (encoding.channels, encoding.height, encoding.width)
    sums = np.asarray(pixels.candles.sum(axis=0)).ravel()
    assert pixels.candles.shape == (LENGTH, np.prod(pixels.shape))
    assert np.all(np.isclose(sums, 1.0, atol=1e-6) | (sums == 0.0))
    if name not in ("volume_profile", "multi_channel"):  # bars of a profile stand for no candle
        assert np.isclose(sums, 1.0, atol=1e-6).all()
        assert np.all(np.asarray(pixels.candles.sum(axis=1)).ravel() > 0)
    for axis in pixels.axes:
        sums = np.asarray(axis.weights.sum(axis=0)).ravel()
        assert np.all((sums < 1 + 1e-6) & (sums >= 0))
        assert len(axis) == len(axis.names) + len(axis.levels)


@pytest.mark.parametrize("name", available())
def test_the_blank_image_has_the_shape_and_range_of_an_image(name):
    encoding = built(name)
    blank = encoding.blank()
    assert blank.shape == (encoding.channels, encoding.height, encoding.width)
    assert float(blank.min()) >= 0.0
    assert float(blank.max()) <= 1.0


@pytest.mark.parametrize("name", ["candlestick", "jkx", "gasf", "gadf", "recurrence_plot", "sequence", "factor_grid"])
def test_changing_one_candle_changes_the_pixels_that_stand_for_it_most(name):
    """Inside the window's range, so that the scale stays what it was."""
    encoding = built(name, **({"threshold": "none"} if name == "recurrence_plot" else {}))
    window = torch.from_numpy(history(encoding.columns, LENGTH).values)[None].clone()
    other, at = window.clone(), 10
    if name in ("sequence", "factor_grid"):
        other[0, at] = -other[0, at]
    else:
        middle = (window[0, :, 1].max() + window[0, :, 2].min()) / 2
        other[0, at, :4] = middle
    with torch.enable_grad():
        change = (encoding(other) - encoding(window)).abs()[0].numpy()
    importance = encoding.pixel_map().by_candle(change)
    assert importance.argmax() == at


def test_weights_of_rows_columns_and_pairs_stand_where_they_should():
    shape = (2, 3, 2)
    ones = np.arange(12.0).reshape(shape)
    assert (by_column(np.eye(2), shape) @ ones.ravel()).tolist() == [30.0, 36.0]
    assert (by_row(np.eye(3), shape) @ ones.ravel()).tolist() == [14.0, 22.0, 30.0]
    assert (by_pair(np.eye(2), (1, 2, 2)) @ np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [3.5, 6.5]


def test_price_rows_run_from_the_highest_high_to_the_lowest_low():
    assert prices(4, (1, 5, 1)).levels == (0.875, 0.625, 0.375, 0.125)


def test_channels_of_several_encodings_keep_their_own_meaning():
    encoding = built(
        "multi_channel", channels=({"name": "candlestick", "reduce": "luminance"}, {"name": "spectrogram"}), height=32,
        width=32,
    )  # fmt: skip
    pixels = encoding.pixel_map()
    heat = np.zeros(pixels.shape)
    heat[1, 0, -1] = 1.0  # the highest frequency, now
    by_kind = {axis.kind: pixels.by_axis(axis, heat) for axis in pixels.axes}
    assert by_kind["price"].sum() == 0.0
    assert by_kind["frequency"].argmax() <= 1
    assert pixels.by_candle(heat).argmax() >= LENGTH - 8


@pytest.mark.parametrize("name", ["candlestick", "jkx"])
def test_the_pane_of_volumes_is_an_entry_of_its_own_beside_the_prices(name):
    encoding = built(name)
    pixels = encoding.pixel_map()
    (axis,) = pixels.axes
    areas = encoding.areas
    assert axis.names == ("volume",)
    assert len(axis.levels) == areas.price
    heat = np.zeros(pixels.shape)
    heat[:, -areas.volume :] = 1.0  # all of the pane, and nothing else
    found = pixels.by_axis(axis, heat)
    assert found[-1] == heat.sum() > 0
    assert not found[:-1].any()
    heat[:, areas.price] = 0.5  # the empty row between prices and volumes is neither
    heat[:, 0] = 0.25
    found = pixels.by_axis(axis, heat)
    assert pixels.outside(axis, heat) == 0.5 * encoding.width * encoding.channels
    assert (found[0], found[-1]) == (0.25 * encoding.width * encoding.channels, heat[:, -areas.volume :].sum())
    assert found.sum() + pixels.outside(axis, heat) == pytest.approx(heat.sum())


@pytest.mark.parametrize("name", ["candlestick", "jkx"])
def test_a_chart_without_volume_has_prices_only(name):
    pixels = built(name, volume=False).pixel_map()
    (axis,) = pixels.axes
    assert axis.names == ()
    assert len(axis) == pixels.shape[1]
    assert pixels.outside(axis, np.ones(pixels.shape)) == 0.0


def test_a_chart_with_its_volume_among_other_encodings_leaves_nothing_out():
    encoding = built("multi_channel", channels=({"name": "jkx"}, {"name": "spectrogram"}), height=32, width=48)
    pixels = encoding.pixel_map()
    heat = np.random.default_rng(3).standard_normal(pixels.shape)
    price, frequency = pixels.axes
    assert price.names == ("volume",)
    for axis in (price, frequency):
        assert pixels.by_axis(axis, heat).sum() + pixels.outside(axis, heat) == pytest.approx(heat.sum())
    heat[:], heat[0, -3:] = 0.0, 2.0
    assert pixels.by_axis(price, heat)[-1] == pytest.approx(heat.sum())
    assert pixels.outside(frequency, heat) == pytest.approx(heat.sum())


@pytest.mark.parametrize("name", [one for one in available() if one != "multi_channel"])
def test_every_axis_of_a_single_encoding_leaves_out_the_row_between_two_areas_only(name):
    encoding = built(name)
    pixels = encoding.pixel_map()
    between = encoding.width * encoding.channels if name in ("candlestick", "jkx") else 0.0
    for axis in pixels.axes:
        assert pixels.outside(axis, np.ones(pixels.shape)) == pytest.approx(between)
