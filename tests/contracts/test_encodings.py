"""What every encoding promises. Runs over `available()`: a new file in `images/` is tested without an edit here.

Windows are made from the encoding's `columns`: candles, order books, factors, or what several members read together
(`tests/fakes/windows.py`). Where a promise means nothing for a kind, the test says so in what it skips.
"""

from __future__ import annotations

import copy
import io
import logging
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from tests.fakes.windows import TICK, candles_of, history, kinds_of, prices_in, still

from triptych.domain import CandleSeries
from triptych.domain.errors import CandleError, DataError
from triptych.images import AbstractEncoding, available, create_encoding, encode_into, load

LENGTH = 24
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "crypto" / "binance_perp_BTCUSDT_15m.parquet"

VARIANTS: dict[str, tuple[str, dict[str, object]]] = {
    "candlestick with every option": (
        "candlestick",
        {"height": 50, "width": 77, "moving_averages": (3, LENGTH), "background_color": "#ffffff", "volume": False},
    ),
    "candlestick without gaps": ("candlestick", {"width": 40, "moving_averages": (5,)}),
    "jkx antialiased": ("jkx", {"antialias": True, "height": 50}),
    "gasf of all series": (
        "gasf",
        {"series": ("open", "high", "low", "close", "volume", "log_return", "log_range"), "size": 10},
    ),
    "gadf of averages": ("gadf", {"series": ("log_return",), "size": 7}),
    "recurrence of nearest points": (
        "recurrence_plot",
        {"series": ("close", "log_return"), "dimension": 3, "delay": 2, "threshold": "point", "share": 0.2},
    ),
    "recurrence by points": ("recurrence_plot", {"threshold": "point"}),
    "recurrence by distance share": ("recurrence_plot", {"threshold": "distance", "dimension": 2, "share": 0.3}),
    "recurrence within a distance": ("recurrence_plot", {"threshold": "fixed", "epsilon": 0.2}),
    "recurrence distances of two series": (
        "recurrence_plot",
        {"dimension": 2, "delay": 3, "series": ("volume", "close")},
    ),
    "markov normal bins averaged": (
        "markov_transition_field",
        {"strategy": "normal", "n_bins": 5, "size": 10, "series": ("close", "log_return")},
    ),
    "markov uniform bins": ("markov_transition_field", {"strategy": "uniform", "n_bins": 6}),
    "markov averaged": ("markov_transition_field", {"size": 12}),
    "volume profile that grows": ("volume_profile", {"style": "heat", "height": 40, "width": 30}),
    "volume profile of two sides": ("volume_profile", {"split": True}),
    "volume profile of two sides that grows": ("volume_profile", {"style": "heat", "split": True, "height": 20}),
    "depth heatmap in ticks, sides apart": (
        "depth_heatmap",
        {"unit": "ticks", "tick_size": TICK, "style": "apart", "levels": 10, "height": 80},
    ),
    "depth heatmap in ticks around each book": (
        "depth_heatmap",
        {"unit": "ticks", "tick_size": TICK, "anchor": "each", "reach": 20.0, "height": 40},
    ),
    "depth heatmap around each book": ("depth_heatmap", {"anchor": "each", "levels": 5, "width": 11}),
    "depth heatmap within a reach, sides apart": (
        "depth_heatmap",
        {"anchor": "last", "reach": 50.0, "style": "apart", "height": 32, "width": 50, "ceiling": 1.0},
    ),
    "book imbalance by distance": ("book_imbalance", {"unit": "bp", "reach": 40.0, "height": 16, "levels": 10}),
    "book imbalance of another size": ("book_imbalance", {"levels": 6, "height": 4, "width": 40}),
    "book levels within a reach": ("book_levels", {"levels": 4, "reach": 60.0, "ceiling": 8.0}),
    "factor grid, factor by factor": ("factor_grid", {"layout": "factor_major", "factors": 7, "bars_per_row": 6}),
    "factor grid, a row for each factor": (
        "factor_grid",
        {"layout": "factor_rows", "factors": 5, "channels": 3, "bars_per_row": 1, "upscale": 2},
    ),
    "factor grid in several rows for each factor": (
        "factor_grid",
        {"layout": "factor_rows", "factors": 4, "channels": 2, "bars_per_row": 3},
    ),
    "factor grid shuffled": (
        "factor_grid",
        {"order": "shuffled", "order_seed": 5, "factors": 9, "channels": 4, "bars_per_row": 8, "clip": 2.5},
    ),
    "factor grid of one's own order": ("factor_grid", {"order": (2, 0, 1), "factors": 3, "upscale": 3}),
    "scalogram of single tops, in decibels": (
        "scalogram",
        {
            "wavelet": "ricker",
            "series": ("close", "log_range"),
            "intensity": "decibels",
            "height": 20,
            "width": 15,
        },
    ),
    "scalogram of slow rhythms": (
        "scalogram",
        {"cycles": 4.0, "shortest": 3.0, "longest": 40.0, "intensity": "power", "resampling": "nearest", "width": 70},
    ),
    "channels of candles and books": (
        "multi_channel",
        {
            "channels": (
                {"name": "candlestick", "reduce": "luminance"},
                {"name": "volume_profile"},
                {"name": "book_imbalance", "levels": 6, "unit": "bp", "reach": 100.0},
            ),
            "height": 40,
            "width": 50,
        },
    ),
    "channels of books alone, one deeper than the other": (
        "multi_channel",
        {
            "channels": ({"name": "book_imbalance", "levels": 3}, {"name": "depth_heatmap", "levels": 5}),
            "height": 16,
            "width": 12,
        },
    ),
    "channels of candles, books and factors": (
        "multi_channel",
        {
            "channels": (
                {"name": "factor_grid", "factors": 3, "channels": 2, "reduce": "none"},
                {"name": "depth_heatmap", "levels": 4, "style": "apart", "reduce": "mean"},
                {"name": "jkx", "antialias": True},
            ),
            "height": 33,
            "width": 20,
            "resize": "nearest",
        },
    ),
}

pytestmark = pytest.mark.parametrize("name", [*available(), *VARIANTS])


@cache
def encoding_of(name: str, dearer: float = 1.0) -> AbstractEncoding:
    """The encoding; `dearer` multiplies its options that are prices."""
    encoding, options = VARIANTS.get(name, (name, {}))
    if "tick_size" in options:
        options = {**options, "tick_size": TICK * dearer}
    return create_encoding(encoding, LENGTH, **options)


def windows(name: str, batch: int = 6, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    rows = history(encoding_of(name).columns, LENGTH + batch * 5, seed)
    return torch.tensor(rows.windows(LENGTH - 1 + 5 * np.arange(batch), LENGTH), dtype=dtype)


def assert_drawn(image: torch.Tensor) -> None:
    assert image.isfinite().all()
    assert image.min() >= 0
    assert image.max() <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_image_has_the_announced_shape_the_dtype_of_the_window_and_values_from_0_to_1(name, dtype):
    encoding = encoding_of(name)
    image = encoding(windows(name, dtype=dtype))
    assert image.shape == (6, encoding.channels, encoding.height, encoding.width)
    assert image.dtype == dtype
    assert_drawn(image)
    assert image.std() > 0.01


def test_single_precision_draws_what_double_precision_draws(name):
    x = windows(name)
    image, exact = encoding_of(name)(x), encoding_of(name)(x.double())
    # A value that rounding moves across the edge of a bin, a threshold or a pixel may change a few pixels of many.
    assert ((image - exact).abs() > 2e-3).float().mean() < 5e-3


def test_image_from_the_whole_history_equals_the_image_from_history_cut_at_that_candle(name):
    full = history(encoding_of(name).columns, 80)
    ends = np.array([LENGTH - 1, 40, 63, 79])
    images = encoding_of(name)(torch.tensor(full.windows(ends, LENGTH)))
    for end, image in zip(ends, images, strict=True):
        cut = full.head(int(end) + 1)
        alone = encoding_of(name)(torch.tensor(cut.windows(np.array([len(cut) - 1]), LENGTH)))[0]
        assert torch.allclose(alone, image, rtol=0, atol=1e-12)


def test_every_image_of_a_batch_equals_the_image_of_its_window_alone(name):
    batch = windows(name)
    images = encoding_of(name)(batch)
    for i in range(len(batch)):
        assert torch.allclose(encoding_of(name)(batch[i : i + 1])[0], images[i], rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", ["alone", "with gradient", "double", "into memory"])
def test_no_windows_give_no_images_of_the_right_shape(name, how):
    encoding = encoding_of(name)
    dtype = torch.float64 if how == "double" else torch.float32
    x = windows(name, 1, dtype=dtype)[:0].requires_grad_(how == "with gradient")
    memory = torch.empty(0, encoding.channels, encoding.height, encoding.width)
    image = encode_into(encoding, x, memory) if how == "into memory" else encoding(x)
    assert image.shape == memory.shape
    assert image.dtype == dtype


def test_onnx_runtime_draws_the_same_image_for_every_batch_size(name):
    session = onnxruntime.InferenceSession(
        exported(encoding_of(name), windows(name, 2)), providers=["CPUExecutionProvider"]
    )
    for batch in (1, 2, 7):
        x = windows(name, batch, seed=batch)
        (image,) = session.run(None, {"window": x.numpy()})
        assert image.shape[0] == batch
        assert np.abs(image - encoding_of(name)(x).numpy()).max() <= 1e-4


def exported(encoding: AbstractEncoding, x: torch.Tensor) -> bytes:
    """The encoding as an ONNX graph with a dynamic batch."""
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            encoding, (x,), dynamo=True, opset_version=18, input_names=["window"], verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        )  # fmt: skip
    program.save(file)
    return file.getvalue()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_draws_the_same_image_as_the_cpu(name):
    image = copy.deepcopy(encoding_of(name)).cuda()(windows(name).cuda()).cpu()
    assert torch.allclose(image, encoding_of(name)(windows(name)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [0.0, 5.0])
def test_window_in_which_nothing_moves_gives_a_finite_image_and_finite_gradients(name, size):
    x = still(encoding_of(name).columns, 2, LENGTH, size).requires_grad_()
    image = encoding_of(name)(x)
    assert image.isfinite().all()
    assert image.min() >= 0
    assert image.max() <= 1
    if encoding_of(name).differentiable:
        image.sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()


def test_missing_levels_of_a_book_give_a_finite_image_and_finite_gradients(name):
    columns = encoding_of(name).columns
    if "book" not in kinds_of(columns):
        pytest.skip("only books have levels that may be missing: candles and factors are never NaN")
    x = windows(name, dtype=torch.float64)
    bids = torch.tensor([column.startswith("bid_") for column in columns])
    asks = torch.tensor([column.startswith("ask_") for column in columns])
    x[0, :, bids] = torch.nan  # no bids at all
    x[1, 3:9, asks] = torch.nan  # asks gone for a while
    x[2, -1, bids | asks] = torch.nan  # nothing at the end
    x[3, :, bids | asks] = torch.nan  # nothing ever
    x.requires_grad_()
    image = encoding_of(name)(x)
    assert_drawn(image)
    if encoding_of(name).differentiable:
        image.sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("how", ["alone", "with gradient", "double", "into memory"])
def test_a_value_that_is_not_finite_is_refused_by_window_row_and_column(name, value, how):
    encoding = encoding_of(name)
    x = windows(name, dtype=torch.float64 if how == "double" else torch.float32)
    books = np.array([kinds_of((column,)) == ("book",) for column in encoding.columns])
    if np.isnan(value) and books.all():
        pytest.skip("a missing level of a book is NaN")
    place = int(np.flatnonzero(~books if np.isnan(value) else np.ones_like(books))[-1])
    x[4, 17, place] = value
    x[5, 2, place] = value
    x.requires_grad_(how == "with gradient")
    memory = torch.empty(6, encoding.channels, encoding.height, encoding.width)
    with pytest.raises(DataError) as caught:
        encode_into(encoding, x, memory) if how == "into memory" else encoding(x)
    assert str(caught.value) == (
        f"Window 4 of the batch, row 17 of {LENGTH}: {encoding.columns[place]} is {value}. "
        "Leave out windows that hold unknown values, or fill the gap before they are cut."
    )


def test_candles_that_are_not_numbers_are_refused_where_windows_are_cut(name):
    if "candles" not in kinds_of(encoding_of(name).columns):
        pytest.skip("a missing level of a book is NaN; windows with unknown factors are left out before they are drawn")
    good = candles_of(LENGTH)
    values = good.values.copy()
    values[5, 2] = np.nan
    with pytest.raises(CandleError, match=r"^TEST: candle 5 \(1970-01-01 00:05:00 UTC\) holds NaN or a price"):
        CandleSeries(
            instrument=good.instrument, timeframe=good.timeframe, open_time_ms=good.open_time_ms, values=values
        )


def test_the_price_level_does_not_change_the_image(name):
    prices = prices_in(encoding_of(name).columns)
    if not prices.any():
        assert kinds_of(encoding_of(name).columns) == ("factors",)
        pytest.skip("factors have no price level")
    x = windows(name, dtype=torch.float64)
    dear = x.clone()
    dear[..., prices] *= 1_000
    assert torch.allclose(encoding_of(name)(x), encoding_of(name, 1_000.0)(dear), rtol=0, atol=1e-6)


def test_gradients_reach_the_prices_where_the_encoding_says_so(name):
    encoding = encoding_of(name)
    x = windows(name, dtype=torch.float64).requires_grad_()
    weights = torch.rand(encoding.channels, encoding.height, encoding.width, generator=torch.Generator().manual_seed(1))
    if encoding.differentiable:
        (encoding(x) * weights).sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()
        for kind in kinds_of(encoding.columns):
            mine = np.array([kinds_of((column,)) == (kind,) for column in encoding.columns])
            # Of factors, which have no prices, they reach the scores.
            reached = mine if kind == "factors" else mine & prices_in(encoding.columns)
            assert (x.grad[..., reached].abs().amax(dim=(1, 2)) > 0).all()


def test_the_window_is_left_as_it_was(name):
    x = windows(name)
    before = x.clone()
    encoding_of(name)(x)
    assert torch.equal(x.isnan(), before.isnan())
    assert torch.equal(x.nan_to_num(), before.nan_to_num())


def test_mixed_precision_around_the_encoding_does_not_reach_the_image(name):
    x = windows(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = encoding_of(name)(x)
    assert torch.equal(image, encoding_of(name)(x))


def test_mixed_precision_does_not_reach_the_plain_operations_either(name):
    x = windows(name).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = encoding_of(name)(x)
    assert image.dtype == torch.float32
    assert torch.equal(image, encoding_of(name)(x))


def test_nothing_is_learned_and_nothing_is_saved(name):
    assert list(encoding_of(name).parameters()) == []
    assert encoding_of(name).state_dict() == {}


@pytest.mark.parametrize("wrong", ["a row more", "a column less", "no batch"])
def test_window_of_another_shape_is_refused(name, wrong):
    columns = encoding_of(name).columns
    width = len(columns)
    shape = {"a row more": (2, LENGTH + 1, width), "a column less": (2, LENGTH, width - 1), "no batch": (LENGTH, width)}
    named = ", ".join(columns) if width <= 8 else f"{columns[0]}, {columns[1]} .. {columns[-1]}"
    with pytest.raises(DataError) as caught:
        encoding_of(name)(torch.ones(shape[wrong]))
    assert str(caught.value) == (
        f"Expected windows of shape (batch, {LENGTH}, {width}), was {shape[wrong]}. "
        f"Cut windows of the length the encoding was built for: {named}."
    )


def test_windows_without_values_are_refused(name):
    encoding = encoding_of(name)
    with pytest.raises(DataError) as caught:
        encoding(torch.empty(2, LENGTH, len(encoding.columns), device="meta"))
    assert str(caught.value) == (
        "The windows are on the device meta: they have a shape and no values. Give windows with values on the CPU or a "
        "GPU; the shape of the image is (batch, channels, height, width) of the encoding."
    )


def test_every_option_is_described(name):
    fields = load(VARIANTS.get(name, (name, {}))[0]).Config.model_fields
    assert [field for field, info in fields.items() if not info.description] == []


@pytest.mark.skipif(not REAL.exists(), reason="needs the real candles beside the repository")
def test_real_candles_give_images_with_values_from_0_to_1(name):
    import polars as pl

    if kinds_of(encoding_of(name).columns) != ("candles",):
        pytest.skip("the file holds candles only; real books are drawn in tests of the encodings of books")
    values = pl.read_parquet(REAL, columns=["open", "high", "low", "close", "volume"]).to_numpy()
    starts = np.random.default_rng(0).integers(0, len(values) - LENGTH, 200)
    batch = torch.tensor(np.stack([values[i : i + LENGTH] for i in starts]), dtype=torch.float32)
    image = encoding_of(name)(batch)
    assert_drawn(image)
    assert (image.flatten(1).std(dim=1) > 0.01).all()
