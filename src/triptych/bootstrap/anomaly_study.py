"""A detector fitted on the past that watches what came after: from files to alarms by day and known events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from triptych.bootstrap.anomalies import remove_training, training_folder, write_frame
from triptych.bootstrap.anomaly_channels import read_channels
from triptych.bootstrap.anomaly_watched import Watch, watched
from triptych.bootstrap.detecting import create_detector
from triptych.domain.errors import NotEnoughData
from triptych.domain.files import write_json
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.saving import refuse_other_folders, save_detector
from triptych.market.store import to_ms
from triptych.settings.study import Learning, Study


def run_study(study: Study, files: Sequence[Path], out: Path, tell: Callable[[str], None] = lambda _: None) -> Watch:
    """Fit, watch, and write the folder: detector, watched rows, scores, days and `study.json`.

    The detectors of `study.beside` are fitted on the same rows and watch by the same threshold; their scores and days
    are written beside, under their names.

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
    if len(times) - split < 1:
        raise NotEnoughData(f"No row is as late as {study.period.fit_until}.", remedy="Choose an earlier fit_until.")
    time = times.astype("datetime64[ms]")
    stamped = pl.DataFrame(values, schema=list(columns)).with_columns(pl.Series("time", time))
    detector = _created(study, study.detector, checkpoint)
    detector.fit(stamped[:split])
    remove_training(checkpoint)
    detector.watch_ = study.threshold
    save_detector(out / "detector", detector)
    tell("Fitted. Watching.")
    first = _first(detector, split)
    watch = watched(study, detector, stamped[first:], time[first:], split - first)
    write_frame(out / "watched.parquet", stamped[first:])
    others = []
    for name in dict.fromkeys(study.beside):
        if name == study.detector.name:
            continue
        tell(f"Beside it: {name}.")
        plain = study.detector.model_copy(update={"name": name, "settings": {}, "hidden_rows": 0, "training": {}})
        other = _created(study, plain, None).fit(stamped[:split])
        first = _first(other, split)
        others.append(watched(study, other, stamped[first:], time[first:], split - first))
    for one in (watch, *others):
        of = "" if one is watch else f"_{one.detector}"
        write_frame(out / f"scores{of}.parquet", one.frame)
        write_frame(out / f"days{of}.csv", one.days)
    whole = replace(watch, beside=tuple(others))
    write_json(out / "study.json", whole.found() | {"files": [path.name for path in files]})
    return whole


def _created(study: Study, learning: Learning, folder: Path | None) -> AbstractDetector:
    settings = learning.given() | {"breaks": study.channels.breaks}
    return create_detector(learning.name, training=learning.trained(), folder=folder, **settings)


def _first(detector: AbstractDetector, split: int) -> int:
    """The first row that a detector needs for its score of the row `split`: the past warms the watch up."""
    return max(split - detector.memory + 1, 0)
