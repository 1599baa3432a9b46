"""Walk-forward splits of order books: nothing a sample touches lies in another part.

A boundary is a moment common to all instruments, so that no part knows another instrument's future. A sample belongs to
a part when its window begins in it (embargo by the window's length, and `embargo` rows more) and its label has ended
before the part stops (purge by the label's end).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import NotEnoughData
from triptych.training.books.history import BookHistory

Rows = tuple[NDArray[np.int64], ...]
"""Decision rows of each history."""


class Config(BaseConfig):
    """How recordings are cut into training, validation and test."""

    train: float = Field(0.5, gt=0, lt=1, description="Share of the times for training before the first test.")
    validation: float = Field(0.15, gt=0, lt=1, description="Share of the times, behind it, to choose the epoch by.")
    folds: int = Field(
        1, ge=1, le=100, description="Steps in which the rest is tested; a network is trained before each."
    )
    embargo: int = Field(0, ge=0, description="Rows left out at the start of every part beyond the window's length.")
    minimum_samples: int = Field(50, ge=1, description="Fewest samples of a part, over all recordings.")

    @model_validator(mode="after")
    def _must_leave_a_test(self) -> Self:
        if self.train + self.validation >= 1:
            raise ValueError(f"train + validation must be below 1, was {self.train + self.validation:g}")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class BookFold:
    """Decision rows of each history in each part, and the moments between the parts (UTC ms, or event numbers).

    `boundaries` are the start of training, of validation, of the test, and the first moment after it.
    """

    number: int
    boundaries: tuple[int, int, int, int]
    train: Rows
    validation: Rows
    test: Rows


def book_folds(histories: Sequence[BookHistory], config: Config, *, length: int, horizon: int) -> tuple[BookFold, ...]:
    """The folds, in order of time. Training always begins with the first row there is.

    Raises NotEnoughData when a part holds too few samples: it says which.
    """
    times = np.unique(np.concatenate([one.time_ms for one in histories]))
    beyond = int(times[-1]) + 1
    past = config.train + config.validation
    share = config.validation / past
    folds = []
    for number in range(config.folds):
        tests = [round(len(times) * (past + (1 - past) * step / config.folds)) for step in (number, number + 1)]
        cuts = (0, tests[0] - round(tests[0] * share), *tests)
        moments = tuple(int(times[cut]) if cut < len(times) else beyond for cut in cuts)
        boundaries = (moments[0], moments[1], moments[2], moments[3])
        parts = {}
        for name, start, stop in zip(("train", "validation", "test"), boundaries, boundaries[1:], strict=False):
            rows = tuple(_rows(one, start, stop, length, horizon, config.embargo) for one in histories)
            count = sum(map(len, rows))
            if count < config.minimum_samples:
                raise NotEnoughData(
                    f"The {name} part of fold {number + 1} holds {count} samples, at least {config.minimum_samples} "
                    f"are needed: a window of {length} rows, a horizon of {horizon} and an embargo of {config.embargo} "
                    "are left out of every unbroken stretch.",
                    remedy="Bring longer recordings, shorten window or horizon, or ask for fewer folds.",
                )
            parts[name] = rows
        folds.append(BookFold(number=number, boundaries=boundaries, **parts))
    return tuple(folds)


def _rows(history: BookHistory, start: int, stop: int, length: int, horizon: int, embargo: int) -> NDArray[np.int64]:
    first = int(np.searchsorted(history.time_ms, start, side="left"))
    end = int(np.searchsorted(history.time_ms, stop, side="left"))
    rows = np.arange(first + embargo + length - 1, end - horizon, dtype=np.int64)
    known = np.isfinite(history.moves_bp) | (history.labels >= 0)
    kept: NDArray[np.int64] = rows[(known & history.windows_end(length))[rows]]
    return kept
