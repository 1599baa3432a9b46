"""Whether explanations of a network of order books explain: sanity checks on the answers it was surest of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.book_networks import taught_until_ms
from triptych.bootstrap.books.explaining import oldest_ms, span_of
from triptych.bootstrap.explaining import methods_of
from triptych.bootstrap.explanation_checks import DECISIONS, Look, checked
from triptych.bootstrap.surest import PROBABILITIES, Apart, surest_of_all, with_likeliest
from triptych.domain import utc
from triptych.domain.errors import NotEnoughData
from triptych.inference import Artifact, load_artifact
from triptych.inference.book_rows import book_artifact_in, book_card
from triptych.inference.explain import Method
from triptych.market.books import BookTape, read_books, sample_at
from triptych.training.seeds import derive_seed

CHUNK: Final = 512


def check_book_explanations(
    folder: Path,
    books: Sequence[Path],
    *,
    decisions: int = DECISIONS,
    symbol: str | None = None,
    methods: tuple[Method, ...] = (),
) -> list[dict[str, Any]]:
    """Sanity checks of every method on the answers of a network of order books that it was surest of.

    The answers are those to the windows of a recording whose books all came after those that taught the network, at
    the multiples of its own `every_ms`, as `explain_book` reads them. They are taken by turns from those where sell,
    hold and buy is the likeliest class, and share no book with one another.

    Args:
        folder: of a run of `triptych books train`.
        books: one recording, or several files of one that follow one another.
        decisions: how many; fewer are taken where the recording holds not so many that share no book.
        symbol: which instrument, where the recording holds several.
        methods: only these; empty takes all that the network allows.

    Returns:
        What `check_explanations` gives.

    Raises as `explain_book`, NotEnoughData for a recording without such a window.
    """
    card = book_card(folder)
    every_ms, levels, length = int(card.target["every_ms"]), card.columns // 4, card.length
    tape = _on_the_grid(books, symbol, levels, every_ms, oldest_ms(folder, every_ms))
    ends = _untaught(tape, length, taught_until_ms(folder))
    if not len(ends):
        raise NotEnoughData(
            f"{tape.symbol}: no {length} books, {every_ms} ms apart and without a gap, come after "
            f"{utc(taught_until_ms(folder))} UTC, until when books taught the network.",
            remedy="Bring a later or a longer recording.",
        )
    artifact = load_artifact(book_artifact_in(folder))
    rows = tape.rows(levels).astype(np.float32)
    frame = _answers(artifact, rows, ends, length).with_columns(
        time=pl.Series(tape.time_ms[ends]), symbol=pl.lit(tape.symbol), fold=pl.lit(0)
    )
    chosen = surest_of_all(with_likeliest(frame), decisions, Apart(candles=length, closes={tape.symbol: tape.time_ms}))
    classifier = artifact.classifier()
    looks = []
    for one in chosen:
        end = int(np.searchsorted(tape.time_ms, one.time_ms))
        seed = derive_seed(card.seed, "explanations", one.time_ms)
        looks.append(Look(classifier=classifier, window=rows[end - length + 1 : end + 1], seed=seed))
    return [
        checked(method, looks, derive_seed(card.seed, "explanations", method))
        for method in methods or methods_of(artifact)
    ]


def _on_the_grid(books: Sequence[Path], symbol: str | None, levels: int, every_ms: int, oldest: int) -> BookTape:
    """The books as they stood at every multiple of `every_ms`; those that are missing or too old are NaN."""
    first, last = span_of(books, symbol, levels)
    times = np.arange(-(-first // every_ms) * every_ms, last + 1, every_ms, dtype=np.int64)
    tape = read_books(list(books), symbol=symbol, levels=levels, at_ms=times)
    return sample_at(tape, times, oldest).tape


def _untaught(tape: BookTape, length: int, taught_ms: int) -> NDArray[np.int64]:
    """Rows at which a window ends that is whole, crosses no gap, and holds no book that taught; int64 of shape (k,)."""
    if len(tape) < length:
        return np.empty(0, dtype=np.int64)
    ends = np.arange(length - 1, len(tape))
    first = ends - (length - 1)
    missing = np.concatenate(([0], np.cumsum(np.isnan(tape.mid))))
    whole = (tape.segment[ends] == tape.segment[first]) & (missing[ends + 1] == missing[first])
    kept: NDArray[np.int64] = ends[whole & (tape.time_ms[first] >= taught_ms)]
    return kept


def _answers(artifact: Artifact, rows: NDArray[np.float32], ends: NDArray[np.int64], length: int) -> pl.DataFrame:
    """The three probabilities at each end of a window."""
    predictor = artifact.predictor()
    steps = np.arange(1 - length, 1)
    parts = [
        predictor.probabilities(rows[ends[start : start + CHUNK, None] + steps]) for start in range(0, len(ends), CHUNK)
    ]
    return pl.DataFrame(np.concatenate(parts), schema=list(PROBABILITIES))
