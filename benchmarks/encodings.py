"""Images per second of every encoding, beside pyts and mplfinance, and beside what memory can take.

Everything is measured on one thread, then on two; pyts and mplfinance use one whatever they are given. The floor is the
rate at which as many threads can fill an output-sized buffer, already mapped, by torch or by the C library, whichever
is quicker; a row in which drawing was quicker still says so. The first rows ("as it comes") are measured as any program
has it. Before the others the C library is told to keep freed memory, for all sides alike (glibc only), so that drawing
is timed and not the page faults of peers. pyts compiles its loops on import; that takes half a minute, is not timed,
and is kept on disk. Charts are also written as PNG files, on one worker and on two.

Names: encoding, height x width, candles (or rows of the book) in a window where the width is not their number, images
in a batch, threads. Squares and charts come in two batches: large ones, whose images do not fit into the caches,
so that main memory sets the pace of all sides; and batches of some 8 MB, as a step of training draws them. What a
figure could be at best is the floor of its row: 64 charts of 224 x 224 are 38 MB, so no chart takes less than a 64th
of the time in which the machine fills those. "points" is the recurrence plot of the nearest 10 % of points.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import importlib
import itertools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._pictures import picture_rows
from benchmarks._table import Row, alternate, main
from benchmarks._windows import windows
from triptych.domain import CLOSE
from triptych.images import AbstractEncoding, StreamingEncoder, available, create_encoding
from triptych.inference import WindowRows

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """An encoding to measure.

    Attributes:
        name: of the encoding; `options` are those of its Config.
        length: candles (or rows of the book, of factors) in a window.
        batch: images in a batch.
        peer: class in pyts.image and its options, or "mplfinance" and none.
    """

    name: str
    length: int
    batch: int
    options: dict[str, object] = field(default_factory=dict)
    peer: tuple[str, dict[str, object]] | None = None


POINTS = {"threshold": "point", "share": 0.1}
UPDATES = 32
"""Candles of a stream that are timed together."""
LENGTHS = {"factor_grid": (896,), "jkx": (20, 60)}
"""Rows in a window of the encodings without a peer, where 64 will not do."""


def subjects() -> Iterator[Subject]:
    """Everything that `available()` lists, some of it in two sizes."""
    for length, batch in ((64, 2048), (64, 512), (224, 512), (224, 32)):
        square = functools.partial(Subject, length=length, batch=batch)
        yield square(name="gasf", peer=("GramianAngularField", {"method": "summation"}))
        yield square(name="gadf", peer=("GramianAngularField", {"method": "difference"}))
        yield square(name="recurrence_plot", peer=("RecurrencePlot", {}))
        points = ("RecurrencePlot", {"threshold": "point", "percentage": 10})
        yield square(name="recurrence_plot", options=POINTS, peer=points)
        yield square(name="markov_transition_field", peer=("MarkovTransitionField", {"n_bins": 8}))
    for size, length, batch in ((64, 20, 64), (224, 60, 64), (224, 60, 16)):
        shape: dict[str, object] = {"height": size, "width": size}
        yield Subject(name="candlestick", length=length, batch=batch, options=shape, peer=("mplfinance", {}))
    known = {"gasf", "gadf", "recurrence_plot", "markov_transition_field", "candlestick"}
    for name in available():
        for length in () if name in known else LENGTHS.get(name, (64,)):
            yield Subject(name=name, length=length, batch=64)


def large() -> Iterator[Subject]:
    """Large images, for the rows that are measured first."""
    for subject in subjects():
        if subject.options.get("height", subject.length) == 224 and subject.peer is not None:
            yield subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How long to measure: rounds, calls before them, part of the full batch; on what, and what is special about it."""

    repeats: int
    warm_ups: int
    share: float
    threads: int = 1
    device: str = "cpu"
    memory: str = ""

    @property
    def label(self) -> str:
        """For the names of rows."""
        if self.device != "cpu":
            return self.device
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{threads}, {self.memory}" if self.memory else threads


QUICK = Plan(repeats=3, warm_ups=1, share=0.25)
FULL = Plan(repeats=11, warm_ups=3, share=1.0)


def rows(quick: bool) -> list[Row]:
    """Measure on one thread, on two if there are two cores, and on the GPU if there is one."""
    plan = QUICK if quick else FULL
    torch.set_num_threads(1)
    table = [measure(subject, replace(plan, memory="as it comes")) for subject in large()]
    keep_freed_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for threads in (1, 2):
        if threads <= cores:
            torch.set_num_threads(threads)
            table += on_one_device(replace(plan, threads=threads))
            table += factor_grids(replace(plan, threads=threads))
            if threads == 1:
                table += pictures(plan)
                table += streams(plan) + without_kernels(plan)
    torch.set_num_threads(1)
    if torch.cuda.is_available():
        table += on_one_device(replace(plan, device="cuda"))
    return table


def on_one_device(plan: Plan) -> list[Row]:
    """Every encoding, and the floor by itself."""
    table = [measure(subject, plan) for subject in subjects()]
    for batch, shape in ((2048, (1, 64, 64)), (512, (1, 224, 224)), (64, (3, 64, 64)), (64, (3, 224, 224))):
        fill = filler(batch, shape, plan)
        (seconds,) = alternate(fill, repeats=plan.repeats, warm_ups=plan.warm_ups)
        rate = batch / seconds
        name = f"memory writes {batch}x{'x'.join(map(str, shape))}, {plan.label}"
        table.append(Row(name=name, ours=rate, floor=rate, unit="images/s"))
    return table


def measure(subject: Subject, plan: Plan) -> Row:
    """Ours, the floor and the peer in turns, float32 (pyts offers float64 only)."""
    encoding = create_encoding(subject.name, subject.length, **subject.options)
    batch = max(2, round(subject.batch * plan.share))
    window = windows(batch, encoding)
    ours = on_device(encoding, window, plan)
    peer, peer_images, peer_name = peer_of(subject, window, plan)
    shape = encoding.channels, encoding.height, encoding.width
    sides = [ours, filler(batch, shape, plan), setter(batch, shape, plan)]
    with torch.inference_mode():
        seconds = alternate(*sides, *([] if peer is None else [peer]), repeats=plan.repeats, warm_ups=plan.warm_ups)
    floor = min(seconds[1], seconds[2])
    above = ", above the floor" if seconds[0] < floor else ""
    points = " points" if subject.options == POINTS else ""
    rows_in = "" if encoding.width == subject.length else f" of {subject.length}"
    return Row(
        name=f"{subject.name}{points} {encoding.height}x{encoding.width}{rows_in}, batch {batch}, {plan.label}{above}",
        ours=batch / seconds[0],
        floor=batch / floor,
        peer=peer_images / seconds[3] if peer is not None else None,
        peer_name=peer_name,
        unit="images/s",
    )


def on_device(encoding: AbstractEncoding, window: torch.Tensor, plan: Plan) -> Callable[[], object]:
    """Our side: windows that are on the device already become images there."""
    if plan.device == "cpu":
        return lambda: encoding(window)
    there, moved = copy.deepcopy(encoding).to(plan.device), window.to(plan.device)
    return finished(lambda: there(moved))


def peer_of(subject: Subject, window: torch.Tensor, plan: Plan) -> tuple[Callable[[], object] | None, int, str]:
    """What the peer is to call, how many images that makes, and its name or why it is missing."""
    if subject.peer is None or plan.device != "cpu":
        return None, 0, ""
    name, options = subject.peer
    if name == "mplfinance":
        module, missing = peer_module("mplfinance")
        return (chart(module, window[0], subject) if module else None), 1, missing or "mplfinance"
    module, missing = peer_module("pyts.image")
    if module is None:
        return None, 0, missing
    image = getattr(module, name)(**options)
    closes = window[..., CLOSE].double().numpy()
    return (lambda: image.transform(closes)), len(closes), "pyts"


def chart(mplfinance: Any, window: torch.Tensor, subject: Subject) -> Callable[[], object]:
    """Candles and volume as an RGB array, one figure at a time, which is all mplfinance offers."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    import pandas as pd

    mpl.use("Agg")
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # its style asks for a font we need not have
    frame = pd.DataFrame(
        window.double().numpy(),
        columns=["Open", "High", "Low", "Close", "Volume"],
        index=pd.date_range("2024-01-01", periods=len(window), freq="h"),
    )
    inches = float(str(subject.options["width"])) / 100

    def draw() -> object:
        figure, _ = mplfinance.plot(
            frame, type="candle", volume=True, axisoff=True, returnfig=True, figsize=(inches, inches)
        )
        figure.set_dpi(100)
        figure.canvas.draw()
        image = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
        plt.close(figure)
        return image

    return draw


def factor_grids(plan: Plan) -> list[Row]:
    """Grids of 224 x 224, 4 channels: 56 days x 16 candles x 56 factors of 4 instruments, in random order from a table.

    A window is a view of the table. A batch of them is gathered once, and drawn from there; the peer cuts, turns,
    scales and stacks one grid after the other.
    """
    days, length, batch, clip = 140, 56 * 16, 32, 3.0
    table = np.random.default_rng(0).standard_normal((days * 16, 4 * 56), dtype=np.float32)
    ends = np.arange(length - 1, len(table), 16)
    encoding = create_encoding("factor_grid", length, channels=4, factors=56, bars_per_row=4, clip=clip)
    assert (encoding.channels, encoding.height, encoding.width) == (4, 224, 224)
    views = WindowRows(values=table, ends=ends, step=16).windows(length)[::16]
    chosen = np.random.default_rng(1).choice(len(ends), batch, replace=False)

    def ours() -> torch.Tensor:
        image: torch.Tensor = encoding(torch.from_numpy(views[chosen]))
        return image

    def stacked() -> NDArray[np.float32]:
        grids = (table[end - length + 1 : end + 1].reshape(224, 4, 4, 56) for end in ends[chosen])
        turned = (grid.transpose(2, 0, 1, 3).reshape(4, 224, 224) for grid in grids)
        return np.stack([np.clip((grid + np.float32(clip)) * np.float32(0.5 / clip), 0, 1) for grid in turned])

    assert np.abs(ours().numpy() - stacked()).max() < 1e-6
    seconds = alternate(ours, stacked, filler(batch, (4, 224, 224), plan), repeats=plan.repeats, warm_ups=plan.warm_ups)
    return [
        Row(
            name=f"factor grids 4x224x224 from a table, shuffled batch of {batch}, {plan.label}",
            ours=batch / seconds[0],
            peer=batch / seconds[1],
            peer_name="grids stacked (NumPy)",
            floor=batch / seconds[2],
            unit="images/s",
        )
    ]


def pictures(plan: Plan) -> list[Row]:
    """Charts as PNG files."""
    subject = Subject(name="candlestick", length=60, batch=1, options={"height": 224, "width": 224})
    encoding = create_encoding(subject.name, subject.length, **subject.options)
    window = windows(2, encoding)
    module, _ = peer_module("mplfinance")
    draw = chart(module, window[0], subject) if module else None
    long = windows(1, create_encoding("gasf", 700))[0].double().numpy()
    return picture_rows(long, 256 if plan.share < 1 else 512, plan.repeats, draw)


def streams(plan: Plan) -> list[Row]:
    """The image of one instrument after every candle, as a live session draws it."""
    table = []
    for subject in large():
        if subject.batch > UPDATES:
            continue
        encoding = create_encoding(subject.name, subject.length, **subject.options)
        stream = StreamingEncoder(encoding)
        candles = windows(2, encoding).flatten(0, 1).numpy()
        for candle in candles:
            stream.append(candle)
        coming = itertools.cycle(candles)

        def follow(stream: StreamingEncoder = stream, coming: Iterator[Any] = coming) -> None:
            for _ in range(UPDATES):
                stream.update(next(coming))

        def fill(one: Callable[[], object] = filler(1, tuple(stream.image().shape[1:]), plan)) -> None:  # noqa: B008
            for _ in range(UPDATES):
                one()

        seconds = alternate(follow, fill, repeats=plan.repeats)
        points = " points" if subject.options == POINTS else ""
        table.append(
            Row(
                name=f"{subject.name}{points} {encoding.height}x{encoding.width}, candle by candle, {plan.label}",
                ours=seconds[0] / UPDATES * 1e6,
                floor=seconds[1] / UPDATES * 1e6,
                unit="us an update",
                lower_is_better=True,
            )
        )
    return table


def without_kernels(plan: Plan) -> list[Row]:
    """Encodings whose kernels do what matrix products could do, beside their own plain tensor operations."""
    table = []
    for name, options in (("scalogram", {}), ("scalogram", {"wavelet": "ricker"}), ("spectrogram", {})):
        for length in (120, 224):
            encoding = create_encoding(name, length, **options)
            window = windows(64, encoding)
            plain = window.clone().requires_grad_()  # whoever wants a gradient gets no kernel
            seconds = alternate(
                functools.partial(encoding, window),
                functools.partial(encoding, plain),
                filler(64, (encoding.channels, encoding.height, encoding.width), plan),
                repeats=plan.repeats,
                warm_ups=plan.warm_ups,
            )
            wavelet = "".join(f" {value}" for value in options.values())
            size = f"{encoding.height}x{encoding.width}"
            table.append(
                Row(
                    name=f"{name}{wavelet} {size}, kernel or plain, batch 64, {plan.label}",
                    ours=64 / seconds[0],
                    peer=64 / seconds[1],
                    peer_name="plain tensors (torch, with its graph)",
                    floor=64 / seconds[2],
                    unit="images/s",
                )
            )
    return table


def filler(batch: int, shape: tuple[int, ...], plan: Plan) -> Callable[[], object]:
    """Fills one buffer again and again."""
    buffer = torch.empty(batch, *shape, device=plan.device)
    if plan.device == "cpu":
        return lambda: buffer.fill_(0.5)
    return finished(lambda: buffer.fill_(0.5))


def setter(batch: int, shape: tuple[int, ...], plan: Plan) -> Callable[[], object]:
    """The same by the C library, which writes past the caches where that is quicker; on one thread of a CPU."""
    if plan.device != "cpu" or plan.threads > 1:
        return filler(batch, shape, plan)
    buffer = torch.empty(batch, *shape)
    return lambda: ctypes.memset(buffer.data_ptr(), 0, buffer.nbytes)


def finished(work: Callable[[], object]) -> Callable[[], object]:
    """The same work, waited for on the GPU."""

    def run() -> None:
        work()
        torch.cuda.synchronize()

    return run


@functools.cache
def peer_module(name: str) -> tuple[Any, str]:
    """The peer, or None and why it is missing; what it compiles on import is kept for the next run."""
    compile_ = numba.njit
    numba.njit = lambda *signatures, **options: compile_(*signatures, **{"cache": True, **options})
    try:
        return importlib.import_module(name), ""
    except ImportError as error:
        return None, f"not installed: {error}"
    finally:
        numba.njit = compile_


def keep_freed_memory() -> None:
    """Make glibc keep freed memory instead of handing it back after every batch."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(M_MMAP_MAX, 0)
            library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


if __name__ == "__main__":
    main(
        rows,
        "Encodings: images per second, raw windows to float32 images, one batch after another.",
        packages=("pyts", "mplfinance", "matplotlib"),
    )
