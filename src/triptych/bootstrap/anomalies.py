"""From a file of numeric channels to a fitted detector, and to scores."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from triptych.bootstrap.anomaly_judging import Judgement, judged, pieces_of
from triptych.bootstrap.anomaly_labels import labels_of
from triptych.bootstrap.detecting import create_detector
from triptych.bootstrap.separated import read_separated
from triptych.domain.errors import ColumnError, DataError, StorageError
from triptych.domain.files import write_bytes
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.coverage import blind, interleaved, unsure
from triptych.inference.anomaly.instants import instants
from triptych.inference.anomaly.parameters import settled
from triptych.inference.anomaly.saving import DetectorCard, load_detector, refuse_other_folders, save_detector
from triptych.inference.anomaly.table import Table
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.inference.anomaly.time_columns import PLAIN_NAMES
from triptych.inference.anomaly.times import Span
from triptych.market.tables import ARROW, PARQUET
from triptych.training.anomaly.by_type import WITHIN

TRAINING_FILES = ("checkpoint.ckpt", "fingerprint.json")
"""What a training keeps in its folder."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Which columns of a file are no channels: `time`, `entity` and `labels`; None where there is none.

    `drop` are columns that are left out.
    """

    time: str | None = None
    entity: str | None = None
    labels: str | None = None
    drop: tuple[str, ...] = ()


def read_rows(
    path: Path,
    columns: Rows,
    detector: AbstractDetector | None = None,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[pl.DataFrame, np.ndarray | None]:
    """The frame of a Parquet, Feather or CSV file without its labels, and the labels (see `labels_of`) or None.

    What a file is its first bytes say, not its name. Columns of a CSV file are what all their rows are, see
    `read_separated`. A text column that `columns`, `detector` or its name says to be times is read as such (see
    `instants`), and so is any other whose texts all are times.

    Raises DataError when the file cannot be read, ColumnError when a named column is missing.
    """
    path = Path(path)
    entity = columns.entity or (detector.entity_ if detector is not None else None)
    try:
        frame = _read_frame(path, {entity, columns.labels})
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}.", remedy="Check the path.") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        first = (str(error).splitlines() or ["unknown"])[0]
        raise DataError(f"{path} cannot be read: {first}.", remedy="Bring a CSV or Parquet file.") from error
    for name in (columns.time, columns.entity, columns.labels, *columns.drop):
        if name is not None and name not in frame.columns:
            raise ColumnError(f"{path} has no column {name!r}.", remedy=f"Its columns are {', '.join(frame.columns)}.")
    if frame.is_empty():
        raise DataError(f"{path} has no rows.", remedy="Bring a file with rows below its header.")
    frame = frame.drop(columns.drop)
    times = {columns.time or (detector.time_ if detector is not None else None)}
    frame = _with_times(frame, times - {None} or set(PLAIN_NAMES), {entity, columns.labels})
    if columns.labels is None:
        return frame, None
    return frame.drop(columns.labels), labels_of(path, frame[columns.labels], tell)


def _read_frame(path: Path, texts: Set[str | None]) -> pl.DataFrame:
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(PARQUET):
        return pl.read_parquet(path, glob=False)
    if magic.startswith(ARROW):
        return pl.read_ipc(path.read_bytes())
    return read_separated(path, texts)


def _with_times(frame: pl.DataFrame, wanted: Set[str | None], texts: Set[str | None]) -> pl.DataFrame:
    """The frame with its columns of texts that are times as datetimes.

    Raises DataError where a column in `wanted` is none; those in `texts` stay as they are.
    """
    for name in frame.columns:
        if name in texts or frame[name].dtype != pl.String:
            continue
        try:
            read = instants(frame[name])
        except DataError:
            if name in wanted or name.lower() in wanted:
                raise
            continue
        if read.clock == "utc":
            made = pl.Series(name, np.round(1000.0 * read.values).astype(np.int64)).cast(pl.Datetime("us"))
            frame = frame.with_columns(made)
    return frame


def fit_anomalies(
    path: Path,
    folder: Path,
    columns: Rows,
    *,
    settings: Mapping[str, Any],
    training: Mapping[str, Any],
    name: str = "catch",
    tell: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> DetectorCard:
    """Fit a detector (see `create_detector`) on a file and save it.

    Labelled anomalies are left out: their rows break the history. `tell` is told which labels are which, `warn` of
    entities and gaps that leave many rows out, and of rows too few for the share of alarms that is asked for.

    Raises whatever `fit` and `save_detector` do.
    """
    folder = Path(folder)
    refuse_other_folders(folder)
    frame, labels = read_rows(path, columns, tell=tell)
    checkpoint = training_folder(folder)
    detector = create_detector(name, training=dict(training), folder=checkpoint, **settings)
    left_out = None if labels is None else labels != ""
    detector.fit(frame, entity=columns.entity, time=columns.time, leave_out=left_out)
    card = save_detector(folder, detector)
    remove_training(checkpoint)
    table = detector.checked(frame, entity=columns.entity, time=columns.time)
    for sentence in (interleaved(table), unsure(detector), *blind(table, detector.memory)):
        say(warn, sentence)
    return card


def training_folder(folder: Path) -> Path:
    """Where the fit of the detector `folder` keeps its checkpoint: hidden beside it, under a name of ours.

    Raises StorageError where something that is no training has that name.
    """
    made = folder.with_name(f".{folder.name}.catch-training")
    strange = [path.name for path in made.glob("*") if path.name not in TRAINING_FILES]
    if strange or (made.exists() and not made.is_dir()):
        raise StorageError(f"{made} is no training of a detector.", remedy="Remove it, or choose another folder.")
    return made


def remove_training(made: Path) -> None:
    """Remove the files that a training writes, and its folder where nothing else is in it."""
    for name in TRAINING_FILES:
        (made / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        made.rmdir()


def opened(folder: Path, breaks: bool | None, any_step: bool = False) -> AbstractDetector:
    """A saved detector that lets gaps in time break the rows or not, None as in its fit; with `any_step` rows may be as
    far apart as they are."""
    detector = load_detector(folder)
    settings = {} if breaks is None else {"breaks": breaks}
    return detector.set_params(**settings | ({"steps": "any"} if any_step else {}))


def checked_rows(detector: AbstractDetector, frame: pl.DataFrame, columns: Rows, warn: Callable[[str], None]) -> Table:
    """The rows of a file as the detector's table. `warn` is told of columns that are left out, of times that are
    missing, and of rows that have no score. Raises what `AbstractDetector.checked` does."""
    table = detector.checked(frame, entity=columns.entity, time=columns.time)
    if table.ignored:
        warn(f"Columns that are none of the detector's are ignored: {', '.join(table.ignored)}.")
    if detector.span_ is not None and table.times is None:
        name = detector.time_ or "time"
        warn(f"The rows have no {name!r}: gaps in time are not seen, nor whether they are as far apart as in the fit.")
    for sentence in (interleaved(table), *blind(table, detector.memory)):
        say(warn, sentence)
    return table


def moving_as(
    detector: AbstractDetector, settings: Mapping[str, Any], *, otherwise: Literal["fixed", "rolling"]
) -> ThresholdConfig:
    """How the threshold moves: as `anomaly run` watched, else by the method `otherwise`, with those `settings` instead
    that are not None; a target of alarms asks for one that moves. Raises RecipeError for a setting that is wrong."""
    given = {name: value for name, value in settings.items() if value is not None}
    if "alarms_per_day" in given or "window" in given:  # a fixed threshold has neither
        otherwise = "rolling"
    return settled(detector.watch_ or ThresholdConfig(method=otherwise), given)


def paced(moving: ThresholdConfig, rows_per_day: float | None, warn: Callable[[str], None]) -> ThresholdConfig:
    """The same threshold with the rows of a day that it aims at and counts by; where nobody knows, `warn` is told."""
    made = moving.among(rows_per_day)
    if made.rows_per_day is None:
        warn(
            f"How many rows a day has is not known, since the rows of the fit had no times: {made.day:g} are taken for "
            "a day. --rows-per-day says it."
        )
    return made


def rows_per_day_of(detector: AbstractDetector, table: Table) -> float | None:
    """Rows of a day by the times of the fit, else by those of the table; None where neither has any."""
    if detector.rows_per_day is not None:
        return detector.rows_per_day
    span = Span.of(table)
    return None if span is None else span.rows_per_day


@dataclass(frozen=True, kw_only=True)
class RowsToJudge:
    """Rows of a file as a detector takes them.

    Attributes:
        table: the rows.
        labels: the kind of anomaly of each row of the table, empty for normal ones; None where the file names none.
        moving: how the threshold moves, with the rows of a day.
        notes: sentences about the labels.
    """

    table: Table
    labels: np.ndarray | None
    moving: ThresholdConfig
    notes: tuple[str, ...]


def rows_to_judge(
    detector: AbstractDetector,
    path: Path,
    columns: Rows,
    threshold: Mapping[str, Any],
    warn: Callable[[str], None],
) -> RowsToJudge:
    """Read the rows that a detector is to score; the arguments are those of `score_anomalies`."""
    moving = moving_as(detector, threshold, otherwise="fixed")
    notes: list[str] = []
    frame, labels = read_rows(path, columns, detector, tell=notes.append)
    table = checked_rows(detector, frame, columns, warn)
    if labels is not None or moving.method != "fixed":
        moving = paced(moving, rows_per_day_of(detector, table), warn)
    ordered = None if labels is None else table.from_source(labels)
    return RowsToJudge(table=table, labels=ordered, moving=moving, notes=tuple(notes))


def score_anomalies(
    folder: Path,
    path: Path,
    columns: Rows,
    *,
    out: Path | None = None,
    within: int = WITHIN,
    breaks: bool | None = None,
    any_step: bool = False,
    threshold: Mapping[str, Any] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> tuple[pl.DataFrame, Judgement | None, ThresholdConfig]:
    """Score a file with a saved detector.

    Returns the frame of scores, aligned with the file's rows, how good they are where labels are named, and how the
    threshold moved. `out` (Parquet, or CSV by its ending) receives the frame. `breaks` is whether gaps in time break
    the rows, None as in the fit; `any_step` takes rows of another step than those of the fit, which else are refused;
    `threshold` has settings of the threshold that differ, see `moving_as`; `warn` is told what `checked_rows` says.
    """
    detector = opened(folder, breaks, any_step)
    rows = rows_to_judge(detector, path, columns, threshold or {}, warn)
    table, labels, moving = rows.table, rows.labels, rows.moving
    scored = detector.score_frame(table, threshold=moving)
    if out is not None:
        write_frame(out, scored)
    if labels is None:
        return scored, None, moving
    scores = table.from_source(scored["score"].fill_null(0.0).to_numpy())
    alarms = table.from_source(scored["alarm"].to_numpy())
    pieces = pieces_of(detector, table)
    return scored, judged(labels, scores, alarms, pieces, day=moving.day, within=within, notes=rows.notes), moving


def write_frame(path: Path, frame: pl.DataFrame) -> Path:
    """Write a frame as CSV or, with any other ending, Parquet."""
    from io import BytesIO

    buffer = BytesIO()
    if path.suffix.lower() == ".csv":
        frame.write_csv(buffer)
    else:
        frame.write_parquet(buffer)
    return write_bytes(path, buffer.getvalue())


def say(warn: Callable[[str], None], sentence: str) -> None:
    """Warn where there is anything to say."""
    if sentence:
        warn(sentence)
