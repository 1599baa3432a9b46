"""Where the last digit decides what is drawn, every way to an image must find the same.

Ties between logarithms of prices, and pens that are rounded to whole rows.
"""

from __future__ import annotations

import io
import logging
import warnings

import numpy as np
import onnxruntime
import pytest
import torch

from triptych.domain import VOLUME
from triptych.images import StreamingEncoder, create_encoding
from triptych.images._series import rows_and_columns, series_of, stacked_series

LENGTH = 31
LOGARITHMS = "log_return", "log_range"
DECIDING = [
    ("recurrence_plot", {"threshold": "point"}),
    ("recurrence_plot", {"threshold": "point", "dimension": 2, "delay": 2}),
    ("recurrence_plot", {"threshold": "distance"}),
    ("recurrence_plot", {"threshold": "fixed"}),
    ("markov_transition_field", {}),
    ("markov_transition_field", {"strategy": "uniform"}),
    ("markov_transition_field", {"strategy": "normal"}),
]


@pytest.fixture(scope="module")
def market() -> np.ndarray:
    """Candles of a coin that costs a few hundred price steps, so that most returns occur many times; (rows, 5)."""
    random = np.random.default_rng(7)
    close = 700 + np.cumsum(random.integers(-2, 3, 1_200))
    opening = np.concatenate([[700], close[:-1]])
    high = np.maximum(opening, close) + random.integers(0, 3, 1_200)
    low = np.minimum(opening, close) - random.integers(0, 3, 1_200)
    prices = np.stack([opening, high, low, close], axis=1) * 1e-4
    return np.column_stack([prices, np.full(1_200, 1.0)])


def windows_of(rows: np.ndarray, dtype: torch.dtype, length: int = LENGTH) -> torch.Tensor:
    cut = np.lib.stride_tricks.sliding_window_view(rows, length, axis=0).transpose(0, 2, 1)
    return torch.from_numpy(np.ascontiguousarray(cut)).to(dtype)


def drawn_by_onnx(encoding: torch.nn.Module, windows: torch.Tensor) -> np.ndarray:
    """Images of an exported graph."""
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            encoding, (windows[:3],), dynamo=True, input_names=["window"], verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        ).save(file)  # fmt: skip
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"window": part.numpy()})[0] for part in windows.split(500)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "options"), DECIDING)
def test_ties_fall_alike_in_a_batch_alone_in_a_stream_and_without_a_kernel(name, options, dtype, market):
    encoding = create_encoding(name, LENGTH, series=LOGARITHMS, **options)
    windows = windows_of(market, dtype)
    together = encoding(windows)
    alone = torch.cat([encoding(window[None]) for window in windows])
    assert torch.equal(together, alone)
    stream = StreamingEncoder(encoding, dtype=dtype)
    for row in market[: LENGTH - 1]:
        stream.append(row)
    assert all(
        torch.equal(stream.update(row)[0], image) for row, image in zip(market[LENGTH - 1 :], together, strict=True)
    )
    plain = torch.cat([encoding(part.clone().requires_grad_()).detach() for part in windows.split(333)])
    if name == "recurrence_plot":
        assert torch.equal(plain, together)
    else:  # equal bins; means and products of probabilities are rounded
        assert (plain - together).abs().max() < 1e-6


class Logarithms(torch.nn.Module):
    """The series alone, as every encoding takes them: (batch, series, time)."""

    def forward(self, window):
        return stacked_series(window, LOGARITHMS)


def test_an_exported_graph_takes_the_same_logarithms_to_the_last_digit(market):
    windows = windows_of(market, torch.float32)
    assert np.array_equal(drawn_by_onnx(Logarithms(), windows), stacked_series(windows, LOGARITHMS).numpy())


@pytest.mark.parametrize(("name", "options"), DECIDING)
def test_ties_between_equal_logarithms_fall_alike_in_an_exported_graph(name, options, market):
    # The test above shows where the logarithms come from: here they are given, else each would be exported seven times.
    windows = windows_of(market, torch.float32)
    given = windows.repeat(len(LOGARITHMS), 1, 1)
    given[..., VOLUME] = stacked_series(windows, LOGARITHMS).transpose(0, 1).flatten(0, 1)
    image = drawn_by_onnx(create_encoding(name, LENGTH, series=("volume",), **options), given)
    expected = torch.cat([create_encoding(name, LENGTH, series=(one,), **options)(windows) for one in LOGARITHMS])
    assert np.abs(image - expected.numpy()).max() < 1e-6


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 4e-7), (torch.float64, 1e-15)])
def test_logarithms_are_those_of_the_definition(dtype, tolerance):
    ratio = torch.tensor([1 + 1e-6, 1.0001, 1.01, 1.5, 3.0, 10.0]).double()
    window = torch.ones(1, 6, 5, dtype=torch.float64)
    window[0, :, 1] = ratio
    window = window.to(dtype)
    rows, columns = rows_and_columns(window, ("log_range",))
    expected = window[0, :, 1].double().log()
    assert columns.tolist() == [0]
    assert (torch.from_numpy(rows[0, :, 0]) / expected - 1).abs().max() < tolerance
    assert np.array_equal(rows[0, :, 0], series_of(window, "log_range")[0].numpy())


def test_the_logarithm_of_an_absurd_ratio_is_close_too():
    window = torch.ones(1, 2, 5, dtype=torch.float64)
    window[0, :, 1] = 1e6
    assert series_of(window, "log_range")[0, 0].item() == pytest.approx(13.815510557964274, rel=1e-14)


@pytest.mark.parametrize("length", [20, 60])
def test_the_pen_of_a_chart_falls_into_the_same_rows_everywhere(length):
    random = np.random.default_rng(1)
    close = 700 + np.cumsum(random.integers(-2, 3, 6_000))
    rows = np.stack([close, close + 2, close - 1, close, random.integers(0, 9, 6_000)], axis=1) * 1e-4
    windows = windows_of(rows, torch.float32, length)[:: length // 20]
    chart = create_encoding("jkx", length)
    image = chart(windows)
    assert torch.equal(chart(windows.clone().requires_grad_()), image)
    assert np.array_equal(drawn_by_onnx(chart, windows), image.numpy())
