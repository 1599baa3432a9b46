"""From plans to files: a picture for each window, a contact sheet, or an animation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.rendering.animation import encode_animation, require_few_frames
from triptych.bootstrap.rendering.names import (
    Format,
    format_of,
    picture_name,
    remove_leftovers,
    require_replaceable,
    time_in_name,
    time_in_words,
)
from triptych.bootstrap.rendering.plans import Plan
from triptych.bootstrap.rendering.sheets import Layout, frame, sheet
from triptych.bootstrap.rendering.stills import encode_still, write_stills
from triptych.bootstrap.rendering.watching import Watcher
from triptych.domain.errors import DataError
from triptych.domain.files import write_bytes

Kind = Literal["pictures", "sheet", "animation", "animated sheet"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """Where pictures go, and in what form.

    Attributes:
        path: a file, if its name ends in .png, .gif or .webp, else a folder.
        kind: one file a window; one sheet of all; an animation of each encoding, or of all encodings side by side.
        format: of the files; None takes the ending of `path`, else PNG, and GIF for animations.
        fps: windows a second of an animation.
        overwrite: replace files that were not drawn by us, too.
        workers: threads that compress; None takes one a core.
    """

    path: Path
    kind: Kind = "pictures"
    format: Format | None = None
    fps: float = 8.0
    overwrite: bool = False
    workers: int | None = None


def write_pictures(plans: Sequence[Plan], output: Output, format: Format, watcher: Watcher) -> list[dict[str, Any]]:
    """One file a window. Returns their JSON-ready descriptions; so do the other writers."""
    names = [[_name(plan, time_in_name(plan.close_ms(end)), format) for end in plan.ends] for plan in plans]
    paths = _paths([name for part in names for name in part], output)
    watcher.begin(len(paths))
    files = []
    for plan in plans:
        own, paths = paths[: len(plan.ends)], paths[len(plan.ends) :]
        workers = output.workers or os.cpu_count() or 1
        write_stills(plan, own, format=format, workers=workers, advance=watcher.advance)
        for path, end in zip(own, plan.ends, strict=True):
            files.append({"file": str(path), "encoding": plan.name, **_of(plan), "closes": _iso(plan.close_ms(end))})
    return files


def write_sheet(plans: Sequence[Plan], output: Output, format: Format, watcher: Watcher) -> list[dict[str, Any]]:
    """One sheet: a row for each window, a column for each encoding; instruments below one another."""
    first = plans[0]
    one = len({plan.history.symbol for plan in plans}) == 1
    period = _period(first)
    (path,) = _paths([_name(first, period, format, what="sheet", symbol=None if one else "sheet")], output)
    by_history = _by_history(plans)
    labels = [_label(parts[0], end) for parts in by_history for end in parts[0].ends]
    layout = Layout.of([plan.name for plan in by_history[0]], [plan.sample() for plan in by_history[0]], labels)
    layout.size(len(labels))
    watcher.begin(sum(len(plan.ends) for plan in plans))
    columns = [_watched(column, watcher) for column in zip(*by_history, strict=True)]
    until = time_in_words(first.close_ms(int(first.ends[-1])))
    about = f"{_words(plans)}, {first.caption(int(first.ends[0]))} .. {until} UTC"
    write_bytes(path, encode_still(sheet(layout, labels, columns), about, format, first.style.level))
    return [{"file": str(path), **_many(parts)} for parts in by_history]


def write_animations(
    plans: Sequence[Plan], output: Output, format: Format, watcher: Watcher, *, together: bool
) -> list[dict[str, Any]]:
    """Animations: of each encoding, or one with all encodings of an instrument side by side."""
    strips = _by_history(plans) if together else [[plan] for plan in plans]
    names = [_name(s[0], _period(s[0]), format, what="sheet" if together and len(s) > 1 else s[0].name) for s in strips]
    paths = _paths(names, output)
    layouts = [Layout.of([plan.name for plan in strip], [plan.sample() for plan in strip]) for strip in strips]
    for strip, layout in zip(strips, layouts, strict=True):
        require_few_frames(len(strip[0].ends), layout.size(1))
    watcher.begin(sum(len(plan.ends) for plan in plans))
    files = []
    for strip, path, layout in zip(strips, paths, layouts, strict=True):
        columns = [_watched([plan], watcher) for plan in strip]
        captions = [strip[0].caption(int(end)) for end in strip[0].ends]
        frames = (frame(layout, caption, pictures) for caption, *pictures in zip(captions, *columns, strict=True))
        about = f"{_words(strip)}, {captions[0]} .. {captions[-1]}"
        content = encode_animation(frames, len(captions), about=about, format=format, fps=output.fps)
        write_bytes(path, content)
        files.append({"file": str(path), **_many(strip), "fps": output.fps})
    return files


def _watched(plans: Iterable[Plan], watcher: Watcher) -> Iterator[NDArray[np.uint8]]:
    for plan in plans:
        for picture in plan.pictures():
            yield picture
            watcher.advance(1)


def _by_history(plans: Sequence[Plan]) -> list[list[Plan]]:
    """Plans of one instrument side by side; every instrument has the same encodings in the same order."""
    # By what it is, not by its history: an encoding that leaves missing candles blank has one of its own, with rows for
    # them.
    found: dict[tuple[str, str], list[Plan]] = {}
    for plan in plans:
        found.setdefault((plan.history.symbol, plan.history.timeframe), []).append(plan)
    return list(found.values())


def _paths(names: Sequence[str], output: Output) -> list[Path]:
    """Where the files go. DataError when one file is asked to hold several, or must not be replaced."""
    if format_of(output.path) is not None:
        if len(names) > 1:
            raise DataError(
                f"{len(names)} pictures do not fit into one file, {output.path}.",
                remedy="Name a folder by --out, or put them on one sheet by --sheet.",
            )
        paths = [output.path]
    elif output.path.is_file():
        raise DataError(
            f"{output.path} is a file.",
            remedy="Name a folder by --out, or a file that ends in .png, .gif or .webp.",
        )
    else:
        paths = [output.path / name for name in names]
    require_replaceable(paths, overwrite=output.overwrite)
    remove_leftovers(paths)
    return paths


def _name(plan: Plan, moment: str, format: Format, *, what: str | None = None, symbol: str | None = None) -> str:
    surface = f"-{plan.style.surface}" if plan.style.surface else ""
    return picture_name(
        symbol or plan.history.symbol, plan.history.timeframe, (what or plan.name) + surface, moment, format
    )


def _period(plan: Plan) -> str:
    first, last = (time_in_name(plan.close_ms(int(plan.ends[i]))) for i in (0, -1))
    return first if first == last else f"{first}_{last}"


def _label(plan: Plan, end: int) -> str:
    day, time = time_in_words(plan.close_ms(int(end))).split(" ")
    return f"{plan.history.symbol}\n{plan.history.timeframe}\n{day}\n{time}"


def _words(plans: Sequence[Plan]) -> str:
    return ", ".join(dict.fromkeys(plan.name for plan in plans))


def _iso(time_ms: int) -> str:
    return time_in_words(time_ms).replace(" ", "T") + "Z"


def _of(plan: Plan) -> dict[str, Any]:
    return {"symbol": plan.history.symbol, "timeframe": plan.history.timeframe}


def _many(plans: Sequence[Plan]) -> dict[str, Any]:
    first = plans[0]
    return {
        "encodings": [plan.name for plan in plans], **_of(first),
        "windows": len(first.ends),
        "closes_from": _iso(first.close_ms(int(first.ends[0]))),
        "closes_to": _iso(first.close_ms(int(first.ends[-1]))),
    }  # fmt: skip
