"""Order books beside candles: each candle carries the book as it stood when it closed, or none where that was too old.

What a recipe reads says how many levels are needed; where nothing reads a book, none is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from triptych import features
from triptych.domain import CandleSeries, Timeframe, utc
from triptych.domain.candle import BY_NETWORK
from triptych.domain.errors import DataError, NotEnoughData, RecipeError
from triptych.features.channels import symbols_and_extras
from triptych.features.extra_channels import levels_of
from triptych.images import load
from triptych.inference import BookNeed, Columns
from triptych.inference.columns import no_whole_days
from triptych.market.books import BookSample, BookTape, detect, read_books, sample_at
from triptych.market.books.belonging import FARTHEST, same_symbol
from triptych.market.books.row_reading import notes_of, times_read
from triptych.market.synthetic import SyntheticMarket
from triptych.settings import Recipe, members_of
from triptych.settings.books_beside import BooksConfig

USUAL_MAX_AGE_MS: Final = 5_000
"""Unless the recipe says another: a book this old is none, nor is one older than a candle."""


def columns_of(recipe: Recipe) -> Columns:
    """What the encoding of a recipe reads. Raises RecipeError when it cannot be built."""
    return Columns(load(recipe.encoding.name).build(recipe.encoding, recipe.window.length).columns)


def levels_read(recipe: Recipe) -> int:
    """Levels a side of order book that a recipe of one model reads; 0: none. Raises ArtifactError for a missing
    detector."""
    return max(columns_of(recipe).levels, _of_factors(recipe))


def book_need(recipe: Recipe, timeframe: Timeframe) -> BookNeed | None:
    """What a recipe, or any of its members, needs of order books; None when nothing reads any."""
    return BookNeed.together(_need_of(one, max_age_ms(recipe.data.books, timeframe)) for one in _models(recipe))


def _need_of(recipe: Recipe, max_age_ms: int) -> BookNeed | None:
    """What a recipe of one model needs."""
    levels, readers = levels_read(recipe), recipe.features.readers
    if levels == 0:
        return None
    return BookNeed(
        levels=max([levels, *(one.levels for one in readers)]),
        max_age_ms=max_age_ms,
        companions=bool(recipe.features.companions and _of_factors(recipe)),
        readers=readers,
    )


def max_age_ms(config: BooksConfig, timeframe: Timeframe) -> int:
    """A book last seen longer before a close of candles of `timeframe` is none, in milliseconds."""
    return min(USUAL_MAX_AGE_MS, timeframe.milliseconds) if config.max_age_ms is None else config.max_age_ms


def lacks_books(recipe: Recipe) -> str:
    """Why the books that a recipe reads cannot be had, in words; empty where it reads none, or says where they are."""
    levels = max(levels_read(one) for one in _models(recipe))
    if levels == 0 or recipe.data.source == "synthetic" or recipe.data.books.path is not None:
        return ""
    return f"{recipe.name} reads {levels} levels of order book a side, and data.books.path names no recording."


def with_books(
    recipe: Recipe,
    series: Sequence[CandleSeries],
    only_seen: Sequence[str],
    market: SyntheticMarket | None,
) -> tuple[list[CandleSeries], list[str]]:
    """The histories with their books beside them, and what is to be told of each.

    Args:
        recipe: names the recordings in `data.books.path`.
        series: histories as they are used, of one timeframe.
        only_seen: symbols of companions, which need books where factors read any.
        market: the embedded market, where the candles are its own: it has books, and no recording is needed.

    Raises RecipeError when a recording is needed and none is named, DataError and its kinds for one that is of another
    instrument, holds too few levels, or knows no book at any close.
    """
    need = book_need(recipe, series[0].timeframe) if series else None
    if need is None:
        return list(series), []
    if any(one.features.names and one.features.day.hours and levels_read(one) for one in _models(recipe)):
        raise no_whole_days()
    found, notes = [], []
    for one in series:
        if one.symbol in only_seen and not need.companions:
            found.append(one)
            continue
        found.append(beside(one, tape_for(recipe, one, need, market), need))
        notes.append(_told(found[-1], need))
    return found, notes


def beside(one: CandleSeries, tape: BookTape, need: BookNeed) -> CandleSeries:
    """Candles with the book as it stood at each close, from a recording of the instrument.

    Raises NotEnoughData for too few levels, DataError when no close has a book or the prices are another instrument's.
    """
    if tape.levels < need.levels:
        raise NotEnoughData(
            f"{one.symbol}: {need.levels} levels of order book a side are read, and the recording has {tape.levels}.",
            remedy=f"Set the levels of the encoding to {tape.levels} or fewer, leave out factors of deeper books, or "
            "bring a deeper recording.",
        )
    sample = sample_at(tape.top(need.levels), one.close_time_ms, need.max_age_ms)
    refuse_strangers(one, tape, sample, need.max_age_ms, remedy="raise data.books.max_age_ms")
    notes = notes_of(tape, one.close_time_ms, need.readers, need.max_age_ms) if need.readers else one.notes
    return replace(one, books=sample.tape.rows(), notes=notes)


def refuse_strangers(one: CandleSeries, tape: BookTape, sample: BookSample, max_age_ms: int, *, remedy: str) -> None:
    """Raise DataError for books of another time or instrument, whatever they are called.

    Args:
        one: the candles.
        tape: the recording.
        sample: the books as they stood at the closes.
        max_age_ms: a book older than this is none.
        remedy: what else may be done when no close has a book.
    """
    if sample.is_stale.all():
        held = f"from {utc(int(tape.time_ms[0]))} to {utc(int(tape.time_ms[-1]))}" if len(tape) else "none"
        raise DataError(
            f"{one.symbol}: no candle closes with an order book beside it that is {max_age_ms / 1000:g} s old or "
            f"younger: there are books {held}, and closes from {utc(int(one.close_time_ms[0]))} to "
            f"{utc(int(one.close_time_ms[-1]))} UTC.",
            remedy=f"Bring books and candles of the same time, or {remedy}.",
        )
    mid = sample.tape.mid
    known = np.isfinite(mid)
    if not known.any():
        return
    away = float(np.median(np.abs(mid[known] / one.close[known] - 1.0)))
    if away > FARTHEST:
        raise DataError(
            f"{one.symbol}: the mid of the order books lies {away:.0%} from the close of the candles beside them in "
            f"the median, such as {mid[known][0]:g} at a close of {one.close[known][0]:g}.",
            remedy="The books are of another instrument, or their times are not UTC: bring those of the candles.",
        )


def windows_without_books(one: CandleSeries, length: int) -> int:
    """Windows of `length` candles that hold a close beside which no book is known, or not all that is read off it."""
    holes = np.concatenate(([0], np.cumsum(one.unheard)))
    return int(np.count_nonzero(holes[length:] > holes[: len(holes) - length])) if len(one) >= length else 0


def _models(recipe: Recipe) -> Sequence[Recipe]:
    return list(members_of(recipe).values()) or [recipe]


def _of_factors(recipe: Recipe) -> int:
    if not recipe.features.names:
        return 0
    return max(features.levels_read(recipe.features.names), detector_levels(recipe.features.detector))


def detector_levels(folder: str | None) -> int:
    """Levels a side of order book that a saved detector of market channels reads; 0: none.

    Raises ArtifactError where there is no detector in the folder.
    """
    if folder is None:
        return 0
    from triptych.inference.anomaly.saving import read_card  # takes a while to load

    read = symbols_and_extras(read_card(Path(folder)).columns)
    return 0 if read is None else levels_of(read[1])


def tape_for(recipe: Recipe, one: CandleSeries, need: BookNeed, market: SyntheticMarket | None) -> BookTape:
    """The books of an instrument: of the embedded market where the candles are its own, else of the recipe's recording.

    Raises what `with_books` raises.
    """
    return _invented(market, one, need) if market is not None else recorded(recipe, one, need)


def _invented(market: SyntheticMarket, one: CandleSeries, need: BookNeed) -> BookTape:
    levels = market.config.book.levels
    if need.levels > levels:
        raise RecipeError(
            f"{need.levels} levels of order book a side are read, and the books of the embedded market have {levels}.",
            remedy=f"Set data.synthetic.book.levels to {need.levels}, or the levels of the encoding to {levels} or "
            "fewer.",
        )
    return tape_of(market, one.symbol)


def tape_of(market: SyntheticMarket, symbol: str) -> BookTape:
    """The books of an instrument of the embedded market, one at every close."""
    levels = market.book_levels(symbol)
    return BookTape(
        symbol=symbol, time_ms=levels.time_ms,
        bid_prices=levels.bid_price, bid_sizes=levels.bid_size,
        ask_prices=levels.ask_price, ask_sizes=levels.ask_size,
    )  # fmt: skip


def recorded(recipe: Recipe, one: CandleSeries, need: BookNeed) -> BookTape:
    """The recording that a recipe names for an instrument: of a stream, the levels and times that are read.

    Raises RecipeError when it names none, and what `read_beside` raises.
    """
    if recipe.data.books.path is None:
        raise RecipeError(
            lacks_books(recipe) or f"data.books.path of {recipe.name} names no recording.",
            remedy="Name a file or folder of order books in data.books.path, or choose an encoding and factors of "
            "candles.",
        )
    return named_recording(recipe.data.books.path, one, need, "data.books.path")


def named_recording(named: str | Mapping[str, str], one: CandleSeries, need: BookNeed, key: str) -> BookTape:
    """The recording of an instrument that a setting called `key` names.

    Raises RecipeError where a table of them has none of it, and what `read_beside` raises.
    """
    if isinstance(named, Mapping) and one.symbol not in named:
        raise RecipeError(
            f"{key} names no recording of {one.symbol}.",
            remedy=f"It names those of {', '.join(named)}; add one, or choose instruments by data.symbols.",
        )
    path = Path(named[one.symbol] if isinstance(named, Mapping) else named).expanduser()
    return read_beside(path, one, need, is_said=isinstance(named, Mapping))


def read_beside(path: Path, one: CandleSeries, need: BookNeed, *, is_said: bool = False) -> BookTape:
    """A recording for the closes of an instrument, and for the rows between them where somebody reads these.

    `is_said`: somebody says that it is of this instrument.

    Raises DataError when the recording is of another one, or cannot be read.
    """
    if detect(path) not in ("flat", "lobster orderbook"):
        times = times_read(need.readers, one.close_time_ms)
        return read_books(path, symbol=one.symbol, levels=need.levels, at_ms=times)
    tape = read_books(path)  # a table of one instrument, whose name may be no more than that of the file
    if not is_said and not same_symbol(tape.symbol, one.symbol):
        raise DataError(
            f"The order books of {path.name} are of {tape.symbol}, and the candles of {one.symbol}.",
            remedy=f'Bring books of {one.symbol}; if these are, say so: data.books.path = {{"{one.symbol}" = "FILE"}}.',
        )
    return tape


def _told(one: CandleSeries, need: BookNeed) -> str:
    missing = int(np.count_nonzero(one.bookless))
    found = (
        f"{one.symbol}: {len(one) - missing:,} of {len(one):,} candles close with an order book of {need.levels} "
        f"levels a side beside them"
    )
    old = f"missing or more than {need.max_age_ms / 1000:g} s old"
    found += f"; of {missing:,} it is {old}." if missing else "."
    for reader in need.readers:
        unread = int(np.count_nonzero(np.isnan((one.notes or {})[reader.names[0]])))
        if unread:
            found += (
                f" At {unread:,} closes one of the last {reader.rows} books, {reader.every_ms} ms apart, is {old}, or "
                f"a gap lies between them, and {reader.names[0].removeprefix(BY_NETWORK)} and what goes with it are "
                "unknown."
            )
    return found
