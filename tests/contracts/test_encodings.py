"""What every encoding promises. Runs over `available()`: a new file in `images/` is tested without an edit here."""

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

from triptych.domain import CandleSeries, Instrument, Timeframe
from triptych.domain.errors import DataError
from triptych.images import AbstractEncoding, available, create_encoding, load

LENGTH = 24
MINUTE_MS = 60_000
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
}

pytestmark = pytest.mark.parametrize("name", [*available(), *VARIANTS])


@cache
def encoding_of(name: str) -> AbstractEncoding:
    encoding, options = VARIANTS.get(name, (name, {}))
    return create_encoding(encoding, LENGTH, **options)


def history(n_candles: int, seed: int = 0) -> CandleSeries:
    """A market with gaps, dojis, idle candles and a price of a few thousand."""
    random = np.random.default_rng(seed)
    close = 3_000 * np.exp(np.cumsum(random.normal(0, 2e-3, n_candles)))
    opening = np.concatenate([[3_000.0], close[:-1]]) * np.exp(random.normal(0, 2e-4, n_candles))
    opening[::7] = close[::7]
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    reach = np.abs(random.normal(0, 1e-3, (2, n_candles)))
    volume = random.gamma(2.0, 50.0, n_candles)
    volume[::11] = 0.0
    return CandleSeries(
        instrument=Instrument(symbol="TEST"),
        timeframe=Timeframe(MINUTE_MS),
        open_time_ms=np.arange(n_candles, dtype=np.int64) * MINUTE_MS,
        values=np.column_stack([opening, top * (1 + reach[0]), bottom * (1 - reach[1]), close, volume]),
    )


def windows(batch: int = 6, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    series = history(LENGTH + batch * 5, seed)
    return torch.tensor(series.windows(LENGTH - 1 + 5 * np.arange(batch), LENGTH), dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_image_has_the_announced_shape_the_dtype_of_the_window_and_values_from_0_to_1(name, dtype):
    encoding = encoding_of(name)
    image = encoding(windows(dtype=dtype))
    assert image.shape == (6, encoding.channels, encoding.height, encoding.width)
    assert image.dtype == dtype
    assert image.isfinite().all()
    assert image.min() >= -1e-6
    assert image.max() <= 1 + 1e-6
    assert image.std() > 0.01


def test_image_from_the_whole_history_equals_the_image_from_history_cut_at_that_candle(name):
    full = history(80)
    ends = np.array([LENGTH - 1, 40, 63, 79])
    images = encoding_of(name)(torch.tensor(full.windows(ends, LENGTH)))
    for end, image in zip(ends, images, strict=True):
        cut = full.head(int(end) + 1)
        alone = encoding_of(name)(torch.tensor(cut.windows(np.array([len(cut) - 1]), LENGTH)))[0]
        assert torch.allclose(alone, image, rtol=0, atol=1e-12)


def test_every_image_of_a_batch_equals_the_image_of_its_window_alone(name):
    batch = windows()
    images = encoding_of(name)(batch)
    for i in range(len(batch)):
        assert torch.allclose(encoding_of(name)(batch[i : i + 1])[0], images[i], rtol=0, atol=1e-6)


def test_onnx_runtime_draws_the_same_image_for_every_batch_size(name):
    session = onnxruntime.InferenceSession(exported(encoding_of(name)), providers=["CPUExecutionProvider"])
    for batch in (1, 2, 7):
        x = windows(batch, seed=batch)
        (image,) = session.run(None, {"window": x.numpy()})
        assert image.shape[0] == batch
        assert np.abs(image - encoding_of(name)(x).numpy()).max() <= 1e-4


def exported(encoding: AbstractEncoding) -> bytes:
    """The encoding as an ONNX graph with a dynamic batch."""
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            encoding, (windows(2),), dynamo=True, opset_version=18, input_names=["window"], verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        )  # fmt: skip
    program.save(file)
    return file.getvalue()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_draws_the_same_image_as_the_cpu(name):
    image = copy.deepcopy(encoding_of(name)).cuda()(windows().cuda()).cpu()
    assert torch.allclose(image, encoding_of(name)(windows()), rtol=0, atol=1e-4)


@pytest.mark.parametrize("volume", [0.0, 5.0])
def test_window_in_which_nothing_moves_gives_a_finite_image_and_finite_gradients(name, volume):
    still = torch.full((2, LENGTH, 5), 17_123.5)
    still[..., 4] = volume
    still.requires_grad_()
    image = encoding_of(name)(still)
    assert image.isfinite().all()
    assert image.min() >= 0
    assert image.max() <= 1
    if encoding_of(name).differentiable:
        image.sum().backward()
        assert still.grad is not None
        assert still.grad.isfinite().all()


def test_the_price_level_does_not_change_the_image(name):
    x = windows(dtype=torch.float64)
    dear = x.clone()
    dear[..., :4] *= 1_000
    assert torch.allclose(encoding_of(name)(x), encoding_of(name)(dear), rtol=0, atol=1e-6)


def test_gradients_reach_the_prices_where_the_encoding_says_so(name):
    encoding = encoding_of(name)
    x = windows(dtype=torch.float64).requires_grad_()
    weights = torch.rand(encoding.channels, encoding.height, encoding.width, generator=torch.Generator().manual_seed(1))
    if encoding.differentiable:
        (encoding(x) * weights).sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()
        assert (x.grad[..., :4].abs().amax(dim=(1, 2)) > 0).all()


def test_the_window_is_left_as_it_was(name):
    x = windows()
    before = x.clone()
    encoding_of(name)(x)
    assert torch.equal(x, before)


def test_mixed_precision_around_the_encoding_does_not_reach_the_image(name):
    x = windows()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = encoding_of(name)(x)
    assert torch.equal(image, encoding_of(name)(x))


def test_nothing_is_learned_and_nothing_is_saved(name):
    assert list(encoding_of(name).parameters()) == []
    assert encoding_of(name).state_dict() == {}


@pytest.mark.parametrize("shape", [(2, LENGTH + 1, 5), (2, LENGTH, 4), (LENGTH, 5)])
def test_window_of_another_shape_is_refused(name, shape):
    with pytest.raises(DataError) as caught:
        encoding_of(name)(torch.ones(shape))
    assert str(caught.value) == (
        f"Expected windows of shape (batch, {LENGTH}, 5), was {shape}. "
        "Cut windows of the length the encoding was built for: open, high, low, close, volume."
    )


def test_every_option_is_described(name):
    fields = load(VARIANTS.get(name, (name, {}))[0]).Config.model_fields
    assert [field for field, info in fields.items() if not info.description] == []


@pytest.mark.skipif(not REAL.exists(), reason="needs the real candles beside the repository")
def test_real_candles_give_images_with_values_from_0_to_1(name):
    import polars as pl

    values = pl.read_parquet(REAL, columns=["open", "high", "low", "close", "volume"]).to_numpy()
    starts = np.random.default_rng(0).integers(0, len(values) - LENGTH, 200)
    batch = torch.tensor(np.stack([values[i : i + LENGTH] for i in starts]), dtype=torch.float32)
    image = encoding_of(name)(batch)
    assert image.isfinite().all()
    assert image.min() >= -1e-6
    assert image.max() <= 1 + 1e-6
    assert (image.flatten(1).std(dim=1) > 0.01).all()
