"""From a file of numeric channels to a fitted detector, to scores, to a watched stream."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.anomaly_lines import LineReader
from triptych.bootstrap.detecting import create_detector
from triptych.bootstrap.separated import read_separated
from triptych.domain.errors import ColumnError, DataError, StorageError
from triptych.domain.files import write_bytes
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.coverage import blind
from triptych.inference.anomaly.instants import instants
from triptych.inference.anomaly.pace import Pace
from triptych.inference.anomaly.parameters import settled
from triptych.inference.anomaly.saving import DetectorCard, load_detector, refuse_other_folders, save_detector
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.table import Table
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.inference.anomaly.time_columns import PLAIN_NAMES
from triptych.inference.anomaly.unscored import Unscored
from triptych.inference.watch import Reading
from triptych.market.tables import ARROW, PARQUET
from triptych.training.anomaly.by_type import WITHIN, by_type
from triptych.training.anomaly.metrics import judge
from triptych.training.anomaly.runs import runs

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
    path: Path, columns: Rows, detector: AbstractDetector | None = None
) -> tuple[pl.DataFrame, np.ndarray | None]:
    """The frame of a Parquet, Feather or CSV file without its labels, and the labels (see `_labels`) or None.

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
    return frame.drop(columns.labels), _labels(path, frame[columns.labels])


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


def _labels(path: Path, given: pl.Series) -> np.ndarray:
    """Labels as texts: the kind of anomaly ("1" where the column holds numbers), empty for normal rows.

    Raises DataError for numbers and truths that are null; texts that are null are empty, as CSV has it.
    """
    if given.dtype in (pl.String, pl.Categorical) or given.dtype == pl.Enum:
        texts = given.cast(pl.String).fill_null("").str.strip_chars()
        return pl.select(pl.when(texts.is_in(["0", "normal"])).then(pl.lit("")).otherwise(texts)).to_series().to_numpy()
    if given.is_null().any() or (given.dtype.is_float() and given.is_nan().any()):
        missing = int((given.cast(pl.Float64).fill_null(float("nan")).is_nan()).sum())
        raise DataError(
            f"{missing} labels in column {given.name!r} of {path} are empty: whether these rows are normal is unknown.",
            remedy="Fill them with 0 or 1, or leave those rows out.",
        )
    return np.where(given.cast(pl.Float64).to_numpy() > 0, "1", "").astype(object)


def fit_anomalies(
    path: Path,
    folder: Path,
    columns: Rows,
    *,
    settings: Mapping[str, Any],
    training: Mapping[str, Any],
    name: str = "catch",
    warn: Callable[[str], None] = lambda _: None,
) -> DetectorCard:
    """Fit a detector (see `create_detector`) on a file and save it.

    Labelled anomalies are left out: their rows break the history. `warn` is told of entities and gaps that leave many
    rows out.

    Raises whatever `fit` and `save_detector` do.
    """
    folder = Path(folder)
    refuse_other_folders(folder)
    frame, labels = read_rows(path, columns)
    checkpoint = training_folder(folder)
    detector = create_detector(name, training=dict(training), folder=checkpoint, **settings)
    left_out = None if labels is None else labels != ""
    detector.fit(frame, entity=columns.entity, time=columns.time, leave_out=left_out)
    card = save_detector(folder, detector)
    remove_training(checkpoint)
    for sentence in blind(detector.checked(frame, entity=columns.entity, time=columns.time), detector.memory):
        warn(sentence)
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


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How good scores and alarms are: figures by name, and by type of event where labels name types.

    Figures that do not exist (the delay of events that were not found) are left out. `within` is in rows, see
    `TypeFigures`.
    """

    overall: dict[str, float]
    by_type: dict[str, dict[str, float]]
    within: int

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads and rows of a table of the types; cells of figures that do not exist are "-"."""
        titles = {
            "events": "events", "auc_roc": "AUC-ROC", "vus_pr": "VUS-PR", "recall": "found",
            "recall_within": f"found within {self.within} rows", "delay": "median delay, rows",
        }  # fmt: skip
        digits = {"events": 0, "delay": 1}
        rows = [
            [kind, *(f"{one[name]:.{digits.get(name, 3)}f}" if name in one else "-" for name in titles)]
            for kind, one in self.by_type.items()
        ]
        return ["type", *titles.values()], rows


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
    for sentence in blind(table, detector.memory):
        warn(sentence)
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
    moving = moving_as(detector, threshold or {}, otherwise="fixed")
    frame, labels = read_rows(path, columns, detector)
    table = checked_rows(detector, frame, columns, warn)
    scored = detector.score_frame(table, threshold=moving)
    if out is not None:
        write_frame(out, scored)
    if labels is None:
        return scored, None, moving
    scores, alarms = scored["score"].to_numpy(), scored["alarm"].to_numpy()
    return scored, judged(labels, scores, alarms, rows_per_day=moving.rows_per_day, within=within), moving


def judged(
    labels: NDArray[Any],
    scores: NDArray[np.float64],
    alarms: NDArray[np.bool_],
    *,
    rows_per_day: float,
    within: int = WITHIN,
) -> Judgement:
    """The figures of labelled rows. Raises what `judge` does."""
    truth = labels != ""
    overall = asdict(judge(truth.astype(np.int8), scores, alarms, rows_per_day=rows_per_day))
    kinds = sorted(set(labels[truth].tolist()))
    events = [(kind, start, stop) for kind in kinds for start, stop in runs(labels == kind)] if kinds != ["1"] else []
    found = by_type(events, scores, alarms, ~truth, within=within)
    return Judgement(
        overall=_existing(overall), by_type={kind: _existing(asdict(one)) for kind, one in found.items()}, within=within
    )


def _existing(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def write_frame(path: Path, frame: pl.DataFrame) -> Path:
    """Write a frame as CSV or, with any other ending, Parquet."""
    from io import BytesIO

    buffer = BytesIO()
    if path.suffix.lower() == ".csv":
        frame.write_csv(buffer)
    else:
        frame.write_parquet(buffer)
    return write_bytes(path, buffer.getvalue())


def watch_anomalies(
    folder: Path,
    lines: Iterator[str],
    columns: Rows,
    *,
    threshold: Mapping[str, Any],
    step: float | None = None,
    breaks: bool | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[dict[str, Any], Reading]]:
    """Score rows as they come, lines of JSON or of CSV (see `LineReader`); yields their time and entity by name too.

    A line that is no row is a bad row like one with NaN: the stream goes on. `columns.entity` names the key
    of the symbol, `columns.time` that of the time, None taking the columns of the fit. Times are ISO 8601 or a number
    (see `instants`); `step` is in seconds, or in the unit of times that count something of their own. `threshold` has
    settings of the threshold that differ, see `moving_as`. `warn` is told of rows that never come to a score, and of
    rows that are not as far apart as those of the fit.

    Raises DataError where the first time is of another unit than those of the fit: no gap would ever be seen, or one
    at every row; and where a stream of CSV begins without a header, or with one that lacks a channel.
    """
    detector = opened(folder, breaks)
    time, entity = columns.time or detector.time_, columns.entity or detector.entity_
    stream = DetectorStream(detector, moving_as(detector, threshold, otherwise="rolling"), step=step)
    unscored, checked = Unscored(stream), False
    pace = None if step is not None or detector.config.steps == "any" else Pace(stream)
    needed = ((time, "gaps in time are not seen"), (entity, "such rows count as those of one entity"))
    lost = {name: loss for name, loss in needed if name is not None}
    reader = LineReader(detector.columns_, list(lost))
    for line in lines:
        row = reader.read(line) if line.strip() else None
        if row is None:
            continue
        values = {name: row.get(name) for name in detector.columns_}
        for name in [name for name in lost if row and row.get(name) is None]:
            warn(f"A row has no {name!r}: where it is missing, {lost.pop(name)}.")
        symbol = str(row.get(entity, "")) if entity else ""
        when = row.get(time) if time else None
        if when is not None and not checked:
            stream.check_time(when)
            checked = True
        reading = stream.update(values, symbol=symbol, time=when)
        if pace is not None and when is not None:
            _say(warn, pace.note(symbol, when))
        yield {name: row.get(name) for name in (time, entity) if name is not None}, reading
        _say(warn, unscored.note(symbol, reading))
    _say(warn, unscored.at_the_end())


def _say(warn: Callable[[str], None], sentence: str) -> None:
    if sentence:
        warn(sentence)
