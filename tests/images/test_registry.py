from __future__ import annotations

import pytest
import torch

from triptych import images
from triptych.domain.errors import DataError, RecipeError
from triptych.images import AbstractEncoding, available, create_encoding, load


def test_public_names():
    assert images.__all__ == [
        "AbstractEncoding",
        "AxisKind",
        "BufferPool",
        "PixelAxis",
        "PixelMap",
        "StreamingEncoder",
        "available",
        "create_encoding",
        "encode_into",
        "load",
        "to_pixels",
    ]


def test_the_shipped_encodings_are_available():
    shipped = {
        "book_imbalance", "book_levels", "candlestick", "depth_heatmap", "factor_grid", "gadf", "gasf", "jkx",
        "markov_transition_field", "multi_channel", "recurrence_plot", "scalogram", "spectrogram", "volume_profile",
    }  # fmt: skip
    assert shipped <= set(available())


@pytest.mark.parametrize("name", available())
def test_every_encoding_is_one_file_with_a_config_and_a_builder(name):
    module = load(name)
    encoding = module.build(module.Config(), 20)
    assert isinstance(encoding, AbstractEncoding)
    assert encoding.length == 20


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("base", "Did you mean gasf? "),
        ("_geometry", ""),
        ("gaf", "Did you mean gasf or gadf? "),
        ("Candles", "Did you mean candlestick? "),
    ],
)
def test_unknown_names_list_the_near_and_the_known_ones(name, near):
    with pytest.raises(RecipeError) as caught:
        create_encoding(name, 20)
    assert str(caught.value) == f"Unknown encoding {name!r}. {near}Known encodings: {', '.join(available())}."


def test_every_option_that_is_unknown_or_wrong_is_named():
    with pytest.raises(RecipeError) as caught:
        create_encoding("jkx", 20, hight=32, antialias="perhaps", colour="red")
    assert str(caught.value) == (
        "jkx.antialias: Input should be a valid boolean, unable to interpret input (was 'perhaps'); "
        "jkx has no option 'hight', perhaps 'height' is meant; "
        "jkx has no option 'colour', it has: height, moving_average, volume, antialias. "
        "`triptych encodings jkx` lists the options with their limits."
    )


def test_a_length_that_is_no_whole_number_is_refused():
    with pytest.raises(RecipeError, match=r"^jkx: a window needs at least 2 candles, was 20\.5\. "):
        create_encoding("jkx", 20.5)


@pytest.mark.parametrize("windows", ["a text", [[1.0, 2.0]], None])
def test_windows_that_are_no_tensor_are_refused(windows):
    with pytest.raises(DataError) as caught:
        create_encoding("gasf", 8)(windows)
    assert str(caught.value) == (
        f"Expected windows as a tensor, was {type(windows).__name__}. "
        "Make one with torch.tensor(windows, dtype=torch.float32)."
    )


@pytest.mark.parametrize("name", available())
def test_a_window_of_one_candle_is_refused(name):
    with pytest.raises(RecipeError, match=r"a window needs at least 2 candles, was 1\. Lengthen the window\.$"):
        create_encoding(name, 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_windows_of_another_type_are_refused(dtype):
    with pytest.raises(DataError) as caught:
        create_encoding("gasf", 8)(torch.ones(1, 8, 5, dtype=dtype))
    assert str(caught.value) == (
        f"Expected windows of float32 or float64, was {str(dtype).removeprefix('torch.')}. "
        "Convert them: half precision cannot hold a price above 65,504, whole numbers no return."
    )
