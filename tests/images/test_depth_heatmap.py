from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from triptych.domain import book_columns
from triptych.domain.errors import DataError, RecipeError
from triptych.images import create_encoding

NAN = float("nan")
REAL = Path(__file__).resolve().parents[3] / "shared/data/lob/binance_usdm_btcusdt_20240718_book20_100ms.parquet"

# Two books of two levels. Sizes are 1 everywhere, except 3 at the bid of the last book.
WINDOW = torch.tensor(
    [[[99.0, 98.0, 1.0, 1.0, 101.0, 102.0, 1.0, 1.0], [100.0, 99.0, 3.0, 1.0, 102.0, NAN, 1.0, NAN]]],
    dtype=torch.float64,
)


def heatmap(length=2, **options):
    return create_encoding("depth_heatmap", length, **({"levels": 2} | options))


def walk(batch=4, length=24, levels=5, seed=0, dtype=torch.float64):
    """Books on a grid of 0.1 around 1,000 with missing levels, missing sides and an empty book."""
    random = np.random.default_rng(seed)
    bid = 10_000 + random.integers(-1, 2, (batch, length)).cumsum(axis=1)
    ask = bid + random.integers(1, 4, (batch, length))
    steps = random.integers(1, 4, (2, batch, length, levels))
    steps[..., 0] = 0
    prices = (bid[..., None] - steps[0].cumsum(axis=-1)) / 10, (ask[..., None] + steps[1].cumsum(axis=-1)) / 10
    sizes = random.gamma(0.5, 3.0, (2, batch, length, levels))
    rows = np.concatenate([prices[0], sizes[0], prices[1], sizes[1]], axis=-1)
    rows[0, :5, [levels - 1, 2 * levels - 1]] = np.nan
    rows[1, 3:6, : 2 * levels] = np.nan
    rows[2, -2:, 2 * levels :] = np.nan
    rows[3 % batch, 4] = np.nan
    return torch.tensor(rows, dtype=dtype)


VARIANTS = [
    {},
    {"style": "apart", "anchor": "each"},
    {"unit": "ticks", "tick_size": 0.1, "reach": 16.0, "height": 32},
    {"unit": "ticks", "tick_size": 0.1, "anchor": "each", "width": 7},
    {"reach": 20.0, "height": 33, "width": 60, "ceiling": 1.0},
]


def test_an_image_computed_by_hand():
    # The last mid is 101. Rows of one tick: 103 .. 98 are ticks 102.5 +- ..; bids are bright, asks dark.
    image = heatmap(unit="ticks", tick_size=1.0, reach=3.0, height=6, ceiling=1.0, style="apart")(WINDOW)[0]
    one, three = np.log(2) / np.log(4), 1.0  # relative to the median size 1, full at the largest
    bids, asks = np.zeros((6, 2)), np.zeros((6, 2))
    # The middle of the image lies between 101 (row 3) and 102 (row 2), for the mid stands on a tick.
    asks[3, 0] = asks[2, 0] = asks[2, 1] = one
    bids[5, 0] = bids[5, 1] = one
    bids[4, 1] = three
    np.testing.assert_allclose(image[0], bids, atol=1e-12)
    np.testing.assert_allclose(image[1], asks, atol=1e-12)


def test_signed_is_bids_above_and_asks_below_one_half():
    options = {"unit": "ticks", "tick_size": 1.0, "reach": 3.0, "height": 6}
    bids, asks = heatmap(**options, style="apart")(WINDOW)[0]
    signed = heatmap(**options)(WINDOW)[0, 0]
    torch.testing.assert_close(signed, 0.5 + (bids - asks) / 2)


def test_without_a_reach_the_lowest_and_the_highest_level_lie_on_the_edge_rows():
    image = heatmap(height=5, style="apart")(WINDOW)[0].sum(dim=0)
    # Prices 98 .. 102 on five rows: none between.
    assert (image[:, 0] > 0).tolist() == [True, True, False, True, True]
    assert (image[:, 1] > 0).tolist() == [True, False, True, True, False]


def test_a_level_between_two_rows_is_shared_between_them():
    window = WINDOW.clone()
    window[0, 0, 0] = 99.25
    options = {"height": 5, "style": "apart", "ceiling": 1.0}
    image = heatmap(**options)(window)[0, 0, :, 0]
    full = np.log1p(3.0)
    np.testing.assert_allclose(
        image, [0, 0, np.log1p(0.25) / full, np.log1p(0.75) / full, np.log1p(1) / full], atol=1e-6
    )


def test_with_the_anchor_each_the_own_mid_stays_in_the_middle():
    image = heatmap(anchor="each", style="apart", height=9, reach=500.0)(WINDOW)[0]
    assert (image[0, :4] == 0).all()  # no bid above the middle
    assert (image[1, 5:] == 0).all()  # no ask below it


def test_neither_price_level_nor_unit_of_size_is_in_the_picture():
    x = walk()
    scaled = x.clone()
    scaled[..., [*range(5), *range(10, 15)]] *= 1_000
    scaled[..., [*range(5, 10), *range(15, 20)]] *= 0.001
    torch.testing.assert_close(heatmap(24, levels=5)(scaled), heatmap(24, levels=5)(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_the_compiled_loop_draws_the_plain_image(options, dtype, tolerance):
    encoding, x = heatmap(24, levels=5, **options), walk(dtype=dtype)
    plain = encoding(x.clone().requires_grad_()).detach()
    torch.testing.assert_close(encoding(x), plain, rtol=0, atol=tolerance)


@pytest.mark.parametrize("options", VARIANTS)
def test_missing_levels_sides_and_books_leave_no_nan_in_image_or_gradient(options):
    x = walk().requires_grad_()
    image = heatmap(24, levels=5, **options)(x)
    assert image.isfinite().all()
    assert image.min() >= 0
    assert image.max() <= 1
    (image * torch.rand(image.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad[..., 5:10].abs().max() > 0
    assert x.grad[..., 15:].abs().max() > 0
    in_prices = x.grad[..., [*range(5), *range(10, 15)]].abs().max() > 0
    assert in_prices == heatmap(24, levels=5, **options).differentiable


@pytest.mark.parametrize("options", VARIANTS)
def test_an_empty_window_is_an_empty_image(options):
    image = heatmap(24, levels=5, **options)(torch.full((2, 24, 20), NAN))
    assert (image == (0.0 if options.get("style") == "apart" else 0.5)).all()


def test_every_window_of_a_batch_stands_alone():
    encoding, x = heatmap(24, levels=5), walk()
    images = encoding(x)
    for i in range(len(x)):
        assert torch.equal(encoding(x[i : i + 1])[0], images[i])


def test_a_column_of_a_narrower_image_is_the_mean_of_its_books():
    x = walk()
    torch.testing.assert_close(
        heatmap(24, levels=5, width=12)(x), heatmap(24, levels=5)(x).unflatten(-1, (12, 2)).mean(dim=-1)
    )
    torch.testing.assert_close(
        heatmap(24, levels=5, width=48)(x), heatmap(24, levels=5)(x).repeat_interleave(2, dim=-1)
    )


def test_rows_in_ticks_need_the_tick():
    with pytest.raises(RecipeError) as caught:
        heatmap(unit="ticks")
    assert str(caught.value) == (
        "depth heatmap: rows in ticks need the price step of the instrument. Set tick_size, such as 0.1, or unit to bp."
    )


def test_columns_are_those_of_a_book():
    assert heatmap().columns == book_columns(2)
    with pytest.raises(DataError) as caught:
        heatmap(levels=3)(WINDOW)
    assert str(caught.value) == (
        "Expected windows of shape (batch, 2, 12), was (1, 2, 8). "
        "Cut windows of the length the encoding was built for: bid_price_1, bid_price_2 .. ask_size_3."
    )


def test_ticks_stay_sharp_in_single_precision_at_a_price_of_64_000():
    base = torch.tensor([639_000.0, 639_001.0])[:, None, None] / 10
    offsets = torch.tensor([0.0, -0.1, 0.1, 0.3])
    rows = torch.cat([base + offsets[:2], torch.ones(2, 1, 2), base + offsets[2:], torch.ones(2, 1, 2)], dim=-1)
    window = rows.reshape(1, 2, 8).float()
    image = heatmap(unit="ticks", tick_size=0.1, reach=8.0, height=16, style="apart")(window)
    assert sorted(image.unique().tolist()) == [0.0, 1.0]


@pytest.mark.skipif(not REAL.exists(), reason="needs the real order books beside the repository")
def test_the_price_path_of_real_books_is_where_bids_meet_asks():
    import polars as pl

    table = pl.read_parquet(REAL)
    names = [f"{field}_{k}" for field in ("bid_price", "bid_size", "ask_price", "ask_size") for k in range(20)]
    rows = table[2_900:3_028].select(names).to_numpy()
    image = heatmap(128, levels=20, style="apart")(torch.tensor(rows)[None])[0].numpy()
    mid = (rows[:, 0] + rows[:, 40]) / 2
    low, high = np.nanmin(rows[:, 19]), np.nanmax(rows[:, 59])
    row = (high - mid) / (high - low) * 63
    lowest_ask = 63 - (image[1][::-1] > 0).argmax(axis=0)
    highest_bid = (image[0] > 0).argmax(axis=0)
    assert np.abs((lowest_ask + highest_bid) / 2 - row).max() < 1.5
