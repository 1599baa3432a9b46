"""Labelled recordings of machines: scores are kept, and detectors judged on the rows that all of them have scored.

A detector that looks back on 96 rows has no score in the first 95 of each recording, one without a memory has. Judged
each on its own rows, or with zeros where there is no score, they could not be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks._detection import Scored, scored
from triptych.training.anomaly.metrics import judge
from triptych.training.anomaly.pieces import Pieces

Keys = tuple[str, int]
"""A detector and the seed of its fit."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Rows of a file: arrays `x_train`, `x_test`, `y_test`, `columns`, and `test_len`, the rows of each entity."""

    columns: list[str]
    train: NDArray[np.float64]
    test: NDArray[np.float64]
    labels: NDArray[np.bool_]
    lengths: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> Self:
        with np.load(path, allow_pickle=False) as arrays:
            labels = arrays["y_test"].astype(bool)
            return cls(
                columns=[str(one) for one in arrays["columns"]], train=arrays["x_train"].astype(np.float64),
                test=arrays["x_test"].astype(np.float64), labels=labels,
                lengths=arrays["test_len"].astype(np.int64) if "test_len" in arrays else np.array([len(labels)]),
            )  # fmt: skip

    @property
    def starts(self) -> list[int]:
        """First row of each entity."""
        return [0, *np.cumsum(self.lengths)[:-1].tolist()]


def score_machines(name: str, path: Path, keep: Path, *, seed: int = 0) -> dict[str, float]:
    """Fit a detector on a recording's training rows and keep the scores of its test rows in `keep` (.npz)."""
    one = Recording.read(path)
    entity = np.repeat(np.arange(len(one.lengths)), one.lengths)
    train, test = (pl.DataFrame(rows, schema=one.columns) for rows in (one.train, one.test))
    found = scored(name, train, test, seed=seed, entity=entity)
    np.savez_compressed(keep, scores=found.scores, known=found.known, threshold=found.threshold)
    return {"threshold": found.threshold}


def kept(path: Path) -> Scored:
    """What `score_machines` has kept."""
    with np.load(path, allow_pickle=False) as arrays:
        return Scored(scores=arrays["scores"], known=arrays["known"], threshold=float(arrays["threshold"]))


def judged_together(
    one: Recording, found: Mapping[Keys, Scored], *, rows_per_day: float = 1000.0
) -> tuple[dict[Keys, dict[str, float]], str]:
    """Figures of each detector on the rows that all of them have scored, and a sentence of what that leaves out.

    Recordings are of different speeds, so a "day" of false alarms is 1,000 rows.
    """
    known = np.logical_and.reduce([each.known for each in found.values()])
    pieces = Pieces(known=known, starts=one.starts)
    figures = {
        key: asdict(
            judge(
                one.labels.astype(np.int8), each.scores, each.scores > each.threshold, pieces=pieces,
                rows_per_day=rows_per_day,
            )
        )
        for key, each in found.items()
    }  # fmt: skip
    told = next(iter(figures.values()))
    events = told["events"] + told["events_left_out"]
    sentence = (
        f"Judged are the {int(known.sum()):,} of {len(known):,} rows that every detector has scored, in "
        f"{len(one.lengths)} recordings; {int((one.labels & ~known).sum()):,} of the {int((~known).sum()):,} others "
        f"are anomalous. {told['events_left_out']} of {events} events lie wholly in rows left out and are not judged."
    )
    return figures, sentence
