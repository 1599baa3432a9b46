from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.fakes.windows import history
from torch.nn import functional as F

from triptych.domain import CANDLE_FIELDS, book_columns
from triptych.domain.errors import RecipeError
from triptych.images import AbstractEncoding, create_encoding, load
from triptych.images._common_size import resizing
from triptych.settings import load_recipe

LENGTH = 24

MANY = (
    {"name": "candlestick", "reduce": "none", "volume": False},
    {"name": "jkx", "antialias": True},
    {"name": "gasf", "series": ("close", "volume"), "reduce": "mean"},
    {"name": "gadf", "series": ("open", "high", "log_return"), "reduce": "luminance"},
    {"name": "book_imbalance", "levels": 3, "unit": "bp"},
    {"name": "depth_heatmap", "levels": 5, "style": "apart", "reduce": "none"},
    {"name": "factor_grid", "factors": 3, "channels": 2, "reduce": "none"},
)


def windows(encoding: AbstractEncoding, batch: int = 5, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    rows = history(encoding.columns, LENGTH + 3 * batch)
    return torch.tensor(rows.windows(LENGTH - 1 + 3 * np.arange(batch), LENGTH), dtype=dtype)


def of(x: torch.Tensor, encoding: AbstractEncoding, member: AbstractEncoding) -> torch.Tensor:
    """The columns of a member."""
    return x[..., [encoding.columns.index(column) for column in member.columns]]


def scaled(image: torch.Tensor, mode: str, height: int = 40, width: int = 50) -> torch.Tensor:
    options = {"bilinear": {"mode": "bilinear", "antialias": True}, "nearest": {"mode": "nearest-exact"}}[mode]
    return F.interpolate(image, size=(height, width), **options)


def test_by_default_it_is_price_volume_profile_and_angular_field_of_the_closes():
    encoding = create_encoding("multi_channel", LENGTH)
    assert (encoding.channels, encoding.height, encoding.width) == (3, 64, 64)
    assert encoding.columns == CANDLE_FIELDS
    assert encoding.differentiable
    x = windows(encoding)
    chart = create_encoding("candlestick", LENGTH, up_color="#ffffff", down_color="#808080", volume=False)(x)
    image = encoding(x)
    torch.testing.assert_close(image[:, 0], chart[:, 0])  # all three colours of a grey are the same
    torch.testing.assert_close(image[:, 1:2], create_encoding("volume_profile", LENGTH)(x))
    torch.testing.assert_close(image[:, 2:], scaled(create_encoding("gasf", LENGTH)(x), "bilinear", 64, 64))


def test_up_and_down_are_told_apart_by_default():
    encoding = create_encoding("multi_channel", 2)
    x = torch.tensor([[[10.0, 12.0, 10.0, 12.0, 0.0], [12.0, 12.0, 10.0, 10.0, 0.0]]])
    price = encoding(x)[0, 0]
    assert price[20, 16].item() == pytest.approx(1.0)
    assert price[20, 48].item() == pytest.approx(128 / 255)


@pytest.mark.parametrize("resize", ["bilinear", "nearest"])
def test_it_equals_its_members_stacked_by_hand(resize):
    encoding = create_encoding("multi_channel", LENGTH, channels=MANY, height=40, width=50, resize=resize)
    x = windows(encoding)

    def drawn(name: str, **options) -> torch.Tensor:
        member = create_encoding(name, LENGTH, **options)
        return scaled(member(of(x, encoding, member)), resize)

    red, green, blue = drawn("gadf", series=("open", "high", "log_return")).unbind(dim=1)
    stacked = torch.cat(
        [
            drawn("candlestick", volume=False, height=40, width=50),
            drawn("jkx", antialias=True, height=40),
            drawn("gasf", series=("close", "volume")).mean(dim=1, keepdim=True),
            (0.2126 * red + 0.7152 * green + 0.0722 * blue)[:, None],
            drawn("book_imbalance", levels=3, unit="bp", height=40, width=50),
            drawn("depth_heatmap", levels=5, style="apart", height=40, width=50),
            drawn("factor_grid", factors=3, channels=2),
        ],
        dim=1,
    )
    assert encoding.channels == 3 + 1 + 1 + 1 + 1 + 2 + 2
    torch.testing.assert_close(encoding(x), stacked, rtol=0, atol=1e-6)  # torch interpolates by weights in float32


@pytest.mark.parametrize("resize", ["bilinear", "nearest"])
@pytest.mark.parametrize(("height", "width"), [(40, 50), (64, 32), (32, 300)])
def test_the_compiled_loop_draws_what_the_tensor_operations_draw(resize, height, width):
    encoding = create_encoding("multi_channel", LENGTH, channels=MANY, height=height, width=width, resize=resize)
    x = windows(encoding)
    plain = encoding(x.clone().requires_grad_()).detach()
    torch.testing.assert_close(encoding(x), plain, rtol=0, atol=1e-12)


def test_a_batch_that_is_drawn_in_several_parts_is_the_same(monkeypatch):
    encoding = create_encoding("multi_channel", LENGTH, channels=MANY)
    x = windows(encoding, 7)
    whole = encoding(x)
    monkeypatch.setattr("triptych.images.multi_channel.CHUNK_PIXELS", 3 * 64 * 64 * 2)
    assert torch.equal(encoding(x), whole)


def test_an_empty_batch_is_an_empty_image():
    encoding = create_encoding("multi_channel", LENGTH)
    assert encoding(torch.zeros(0, LENGTH, 5)).shape == (0, 3, 64, 64)


def test_candles_come_first_and_every_column_once():
    book, candles = {"name": "book_imbalance", "levels": 2}, {"name": "gasf"}
    deeper, factors = {"name": "depth_heatmap", "levels": 3}, {"name": "factor_grid", "factors": 2}

    def columns(*channels) -> tuple[str, ...]:
        return create_encoding("multi_channel", LENGTH, channels=channels).columns

    assert columns(candles, candles) == CANDLE_FIELDS
    assert columns(book, candles) == CANDLE_FIELDS + book_columns(2)
    assert columns(book) == book_columns(2)
    beyond = ("bid_price_3", "bid_size_3", "ask_price_3", "ask_size_3")
    assert columns(book, factors, deeper, candles) == (
        *CANDLE_FIELDS, *book_columns(2), "factor_1_1", "factor_1_2", *beyond
    )  # fmt: skip


def test_it_is_differentiable_when_all_members_are():
    def of_channels(*channels) -> AbstractEncoding:
        return create_encoding("multi_channel", LENGTH, channels=channels)

    assert of_channels({"name": "gasf"}, {"name": "jkx", "antialias": True}).differentiable
    assert not of_channels({"name": "gasf"}, {"name": "jkx"}).differentiable


def test_a_signed_member_is_told():
    assert not create_encoding("multi_channel", LENGTH).signed
    signed = create_encoding("multi_channel", LENGTH, channels=[{"name": "gasf", "signed": True}])
    assert signed.signed
    assert signed(windows(signed)).min() < -0.9


def test_sides_are_resized_by_known_weights():
    np.testing.assert_array_equal(resizing(2, 4, "bilinear").T, [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]])
    np.testing.assert_array_equal(resizing(2, 5, "nearest").T, [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])
    np.testing.assert_allclose(resizing(4, 2, "bilinear").T, np.array([[3, 3, 1, 0], [0, 1, 3, 3]]) / 7)
    np.testing.assert_array_equal(resizing(4, 2, "nearest").T, [[0, 1, 0, 0], [0, 0, 0, 1]])


WRONG = {
    "an unknown encoding": (
        {"name": "gaf"},
        "unknown encoding 'gaf'; known encodings: ",
    ),
    "itself": ({"name": "multi_channel"}, "a multi_channel cannot be a channel: list its channels here."),
    "an unknown option": ({"name": "gasf", "seize": 3}, "gasf has no option 'seize', perhaps 'size' is meant"),
    "a wrong value": (
        {"name": "gasf", "series": ["middle"]},
        "gasf.series: Input should be 'open', 'high', 'low', 'close', 'volume', 'log_return' or 'log_range' "
        "(was 'middle').",
    ),
    "a size of its own": (
        {"name": "candlestick", "height": 40},
        "candlestick: the height is that of the whole image: set it beside channels.",
    ),
    "no name": ({"series": ["close"]}, "a channel is a table with the name of an encoding: {name = 'gasf'}."),
    "no table": ("gasf", "a channel is a table with the name of an encoding: {name = 'gasf'} (was 'gasf')."),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_channel_is_named_with_its_place(tmp_path, case):
    channel, message = WRONG[case]
    with pytest.raises(RecipeError) as caught:
        load_recipe(
            recipe_file(tmp_path), changes={"encoding.channels": [{"name": "jkx"}, channel], "encoding.height": 64}
        )
    assert f" encoding.channels.1: {message}" in str(caught.value)


def test_a_size_that_a_member_does_not_draw_is_named_with_its_place(tmp_path):
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file(tmp_path), ["encoding.height=16"])
    assert "encoding: channels.0: candlestick.height: Input should be greater than or equal to 32 (was 16)." in str(
        caught.value
    )


@pytest.mark.parametrize("channels", [[], ["gasf"], [{"name": "gasf", "reduce": "max"}]])
def test_options_are_checked_without_a_recipe_too(channels):
    with pytest.raises(RecipeError, match=r"^multi_channel\.channels: .+ lists the options with their limits\.$"):
        create_encoding("multi_channel", LENGTH, channels=channels)


def test_a_member_that_does_not_fit_the_window_is_named_with_its_place():
    channels = [{"name": "gasf"}, {"name": "gadf", "size": LENGTH + 1}]
    with pytest.raises(RecipeError) as caught:
        create_encoding("multi_channel", LENGTH, channels=channels)
    assert str(caught.value) == (
        "encoding.channels.1: Gramian angular field: size 25 exceeds the window length 24. "
        "Set size to 24 or less, or lengthen the window."
    )


def test_luminance_of_what_has_no_colours_is_refused():
    with pytest.raises(RecipeError) as caught:
        create_encoding("multi_channel", LENGTH, channels=[{"name": "gasf", "reduce": "luminance"}])
    assert str(caught.value) == (
        "encoding.channels.0: luminance is of red, green and blue, and gasf draws 1 channel. "
        "Set reduce to mean or none."
    )


def test_a_recipe_is_the_same_after_it_was_written_out(tmp_path):
    recipe = load_recipe(recipe_file(tmp_path))
    assert [channel.name for channel in recipe.encoding.channels] == ["candlestick", "recurrence_plot", "gasf"]
    text = recipe.to_toml()
    assert "reduce" in text
    assert "log_range" in text
    assert load_recipe(recipe_file(tmp_path, text)) == recipe


def test_an_encoding_comes_back_from_the_card_of_a_model(tmp_path):
    config = load_recipe(recipe_file(tmp_path)).encoding
    card = json.loads(json.dumps(config.model_dump(mode="json")))
    back, built = create_encoding(length=LENGTH, **card), load("multi_channel").build(config, LENGTH)
    x = windows(built)
    assert back.channels == built.channels == 5
    assert torch.equal(back(x), built(x))


def recipe_file(folder, text: str | None = None) -> str:
    path = folder / "channels.toml"
    path.write_text(
        text
        or """
        [encoding]
        name = "multi_channel"
        width = 48
        channels = [
            {name = "candlestick", reduce = "none", moving_averages = [3, 7]},
            {name = "recurrence_plot", threshold = "point"},
            {name = "gasf", series = ["log_range", "close"], size = 9},
        ]
        """
    )
    return str(path)
