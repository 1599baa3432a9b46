import numpy as np
import pytest
import torch

from triptych.domain.errors import DataError, RecipeError
from triptych.images import create_encoding
from triptych.images.factor_grid import correlation_order, shuffled_order


def window(length=8, factors=3, channels=2) -> torch.Tensor:
    """Value 100 c + 10 t + f: where a pixel came from can be read from it."""
    c, t, f = torch.meshgrid(torch.arange(channels), torch.arange(length), torch.arange(factors), indexing="ij")
    return (100.0 * c + 10.0 * t + f).permute(1, 0, 2).reshape(1, length, channels * factors)


def places(**options) -> np.ndarray:
    """The picture as the values it was made from."""
    options = {"factors": 3, "channels": 2, "bars_per_row": 2, "clip": 100.0, **options}
    encoding = create_encoding("factor_grid", 8, **options)
    image = encoding(window() - 50.0)
    return (image[0].double().numpy() * 200.0 - 50.0).round(3)


def test_a_row_holds_candle_after_candle_each_with_its_factors():
    picture = places()
    assert picture.shape == (2, 4, 6)
    assert picture[0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert picture[0, 3].tolist() == [60, 61, 62, 70, 71, 72]
    assert picture[1, 0, :3].tolist() == [100, 101, 102]


def test_factor_major_rows_hold_factor_after_factor():
    assert places(layout="factor_major")[0, 0].tolist() == [0, 10, 1, 11, 2, 12]


def test_factor_rows_run_from_left_to_right_through_the_history():
    picture = places(layout="factor_rows")
    assert picture.shape == (2, 6, 4)
    assert picture[0, 0].tolist() == [0, 10, 20, 30]
    assert picture[0, 1].tolist() == [40, 50, 60, 70]
    assert picture[0, 2].tolist() == [1, 11, 21, 31]


def test_the_default_is_the_experiment_of_56_days_and_its_grey_values():
    encoding = create_encoding("factor_grid", 896)
    assert (encoding.channels, encoding.height, encoding.width, len(encoding.columns)) == (1, 224, 224, 56)
    scores = torch.full((1, 896, 56), 1.5)
    # (z + 4) * 26 in the experiment, of at most 208.
    assert torch.allclose(encoding(scores), torch.tensor((1.5 + 4) * 26 / 208))
    assert encoding(torch.full((1, 896, 56), -9.0)).unique().tolist() == [0.0]


def test_a_day_later_the_picture_has_moved_up_by_four_rows():
    history = torch.randn(1, 912, 56, generator=torch.Generator().manual_seed(0))
    encoding = create_encoding("factor_grid", 896)
    today, tomorrow = encoding(history[:, :896]), encoding(history[:, 16:])
    assert torch.equal(tomorrow[..., :-4, :], today[..., 4:, :])


def test_the_order_of_the_factors_can_be_given_or_shuffled_by_a_seed():
    assert places(order=(2, 0, 1))[0, 0].tolist() == [2, 0, 1, 12, 10, 11]
    order = shuffled_order(3, 5)
    assert sorted(order) == [0, 1, 2]
    assert places(order="shuffled", order_seed=5)[0, 0, :3].tolist() == [float(i) for i in order]
    assert shuffled_order(56, 1) == shuffled_order(56, 1) != shuffled_order(56, 2)


def test_pixels_are_repeated_when_the_network_wants_a_larger_picture():
    small, large = places(), places(upscale=3)
    assert large.shape == (2, 12, 18)
    assert np.array_equal(large[:, ::3, ::3], small)
    assert np.array_equal(large[:, 2::3, 1::3], small)


def test_factors_that_move_together_stand_together():
    random = np.random.default_rng(0)
    drivers = random.normal(size=(500, 2))
    rows = np.stack([drivers[:, i % 2] * (-1) ** (i // 2) + 0.1 * random.normal(size=500) for i in range(6)], axis=1)
    order = correlation_order(rows)
    assert sorted(order) == list(range(6))
    assert {frozenset(order[:3]), frozenset(order[3:])} == {frozenset({0, 2, 4}), frozenset({1, 3, 5})}
    assert sorted(correlation_order(np.column_stack([rows, np.ones(500)]))) == list(range(7))


def test_an_order_from_unknown_factors_is_refused():
    with pytest.raises(DataError) as caught:
        correlation_order(np.full((5, 3), np.nan))
    assert str(caught.value) == (
        "An order by correlation needs at least two rows of known factors. Leave the warm-up out."
    )


@pytest.mark.parametrize(
    ("length", "options", "message"),
    [
        (
            10,
            {"bars_per_row": 4},
            "factor_grid: a window of 10 candles does not fill rows of 4. "
            "Set window.length to 8, or encoding.bars_per_row to a divisor.",
        ),
        (
            8,
            {"factors": 3, "order": (0, 1, 1)},
            "factor_grid: the order must hold each of 0 to 2 once, was [0, 1, 1]. "
            "Name every position once, or leave `order` empty.",
        ),
    ],
)
def test_what_cannot_be_laid_out_is_refused(length, options, message):
    with pytest.raises(RecipeError) as caught:
        create_encoding("factor_grid", length, **options)
    assert str(caught.value) == message
