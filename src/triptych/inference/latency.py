"""How long a prediction takes, of a window or of one step, and what it holds in memory: measured on this machine."""

from __future__ import annotations

import io
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from triptych.domain.errors import RecipeError
from triptych.images.sequence import Sequence as SequenceEncoding
from triptych.inference.classifier import ProbabilityHead, WindowClassifier
from triptych.inference.compiled_step import CompiledStep, compiles
from triptych.inference.export import INPUT, OPSET, OUTPUT, export_onnx
from triptych.inference.quiet_export import quiet_export
from triptych.inference.step import AbstractStep, OnnxStep, TorchStep, export_step

Runtime = Literal["onnx", "torch"]
ROUND_S, ROUNDS, FEWEST = 0.05, 3, 20
WARM = 3


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds of one call: median, and what 1 in 100 exceeds; `calls` were timed."""

    p50_ms: float
    p99_ms: float
    calls: int


def measure(call: Callable[[], object], *, round_s: float = ROUND_S, rounds: int = ROUNDS) -> Latency:
    """Time a call. Of several rounds the quietest one counts: others on the machine only make it slower.

    Args:
        call: what to time; called a few times before.
        round_s: seconds a round takes at least; also at least 20 calls.
        rounds: how many.
    """
    for _ in range(WARM):
        call()
    found = [_round(call, round_s) for _ in range(rounds)]
    p50, p99 = (min(float(np.percentile(one, level)) for one in found) for level in (50, 99))
    return Latency(p50_ms=p50 * 1e3, p99_ms=max(p50, p99) * 1e3, calls=sum(len(one) for one in found))


def _round(call: Callable[[], object], round_s: float) -> list[float]:
    seconds: list[float] = []
    end = time.perf_counter() + round_s
    while len(seconds) < FEWEST or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def prediction_call(
    classifier: WindowClassifier, *, length: int, width: int, runtime: Runtime = "onnx", threads: int = 1
) -> Callable[[], object]:
    """A call that predicts one window, of shape (1, length, width), as the model would be served.

    For a network of images the graph for ONNX Runtime is traced, which takes a second where a full export takes ten;
    its operations are the same. A network of sequences is exported in full, since a trace unrolls its loops: another
    graph, slower than the one that is served. `classifier` may be untrained; it is left in evaluation mode.
    """
    head = ProbabilityHead(classifier).eval().cpu()
    window = torch.linspace(1.0, 2.0, 2 * length * width).reshape(2, length, width)
    if runtime == "torch":
        return lambda: _predict(head, window[:1], threads)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(_graph(head, window), options, providers=["CPUExecutionProvider"])
    fed = {INPUT: np.ascontiguousarray(window[:1].numpy())}
    return lambda: session.run(None, fed)


def step_call(classifier: WindowClassifier, *, runtime: Runtime = "onnx") -> Callable[[], object]:
    """A call that makes one step of one row with its memory, on one thread, as the model would be served.

    That is the compiled loop, or ONNX Runtime for a network that has none. Raises ArtifactError where the network
    cannot be asked step by step. `classifier` may be untrained; it is left in evaluation mode.
    """
    step: AbstractStep
    if runtime == "torch":
        step = TorchStep(classifier)
    elif compiles(classifier):
        step = CompiledStep(classifier.eval())
    else:
        with tempfile.TemporaryDirectory() as folder:
            export_step(classifier, Path(folder) / "step.onnx")
            step = OnnxStep(Path(folder) / "step.onnx")
    return served_step(step, classifier.network.in_chans)  # type: ignore[arg-type]


def served_step(step: AbstractStep, columns: int) -> Callable[[], object]:
    """A call that makes one step of one row of so many columns."""
    row, state = np.linspace(-1.0, 1.0, columns, dtype=np.float32)[None], step.fresh(1)
    return lambda: step(row, state)


def _predict(head: ProbabilityHead, window: Tensor, threads: int) -> Tensor:
    with _threads(threads), torch.inference_mode():
        found: Tensor = head(window)
    return found


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if before != threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        if before != threads:
            torch.set_num_threads(before)


def _graph(head: ProbabilityHead, window: Tensor) -> bytes:
    """The graph of one window. Raises RecipeError when the network cannot be exported at all."""
    file: Any = io.BytesIO()  # annotated as a path only, and takes files
    if isinstance(head.classifier.encoding, SequenceEncoding):
        return _as_exported(head, window)
    with quiet_export(), torch.no_grad():  # the tracer is old and says so; artifacts are exported by the new one
        try:
            torch.onnx.export(
                head, (window[:1],), file, dynamo=False, opset_version=OPSET, input_names=[INPUT],
                output_names=[OUTPUT],
            )  # fmt: skip
            return bytes(file.getvalue())
        except Exception:  # the tracer knows fewer operations, and has no common class for what it does not know
            return _as_exported(head, window)


def _as_exported(head: ProbabilityHead, window: Tensor) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            export_onnx(head.classifier, window.shape[1], path, width=window.shape[2])
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise RecipeError(
                f"The network cannot be exported to ONNX: {first}.",
                remedy="Choose another network or encoding, or measure with tune.runtime = 'torch'.",
            ) from error
        return path.read_bytes()


def memory_mb(classifier: WindowClassifier, *, length: int, width: int) -> float:
    """Megabytes (10^6 bytes) of weights and buffers, and of the tensors of one prediction that live at the same time.

    A property of the network, the same on every machine; what a runtime needs for itself comes on top.
    """
    held = sum(t.numel() * t.element_size() for t in (*classifier.parameters(), *classifier.buffers()))
    window = torch.linspace(1.0, 2.0, 2 * length * width).reshape(2, length, width)[:1]
    with torch.no_grad(), _Watch() as watch:
        ProbabilityHead(classifier).eval()(window)
    return float(held + watch.peak) / 1e6


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that operations make, and forgets those that are freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._live = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, tuple | list) else (found,):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return found

    def _count(self, storage: Any) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        if place in self._known or not size:
            return
        self._known.add(place)
        self._live += size
        self.peak = max(self.peak, self._live)
        weakref.finalize(storage, self._forget, place, size)

    def _forget(self, place: int, size: int) -> None:
        if place in self._known:
            self._known.discard(place)
            self._live -= size
