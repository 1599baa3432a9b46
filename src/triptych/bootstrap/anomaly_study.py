"""A detector fitted on the past that watches what came after: from files to alarms by day and known events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.anomalies import Rows, read_rows, remove_training, training_folder, write_frame
from triptych.bootstrap.anomaly_extras import funding_of, with_extras
from triptych.bootstrap.detecting import create_detector
from triptych.domain.errors import ColumnError, DataError, NotEnoughData
from triptych.domain.files import write_json
from triptych.features.channels import market_channels
from triptych.inference.anomaly.catch import CatchDetector
from triptych.inference.anomaly.saving import refuse_other_folders, save_detector
from triptych.inference.anomaly.sliding import sliding
from triptych.inference.anomaly.thresholds import followed
from triptych.market import read_candles
from triptych.market.store import to_ms
from triptych.settings.study import Channels, Study

DAY_MS = 86_400_000


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
    """

    frame: pl.DataFrame
    evidence: NDArray[np.float32]
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    strength: NDArray[np.float64]
    days: pl.DataFrame
    marks: tuple[Mark, ...]
    summary: dict[str, Any]


def run_study(study: Study, files: Sequence[Path], out: Path, tell: Callable[[str], None] = lambda _: None) -> Watch:
    """Fit, watch, and write the folder: detector, watched rows, scores, days and `study.json`.

    Raises DataError and its kinds for files that cannot be used, NotEnoughData for too short a past.
    """
    refuse_other_folders(out / "detector")
    checkpoint = training_folder(out / "detector")
    columns, values, times = read_channels(study.channels, files)
    inside = np.ones(len(times), dtype=bool)
    if study.period.start is not None:
        inside &= times >= to_ms(study.period.start)
    if study.period.end is not None:
        inside &= times < to_ms(study.period.end)
    values, times = values[inside], times[inside]
    split = int(np.searchsorted(times, to_ms(study.period.fit_until)))
    tell(f"{len(columns)} channels, {split} rows to learn from, {len(times) - split} to watch.")
    detector = create_detector(
        "catch", training={"epochs": study.detector.epochs}, folder=checkpoint,
        contamination=study.detector.contamination, seed=study.detector.seed, bad_rows=study.detector.bad_rows,
        breaks=study.channels.breaks,
    )  # fmt: skip
    assert isinstance(detector, CatchDetector)
    if len(times) - split < 1:
        raise NotEnoughData(f"No row is as late as {study.period.fit_until}.", remedy="Choose an earlier fit_until.")
    time = times.astype("datetime64[ms]")
    stamped = pl.DataFrame(values, schema=list(columns)).with_columns(pl.Series("time", time))
    detector.fit(stamped[:split])
    remove_training(checkpoint)
    detector.watch_ = study.threshold
    save_detector(out / "detector", detector)
    tell("Fitted. Watching.")
    first = max(split - detector.memory + 1, 0)  # the past warms the watch up
    watch = _watch(study, detector, stamped[first:], time[first:], split - first)
    write_frame(out / "watched.parquet", stamped[first:])
    write_frame(out / "scores.parquet", watch.frame)
    write_frame(out / "days.csv", watch.days)
    found = watch.summary | {"marks": [asdict(one) for one in watch.marks], "files": [path.name for path in files]}
    write_json(out / "study.json", found)
    return watch


def write_channels(study: Study, files: Sequence[Path], out: Path) -> pl.DataFrame:
    """The rows that a study reads, with their times, as `anomaly fit`, `score` and `watch` take them, into a file.

    Raises what `read_channels` raises, StorageError when the disk refuses.
    """
    columns, values, times = read_channels(study.channels, files)
    frame = pl.DataFrame(values, schema=list(columns)).fill_nan(None)
    stamped = frame.with_columns(pl.Series("time", times.astype("datetime64[ms]")))
    write_frame(out, stamped)
    return stamped


def read_channels(
    config: Channels, files: Sequence[Path]
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.int64]]:
    """Names, values (n_rows, channels) and times of the rows (closes of candles, UTC milliseconds).

    Values of the order book and of funding are NaN where they were not known.

    Raises RecipeError where `extras` ask for what no file is named for, and DataError and its kinds for files that do
    not fit the candles.
    """
    if config.read == "closes":
        return _closes(config, files)
    series = {one.symbol: one for path in files for one in read_candles(path).series}
    wanted = config.columns or tuple(series)
    missing = [symbol for symbol in wanted if symbol not in series]
    if missing:
        raise DataError(
            f"There are no candles of {', '.join(missing)}; the files hold {', '.join(series)}.",
            remedy="Bring their files too, or choose others: --set 'channels.columns=[\"...\"]'.",
        )
    timeframes = {str(series[symbol].timeframe) for symbol in wanted}
    if len(timeframes) > 1:
        raise DataError(
            f"The instruments have different timeframes: {', '.join(sorted(timeframes))}.",
            remedy="Bring files of one timeframe.",
        )
    chosen = [series[symbol] for symbol in wanted]
    made = market_channels(with_extras(config, chosen), config.extras, funding=funding_of(config, wanted))
    return made.columns, made.values, made.close_time_ms


def _closes(config: Channels, files: Sequence[Path]) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.int64]]:
    if len(files) != 1:
        raise DataError(f"Closes are read from one table, {len(files)} files were given.", remedy="Bring one file.")
    frame, _ = read_rows(files[0], Rows())
    time = next((name for name, kind in frame.schema.items() if kind.is_temporal()), None)
    if time is None:
        raise ColumnError(f"{files[0]} has no column of times.", remedy="Bring one, such as timestamp.")
    columns = config.columns or tuple(name for name, kind in frame.schema.items() if kind.is_numeric())
    unknown = [name for name in columns if name not in frame.columns]
    if unknown:
        raise ColumnError(
            f"{files[0]} has no column {unknown[0]!r}.", remedy=f"Its columns are {', '.join(frame.columns)}."
        )
    whole = frame.select(time, *columns).drop_nulls().filter(pl.all_horizontal(pl.col(n) > 0 for n in columns))
    closes = whole.select(pl.col(columns).cast(pl.Float64)).to_numpy()
    if len(closes) < 2:
        raise NotEnoughData(f"{files[0]} has {len(closes)} rows in which all columns hold a price.")
    times = whole[time].cast(pl.Datetime("ms")).to_physical().to_numpy()
    return columns, np.diff(np.log(closes), axis=0), times[1:].astype(np.int64)


def _watch(
    study: Study, detector: CatchDetector, rows: pl.DataFrame, time: NDArray[np.datetime64], split: int
) -> Watch:
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
        summary=_summary(study, frame, days, detector),
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


def _summary(study: Study, frame: pl.DataFrame, days: pl.DataFrame, detector: CatchDetector) -> dict[str, Any]:
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
