"""Why a network of order books says what it says at one time: heat on the levels and on the rows that it read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.book_networks import taught_until_ms
from triptych.bootstrap.explanation_pictures import draw_axis, draw_image_and_heat, new_figure, save_figure
from triptych.bootstrap.run_folder import RECORD, TRADED, open_run
from triptych.bootstrap.telling import Tell, silent
from triptych.domain import CLASSES, utc
from triptych.domain.errors import DataError
from triptych.domain.files import write_json
from triptych.inference import load_artifact
from triptych.inference.book_rows import book_artifact_in, book_card
from triptych.inference.explain import Explanation, Method, explain
from triptych.market.books import BookTape, read_books, sample_at
from triptych.market.books.belonging import same_symbol
from triptych.market.store import to_ms

LEADING = 10
OLDEST_MS = 5_000
"""A book last seen longer before the time of a row is none, unless rows are farther apart or `trading` says so."""


@dataclass(frozen=True, kw_only=True)
class ExplainedBook:
    """What a network of order books said at one time, explained.

    Attributes:
        explanation: heat on the image the network saw, by row of the recording and by level.
        symbol, time_ms: instrument, and time of the last row that was read, UTC milliseconds.
        learned_from_it: whether books of this time, or of later, taught the network.
        taught_by: instruments whose books taught it.
        times_ms: int64 of shape (rows,), of the rows that were read.
        mid: float64 of shape (rows,), quote currency.
    """

    explanation: Explanation
    symbol: str
    time_ms: int
    learned_from_it: bool
    taught_by: tuple[str, ...]
    times_ms: NDArray[np.int64]
    mid: NDArray[np.float64]

    @property
    def unknown(self) -> str:
        """What is to be said where no book of this instrument taught the network; empty where one did."""
        if any(same_symbol(self.symbol, one) for one in self.taught_by):
            return ""
        return (
            f"The network was trained on {', '.join(self.taught_by)} and never on {self.symbol}; no test of it says "
            "what it foretells there."
        )

    def leading_rows(self, count: int = LEADING) -> list[dict[str, Any]]:
        """The rows that matter most: time, milliseconds ago, mid, importance and its share of all."""
        values = self.explanation.by_candle
        if values is None or self.explanation.is_flat:
            return []
        whole = float(np.abs(values).sum()) or 1.0
        return [
            {
                "time": _told(int(self.times_ms[i])), "ms_ago": int(self.time_ms - self.times_ms[i]),
                "mid": float(self.mid[i]), "importance": float(values[i]), "share": float(abs(values[i]) / whole),
            }
            for i in np.argsort(-np.abs(values), kind="stable")[:count]
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        one = self.explanation
        return {
            "symbol": self.symbol, "time": _told(self.time_ms), "learned_from_it": self.learned_from_it,
            "taught_by": list(self.taught_by), "warning": self.unknown,
            "method": one.method, "target": one.target,
            "probabilities": {name: float(p) for name, p in zip(CLASSES, one.probabilities, strict=True)},
            "facts": one.facts, "flat": one.is_flat, "leading_rows": self.leading_rows(),
            "times": [_told(int(time)) for time in self.times_ms],
            "by_row": None if one.by_candle is None else one.by_candle.tolist(),
            "axes": [axis.to_dict() for axis in one.axes],
            "heat": one.heat.tolist(),
        }  # fmt: skip


def explain_book(
    folder: Path,
    books: Sequence[Path],
    *,
    at: str = "",
    symbol: str | None = None,
    method: Method | None = None,
    target: str = "",
    tell: Tell = silent,
) -> ExplainedBook:
    """Explain what a network of order books says at one time of a recording.

    Args:
        folder: of a run of `triptych books train`.
        books: one recording, or several files of one that follow one another.
        at: UTC, such as 2024-07-19T00:03:10; the rows up to then are read. Empty or `last`: the end of the recording.
        symbol: which instrument, where the recording holds several.
        method: see `triptych.inference.explain`; None takes integrated gradients.
        target: class to explain; empty takes the likeliest.
        tell: told every stage in words.

    Raises ArtifactError for a folder without such a network, DataError for a time at which a row is missing or stale,
    or before which a gap lies between the rows, and what `explain` raises.
    """
    card = book_card(folder)
    every_ms, levels = int(card.target["every_ms"]), card.columns // 4
    asked = span_of(books, symbol, levels)[1] if at in ("", "last") else to_ms(at)
    time_ms = asked // every_ms * every_ms
    times = time_ms + np.arange(1 - card.length, 1, dtype=np.int64) * every_ms
    tape = read_books(list(books), symbol=symbol, levels=levels, at_ms=times)
    rows = _rows_at(tape, times, oldest_ms(folder, every_ms))
    tell(f"{tape.symbol}: {card.length} books, {every_ms} ms apart, up to {_told(time_ms)} UTC.")
    classifier = load_artifact(book_artifact_in(folder)).classifier()
    found = explain(classifier, rows.rows(levels).astype(np.float32), method=method or "integrated_gradients",
                    target=target)  # fmt: skip
    return ExplainedBook(
        explanation=_priced(found, rows), symbol=tape.symbol, time_ms=time_ms,
        learned_from_it=time_ms < taught_until_ms(folder), taught_by=card.symbols, times_ms=times, mid=rows.mid,
    )  # fmt: skip


def span_of(books: Sequence[Path], symbol: str | None, levels: int) -> tuple[int, int]:
    """Times of the first and the last book of a recording in UTC ms. Raises as `read_books` does."""
    times = read_books(list(books), symbol=symbol, levels=levels, at_ms=np.empty(0, np.int64)).time_ms
    return int(times[0]), int(times[-1])


def oldest_ms(folder: Path, every_ms: int) -> int:
    """How old a book may be in milliseconds: as old as where the network is traded, if it is."""
    traded = open_run(folder).recipe.data.books.max_age_ms if (folder / TRADED / RECORD).exists() else None
    return max(OLDEST_MS, every_ms) if traded is None else traded


def _rows_at(tape: BookTape, times: NDArray[np.int64], oldest: int) -> BookTape:
    sample = sample_at(tape, times, oldest)
    if sample.is_stale.any() or np.isnan(sample.tape.mid).any():
        raise DataError(
            f"{tape.symbol}: of the {len(times)} books up to {_told(int(times[-1]))} UTC one is missing, or more than "
            f"{oldest / 1000:g} s old.",
            remedy=f"Choose another time: there are books from {utc(int(tape.time_ms[0]))} to "
            f"{utc(int(tape.time_ms[-1]))} UTC.",
        )
    segment, broken = sample.tape.segment, np.diff(sample.tape.segment) > 0
    if segment[0] != segment[-1]:
        raise DataError(
            f"{tape.symbol}: between the {len(times)} books up to {_told(int(times[-1]))} UTC lies a gap of the "
            f"recording, before {_told(int(times[1 + int(np.argmax(broken))]))}.",
            remedy="Choose another time: no window that the network learned from reaches over a gap.",
        )
    return sample.tape


def _priced(found: Explanation, rows: BookTape) -> Explanation:
    """The explanation with the price beside the name of each level, as it was in the last row."""

    def named(name: str) -> str:
        parts = name.split(" ")
        if len(parts) != 3 or parts[0] not in ("bid", "ask") or not parts[2].isdigit():
            return name
        prices = rows.bid_prices if parts[0] == "bid" else rows.ask_prices
        return f"{name} at {prices[-1, int(parts[2]) - 1]:.10g}"

    axes = tuple(replace(axis, names=tuple(map(named, axis.names))) for axis in found.axes)
    return replace(found, axes=axes)


def write_explained_book(decision: ExplainedBook, path: Path) -> list[Path]:
    """Write FILE.png and FILE.json. Raises DataError unless the name ends in .png, StorageError when the disk
    refuses."""
    one = decision.explanation
    figure = new_figure(path, width=14.0, height=9.0)
    grid = figure.add_gridspec(2, 3, height_ratios=(1.25, 1.0), width_ratios=(1.0, 1.0, 0.7))
    draw_image_and_heat([figure.add_subplot(grid[0, place]) for place in (0, 1)], one)
    draw_axis(figure.add_subplot(grid[0, 2]), one)
    axes = figure.add_subplot(grid[1, :])
    seconds = (decision.times_ms - decision.time_ms) / 1000
    if one.by_candle is not None:
        width = 0.9 * (seconds[1] - seconds[0]) if len(seconds) > 1 else 1.0
        axes.bar(seconds, one.by_candle, width=width, color="#8888cc", zorder=1)
    mid = axes.twinx()
    mid.step(seconds, decision.mid, where="post", color="black", linewidth=1.0)
    axes.set_title("importance by book (bars), and the mid", loc="left", fontsize=10)
    axes.set_xlabel("seconds before", fontsize=8)
    said = ", ".join(f"{name} {p:.1%}" for name, p in zip(CLASSES, one.probabilities, strict=True))
    figure.suptitle(f"{decision.symbol} {_told(decision.time_ms)} UTC: {said}. Explained: {one.target}.", fontsize=12)
    return [save_figure(figure, path), write_json(path.with_suffix(".json"), decision.to_dict())]


def _told(time_ms: int) -> str:
    return utc(time_ms) if time_ms % 1000 == 0 else f"{utc(time_ms)}.{time_ms % 1000:03d}"
