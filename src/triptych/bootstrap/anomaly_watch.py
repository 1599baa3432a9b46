"""A stream of lines that a saved detector watches, and the state by which a watch that ended goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from triptych.bootstrap.anomalies import Rows, moving_as, opened, paced, say
from triptych.bootstrap.anomaly_lines import LineReader
from triptych.bootstrap.ending import Ending
from triptych.inference.anomaly.pace import Pace
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.anomaly.stream_state import StreamFile
from triptych.inference.anomaly.unscored import Unscored
from triptych.inference.watch import Reading

STATE_EVERY = 100
"""Rows after which the state is written anew."""


def watch_anomalies(
    folder: Path,
    lines: Iterator[str],
    columns: Rows,
    *,
    threshold: Mapping[str, Any],
    step: float | None = None,
    breaks: bool | None = None,
    state: Path | None = None,
    state_every: int = STATE_EVERY,
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[dict[str, Any], Reading]]:
    """Score rows as they come, lines of JSON or of CSV (see `LineReader`); yields their time and entity by name too.

    A line that is no row is a bad row like one with NaN: the stream goes on. `columns.entity` names the key
    of the symbol, `columns.time` that of the time, None taking the columns of the fit. Times are ISO 8601 or a number
    (see `instants`); `step` is in seconds, or in the unit of times that count something of their own. `threshold` has
    settings of the threshold that differ, see `moving_as`. `warn` is told of rows that never come to a score, of those
    whose times turned out wrong or that are not as far apart as those of the fit, and where nothing says how many rows
    a day has.

    `state` is a file by which a later watch goes on where this one ended, with the same readings as if it had not. It
    is written when a row and `state_every` - 1 others have been answered, at the end of the lines, and on SIGTERM or
    Ctrl-C, which then end the watch in order. Rows that it knows by their times are ignored when they come again (see
    `sent_again`); `warn` is told how many.

    Raises DataError where the first time is of another unit than those of the fit: no gap would ever be seen, or one
    at every row; and where a stream of CSV begins without a header, or with one that lacks a channel. Raises
    ArtifactError for the state of another detector (see `StreamFile`), StorageError where it cannot be written.
    """
    detector = opened(folder, breaks)
    time, entity = columns.time or detector.time_, columns.entity or detector.entity_
    stream = DetectorStream(detector, moving_as(detector, threshold, otherwise="rolling"), step=step, tell=warn)
    if stream.threshold.method != "fixed":
        paced(stream.threshold, None, warn)
    kept = None if state is None else StreamFile(state, stream)
    unscored, checked, answered = Unscored(stream), False, 0
    pace = None if step is not None or detector.config.steps == "any" else Pace(stream)
    needed = ((time, "gaps in time are not seen"), (entity, "such rows count as those of one entity"))
    lost = {name: loss for name, loss in needed if name is not None}
    reader = LineReader(detector.columns_, list(lost))
    ending = None if kept is None else Ending()
    with ending or nullcontext():
        for line in lines if ending is None else ending.until_asked(lines):
            row = reader.read(line) if line.strip() else None
            if row is None:
                continue
            values = {name: row[name] for name in detector.columns_ if name in row} if row else None
            for name in [name for name in lost if row and row.get(name) is None]:
                warn(f"A row has no {name!r}: where it is missing, {lost.pop(name)}.")
            symbol = str(row.get(entity, "")) if entity else ""
            when = row.get(time) if time else None
            if when is not None and not checked:
                stream.check_time(when)
                checked = True
            reading = stream.update(values, symbol=symbol, time=when)
            if pace is not None and when is not None:
                say(warn, pace.note(symbol, when))
            yield {name: row.get(name) for name in (time, entity) if name is not None}, reading
            say(warn, unscored.note(symbol, reading))
            answered += 1
            if kept is not None and answered % state_every == 0:
                kept.write()
        if kept is not None:
            kept.write()
    say(warn, stream.told_of_sent_again())
    say(warn, unscored.at_the_end())
