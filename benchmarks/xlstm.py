"""xLSTM on the CPU: training step, streaming step and prefill against torch.nn.LSTM and the public package xlstm 2.0.6.

The package is optional, and so is what it asks for (among others mlstm_kernels, under a vendor's licence, which its
plain backend does not use): `pip install --no-deps xlstm==2.0.6`. Without it its rows are left out.
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from benchmarks._table import Row, alternate, main
from triptych.images import create_encoding
from triptych.inference.classifier import WindowClassifier
from triptych.inference.compiled_step import CompiledStep
from triptych.inference.step import OnnxStep, TorchStep, export_step
from triptych.models import create_model
from triptych.models.xlstm import Config, XLSTMStack

BATCH, BLOCKS, HEADS, COLUMNS = 32, 2, 4, 22
REFERENCE = "xlstm 2.0.6"
MIXES: dict[str, tuple[int, ...]] = {"1:1": (1,), "mLSTM": (), "sLSTM": (0, 1)}
"""Positions of the sLSTM blocks among two."""


def rows(quick: bool) -> list[Row]:
    """The table; one thread whatever is set, for the loops of sequences are serial."""
    torch.set_num_threads(1)
    table = []
    for width in (64,) if quick else (64, 128):
        for length in (64, 256) if quick else (64, 256, 512):
            table += _training("1:1", width, length, repeats=3 if quick else 5)
    for mix in ("mLSTM", "sLSTM"):
        table += _training(mix, 64, 256, repeats=3 if quick else 5)
    table += _linear(3 if quick else 7)
    for width in (64, 128):
        table += _prefill(width, 3 if quick else 15)
        table += _streaming(width, 3 if quick else 15)
    return table


def _training(mix: str, width: int, length: int, repeats: int) -> list[Row]:
    """Forward and backward pass of a batch of 32: ours, nn.LSTM of as many layers, the reference."""
    x = torch.randn(BATCH, length, width, generator=torch.Generator().manual_seed(0))
    ours = XLSTMStack(_config(mix, width), seed=0)
    lstm = nn.LSTM(width, width, BLOCKS, batch_first=True)
    sides = [_pass(lambda: ours(x)[0], ours), _pass(lambda: lstm(x)[0], lstm)]
    ours_s, lstm_s = alternate(*sides, repeats=repeats)
    name = f"training step, {mix} x{BLOCKS}, D={width}, S={length}"
    found = [_row(name, ours_s, lstm_s, "nn.LSTM x2")]
    reference = _reference(mix, width, length)
    if reference is not None:
        # Seconds for a step: a few rounds of their own tell enough.
        ours_s, theirs_s = alternate(sides[0], _pass(lambda: reference(x), reference), repeats=2)
        found.append(_row(name, ours_s, theirs_s, REFERENCE))
    return found


def _linear(repeats: int) -> list[Row]:
    """How the time of mLSTM blocks grows with the length, by the compiled loop and by chunks."""
    found = []
    for dtype, form in ((torch.float32, "compiled loop"), (torch.float64, "chunks")):
        stack = XLSTMStack(_config("mLSTM", 64), seed=0).to(dtype)
        short, long = (torch.randn(4, length, 64, dtype=dtype) for length in (512, 4096))
        sides = [_pass(lambda x=x, stack=stack: stack(x)[0], stack) for x in (short, long)]  # type: ignore[misc]
        short_s, long_s = alternate(*sides, repeats=repeats)
        found.append(
            Row(
                name=f"mLSTM x2, {form}: time of 4,096 steps over 8 times that of 512",
                ours=long_s / (8 * short_s),
                unit="1 = linear",
                lower_is_better=True,
            )
        )
    return found


def _prefill(width: int, repeats: int) -> list[Row]:
    """256 candles into the state of one row."""
    x = torch.randn(1, 256, width)
    stack, lstm = XLSTMStack(_config("1:1", width), seed=0).eval(), nn.LSTM(width, width, BLOCKS, batch_first=True)
    with torch.inference_mode():
        ours_s, lstm_s = alternate(lambda: stack(x), lambda: lstm(x), repeats=repeats, warm_ups=3)
        name = f"prefill of 256 steps, 1:1 x{BLOCKS}, D={width}"
        found = [_row(name, ours_s, lstm_s, "nn.LSTM x2")]
        reference = _reference("1:1", width, 256)
        if reference is not None:

            def walk() -> None:
                state = None
                for t in range(256):
                    _, state = reference.step(x[:, t : t + 1], state)

            ours_s, theirs_s = alternate(lambda: stack(x), walk, repeats=2)
            found.append(_row(name, ours_s, theirs_s, f"{REFERENCE}, step by step"))
    return found


def _streaming(width: int, repeats: int) -> list[Row]:
    """One candle of 22 columns to probabilities, batch 1, state carried: compiled, ONNX Runtime, natively."""
    sizes = {"width": width, "blocks": BLOCKS, "heads": HEADS, "ratio": (1, 1)}
    network = create_model("xlstm_small", in_chans=COLUMNS, num_classes=3, seed=0, sequence=sizes)
    classifier = WindowClassifier(create_encoding("sequence", 64, factors=COLUMNS), network).eval()
    lstm = _LSTMStep(width).eval()
    row = np.random.default_rng(0).normal(size=(1, COLUMNS)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        export_step(classifier, Path(folder) / "ours.onnx")
        _export_lstm(lstm, Path(folder) / "lstm.onnx", width)
        graph, native = OnnxStep(Path(folder) / "ours.onnx"), TorchStep(classifier)
        compiled = CompiledStep(classifier)
        session = _session(Path(folder) / "lstm.onnx")
    zeros = [np.zeros((BLOCKS, 1, width), np.float32) for _ in range(2)]

    def lstm_graph(row: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        out, *after = session.run(None, {"rows": row, "h": state[0], "c": state[1]})
        return out, after

    def lstm_native(row: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        with torch.inference_mode():
            out, *after = lstm(torch.from_numpy(row), *map(torch.from_numpy, state))
        return out.numpy(), [one.numpy() for one in after]

    sides = [
        _walk(compiled, row, compiled.fresh(1)),
        _walk(graph, row, graph.fresh(1)),
        _walk(lstm_graph, row, zeros),
        _walk(native, row, native.fresh(1)),
        _walk(lstm_native, row, zeros),
    ]
    compiled_s, graph_s, lstm_graph_s, native_s, lstm_native_s = (
        one / STEPS for one in alternate(*sides, repeats=repeats)
    )
    name = f"streaming step, 1:1 x{BLOCKS}, D={width}"
    ways = {"compiled loop": compiled_s, "ONNX Runtime": graph_s, "PyTorch": native_s}
    peers = {"LSTM x2 in ONNX Runtime": lstm_graph_s, "nn.LSTM x2 in PyTorch": lstm_native_s}
    found = [
        _row(f"{name}, {way}", ours_s, peer_s, peer, 1e6, "µs")
        for way, ours_s in ways.items()
        for peer, peer_s in peers.items()
    ]
    reference = _reference("1:1", width, 64)
    if reference is not None:
        x = torch.randn(1, 1, width)

        def walk() -> None:
            state = None
            with torch.inference_mode():
                for _ in range(STEPS):
                    _, state = reference.step(x, state)

        both = alternate(*sides[:2], walk, repeats=max(repeats // 3, 2))
        compiled_s, graph_s, theirs_s = (one / STEPS for one in both)
        for way, ours_s in (("compiled loop", compiled_s), ("ONNX Runtime", graph_s)):
            found.append(_row(f"{name}, {way}", ours_s, theirs_s, f"{REFERENCE}, stack alone", 1e6, "µs"))
    return found


STEPS = 100


def _walk(step: Callable[[Any, list[Any]], tuple[Any, list[Any]]], row: Any, state: list[Any]) -> Callable[[], None]:
    def run() -> None:
        carried = state
        for _ in range(STEPS):
            _, carried = step(row, carried)

    return run


class _LSTMStep(nn.Module):
    """The same embedding and classifier around LSTM layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed, self.fc = nn.Linear(COLUMNS, width), nn.Linear(width, 3)
        self.lstm = nn.LSTM(width, width, BLOCKS, batch_first=True)

    def forward(self, rows: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out, (h, c) = self.lstm(self.embed(rows)[:, None], (h, c))
        return torch.softmax(self.fc(out[:, 0]), dim=-1), h, c


def _export_lstm(lstm: _LSTMStep, path: Path, width: int) -> None:
    zeros = torch.zeros(BLOCKS, 1, width)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            lstm, (torch.zeros(1, COLUMNS), zeros, zeros), dynamo=True, opset_version=18,
            input_names=["rows", "h", "c"], verbose=False,
        )  # fmt: skip
        assert program is not None
        program.save(str(path), external_data=False)


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _config(mix: str, width: int) -> Config:
    return Config(width=width, blocks=BLOCKS, heads=HEADS, slstm_at=MIXES[mix])


def _reference(mix: str, width: int, length: int) -> Any:
    """The public package's stack of the same shape, or None where it is not installed."""
    if importlib.util.find_spec("xlstm") is None:
        return None
    import xlstm

    places = list(MIXES[mix])
    return xlstm.xLSTMBlockStack(
        xlstm.xLSTMBlockStackConfig(
            mlstm_block=xlstm.mLSTMBlockConfig(mlstm=xlstm.mLSTMLayerConfig(num_heads=HEADS)),
            slstm_block=xlstm.sLSTMBlockConfig(
                slstm=xlstm.sLSTMLayerConfig(backend="vanilla", num_heads=HEADS), feedforward=xlstm.FeedForwardConfig()
            ),
            context_length=length,
            num_blocks=BLOCKS,
            embedding_dim=width,
            slstm_at=places,
        )
    )


def _pass(forward: Callable[[], Tensor], network: nn.Module) -> Callable[[], None]:
    def run() -> None:
        network.zero_grad(set_to_none=True)
        forward().square().mean().backward()

    return run


def _row(name: str, ours_s: float, peer_s: float, peer_name: str, factor: float = 1e3, unit: str = "ms") -> Row:
    return Row(
        name=name, ours=factor * ours_s, peer=factor * peer_s, peer_name=peer_name, unit=unit, lower_is_better=True
    )


if __name__ == "__main__":
    main(rows, "xLSTM on one thread: training, prefill and streaming.", packages=("xlstm", "onnxruntime"))
