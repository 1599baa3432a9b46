"""From a file of numeric channels to a fitted detector, to scores, to a watched stream."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.detecting import create_detector
from triptych.domain.errors import ColumnError, DataError, StorageError
from triptych.domain.files import write_bytes
from triptych.inference.anomaly.saving import DetectorCard, load_detector, refuse_other_folders, save_detector
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.table import as_table
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.inference.anomaly.unscored import Unscored
from triptych.inference.watch import Reading
from triptych.training.anomaly.by_type import WITHIN, by_type
from triptych.training.anomaly.metrics import judge
from triptych.training.anomaly.runs import runs

TRAINING_FILES = ("checkpoint.ckpt", "fingerprint.json")
"""What a training keeps in its folder."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Which columns of a file are no channels: `time`, `entity` and `labels`; None where there is none."""

    time: str | None = None
    entity: str | None = None
    labels: str | None = None


def read_rows(path: Path, columns: Rows) -> tuple[pl.DataFrame, np.ndarray | None]:
    """The frame of a Parquet or CSV file without its labels, and the labels (see `_labels`) or None.

    Raises DataError when the file cannot be read, ColumnError when a named column is missing.
    """
    path = Path(path)
    try:
        frame = pl.read_parquet(path) if path.suffix.lower() == ".parquet" else pl.read_csv(path, try_parse_dates=True)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}.", remedy="Check the path.") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        first = (str(error).splitlines() or ["unknown"])[0]
        raise DataError(f"{path} cannot be read: {first}.", remedy="Bring a CSV or Parquet file.") from error
    for name in (columns.time, columns.entity, columns.labels):
        if name is not None and name not in frame.columns:
            raise ColumnError(f"{path} has no column {name!r}.", remedy=f"Its columns are {', '.join(frame.columns)}.")
    if frame.is_empty():
        raise DataError(f"{path} has no rows.", remedy="Bring a file with rows below its header.")
    if columns.labels is None:
        return frame, None
    return frame.drop(columns.labels), _labels(path, frame[columns.labels])


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
) -> DetectorCard:
    """Fit a detector (see `create_detector`) on a file and save it.

    Labelled anomalies are left out: their rows break the history.

    Raises whatever `fit` and `save_detector` do.
    """
    folder = Path(folder)
    refuse_other_folders(folder)
    frame, labels = read_rows(path, columns)
    settings = dict(settings)
    if labels is not None and (labels != "").any():
        clean = frame.filter(pl.Series(labels == ""))
        if settings.get("bad_rows", "refuse") == "refuse":  # leaving anomalies out must not let bad rows in
            as_table(clean.drop(n for n in (columns.time, columns.entity) if n))
        numeric = [n for n in frame.columns if n not in (columns.time, columns.entity) and frame[n].dtype.is_numeric()]
        masked = pl.Series(labels != "")
        frame = frame.with_columns(pl.when(masked).then(None).otherwise(pl.col(name)).alias(name) for name in numeric)
        settings |= {"bad_rows": "mask", "bridge": 0}
    checkpoint = training_folder(folder)
    detector = create_detector(name, training=dict(training), folder=checkpoint, **settings)
    detector.fit(frame, entity=columns.entity, time=columns.time)
    card = save_detector(folder, detector)
    remove_training(checkpoint)
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


def score_anomalies(
    folder: Path,
    path: Path,
    columns: Rows,
    *,
    out: Path | None = None,
    rows_per_day: float = 96.0,
    within: int = WITHIN,
) -> tuple[pl.DataFrame, Judgement | None]:
    """Score a file with a saved detector.

    Returns the frame of scores, aligned with the file's rows, and how good they are where labels are named. `out`
    (Parquet, or CSV by its ending) receives the frame.
    """
    frame, labels = read_rows(path, columns)
    detector = load_detector(folder)
    scored = detector.score_frame(frame, entity=columns.entity, time=columns.time)
    if out is not None:
        write_frame(out, scored)
    if labels is None:
        return scored, None
    scores, alarms = scored["score"].to_numpy(), scored["alarm"].to_numpy()
    return scored, judged(labels, scores, alarms, rows_per_day=rows_per_day, within=within)


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
    threshold: ThresholdConfig,
    step: float | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[dict[str, Any], Reading]]:
    """Score rows as they come, each a line of JSON with the channels by name.

    A line that is not such an object is a bad row like one with NaN: the stream goes on. `columns.entity` names the key
    of the symbol, `columns.time` that of the time: ISO 8601 or a number (see `instants`); `step` is in seconds, or in
    the unit of times that count something of their own. `warn` is told of rows that never come to a score.

    Raises DataError where the first time is of another unit than those of the fit: no gap would ever be seen, or one
    at every row.
    """
    time = columns.time
    detector = load_detector(folder)
    stream = DetectorStream(detector, threshold, step=step)
    unscored, checked = Unscored(stream), False
    for line in lines:
        if not line.strip():
            continue
        row = _parsed(line)
        values = {name: row.get(name) for name in detector.columns_}
        symbol = str(row.get(columns.entity, "")) if columns.entity else ""
        when = row.get(time) if time else None
        if when is not None and not checked:
            stream.check_time(when)
            checked = True
        reading = stream.update(values, symbol=symbol, time=when)
        yield row, reading
        _say(warn, unscored.note(symbol, reading))
    _say(warn, unscored.at_the_end())


def _say(warn: Callable[[str], None], sentence: str) -> None:
    if sentence:
        warn(sentence)


def _parsed(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}
