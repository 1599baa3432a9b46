"""What a fitted detector says of the rows that came after: alarms by row and by day, and the days that are known."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.sliding import sliding
from triptych.inference.anomaly.thresholds import followed
from triptych.settings.study import Study


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What was said of a day that is known. `rank` 1 is the day with the highest score of `days`."""

    day: str
    event: str
    alarms: int
    highest: float
    rank: int
    first_alarm: str
    reasons: str


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a detector says of the rows behind `fit_until`.

    Attributes:
        frame: time, score, threshold, alarm and reasons of each watched row.
        evidence: float32 (n_rows, channels, kinds).
        columns, kinds: names of the axes of `evidence`.
        strength: float64 (n_rows,): running sum of the mean log return over the instruments.
        days: day, rows, alarms, highest score, one row a day with scores.
        marks: one for each known day that was watched.
        summary: figures by name.
        detector: name of the detector.
        beside: the same of the detectors that watched beside it.
    """

    frame: pl.DataFrame
    evidence: NDArray[np.float32]
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    strength: NDArray[np.float64]
    days: pl.DataFrame
    marks: tuple[Mark, ...]
    summary: dict[str, Any]
    detector: str
    beside: tuple[Watch, ...] = ()

    def found(self) -> dict[str, Any]:
        """The figures and what was said of the known days, of those that watched beside it too."""
        own = self.summary | {"detector": self.detector, "marks": [asdict(one) for one in self.marks]}
        return own | ({"beside": [one.found() for one in self.beside]} if self.beside else {})


def watched(
    study: Study, detector: AbstractDetector, rows: pl.DataFrame, time: NDArray[np.datetime64], split: int
) -> Watch:
    """Score rows with their channels and `time` and let the study's threshold judge those from `split` on.

    The rows before warm the detector up and move the threshold.
    """
    table = detector.checked(rows)
    scaled = detector.scaling_(table.values)
    scores = np.full(len(table), np.nan)
    evidence = np.zeros((len(table), len(table.columns), len(detector.kinds)), dtype=np.float32)
    for start, stop in table.stretches:
        for at, windows in sliding(scaled[start:stop], detector.memory):
            assessed = detector.assess(windows)
            scores[start + at : start + at + len(windows)] = assessed.scores
            evidence[start + at : start + at + len(windows)] = assessed.evidence
    scores[table.bad] = np.nan
    scored = np.isfinite(scores)
    threshold = detector.begun_threshold(study.threshold)
    limits = np.full(len(table), np.nan)
    limits[scored] = followed(threshold, scores[scored])
    alarm = scored & (scores > limits)
    reasons = [detector.reasons_of(evidence[i].astype(np.float64)) if alarm[i] else "" for i in range(len(table))]
    frame = pl.DataFrame(
        {
            "time": pl.Series(time), "score": pl.Series(scores).fill_nan(None),
            "threshold": pl.Series(limits).fill_nan(None), "alarm": alarm, "reasons": reasons,
        }
    )[split:]  # fmt: skip
    returns = [i for i, name in enumerate(table.columns) if study.channels.read == "closes" or name.endswith(" return")]
    days = _days(frame)
    marks = _marks(study, frame, days)
    return Watch(
        frame=frame, evidence=evidence[split:], columns=table.columns, kinds=detector.kinds,
        strength=np.cumsum(table.values[split:, returns].mean(axis=1)), days=days, marks=marks,
        summary=_summary(study, frame, days, detector), detector=detector.name,
    )  # fmt: skip


def _days(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each day that has scores, the day of a row being that in which its candle ended or began."""
    day = (pl.col("time") - pl.duration(milliseconds=1)).dt.date().alias("day")
    if frame["time"].dt.hour().eq(0).all():  # daily closes are named by their day
        day = pl.col("time").dt.date().alias("day")
    return (
        frame.with_columns(day)
        .drop_nulls("score")
        .group_by("day", maintain_order=True)
        .agg(
            pl.len().alias("rows"), pl.col("alarm").sum().alias("alarms"), pl.col("score").max().alias("highest"),
            pl.col("time").filter(pl.col("alarm")).first().alias("first_alarm"),
            pl.col("reasons").sort_by("score").last().alias("reasons"),
        )
        .with_columns(pl.col("highest").rank("min", descending=True).cast(pl.Int64).alias("rank"))
    )  # fmt: skip


def _marks(study: Study, frame: pl.DataFrame, days: pl.DataFrame) -> tuple[Mark, ...]:
    found = []
    for day, event in study.marks.items():
        row = days.filter(pl.col("day") == day)
        if row.height:
            one = row.row(0, named=True)
            found.append(
                Mark(
                    day=str(day), event=event, alarms=int(one["alarms"]), highest=float(one["highest"]),
                    rank=int(one["rank"]), first_alarm=str(one["first_alarm"] or ""), reasons=one["reasons"],
                )
            )  # fmt: skip
    return tuple(found)


def _summary(study: Study, frame: pl.DataFrame, days: pl.DataFrame, detector: AbstractDetector) -> dict[str, Any]:
    others = days.filter(~pl.col("day").is_in(list(study.marks)))
    fixed = frame.filter(pl.col("score") > detector.threshold_).height
    count = max(others.height, 1)
    return {
        "title": study.title,
        "fitted rows": len(detector.decision_scores_),
        "watched rows": frame.height,
        "rows without a score": frame["score"].null_count(),
        "days": days.height,
        "alarms": int(frame["alarm"].sum()),
        "alarms a day on other days": float(others["alarms"].sum()) / count,
        "share of other days with an alarm": float((others["alarms"] > 0).sum()) / count,
        "fixed threshold": detector.threshold_,
        "alarms a day with the fixed threshold": fixed / max(days.height, 1),
    }
