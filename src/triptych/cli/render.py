"""`triptych render`: pictures of a market as files."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from triptych.cli.console import out, print_json, progress
from triptych.cli.data.options import ColumnOption, TimestampUnitOption, TimezoneOption, roles
from triptych.cli.options import JsonOption, QuietOption
from triptych.cli.render_options import (
    AnimateOption,
    AtOption,
    BookOption,
    ColorsOption,
    CompanionOption,
    CompressionOption,
    EncodingOption,
    EncodingSetOption,
    EveryOption,
    FactorsOption,
    FormatOption,
    FpsOption,
    FromOption,
    LastOption,
    LengthOption,
    OutOption,
    OverwriteOption,
    ScaleOption,
    SheetOption,
    SourceArgument,
    SurfaceOption,
    SymbolOption,
    TilesOption,
    TimeframeOption,
    ToOption,
    ViewOption,
    WorkersOption,
)

FEW = 50
"""So many pictures need no progress bar, and are named one by one."""


def render(
    source: SourceArgument,
    folder: OutOption,
    encoding: EncodingOption = None,
    set_: EncodingSetOption = None,
    length: LengthOption = None,
    at: AtOption = None,
    last: LastOption = None,
    every: EveryOption = None,
    start: FromOption = None,
    end: ToOption = None,
    symbol: SymbolOption = None,
    timeframe: TimeframeOption = None,
    book: BookOption = None,
    factors: FactorsOption = None,
    companion: CompanionOption = None,
    view: ViewOption = "people",
    sheet: SheetOption = False,
    animate: AnimateOption = False,
    fps: FpsOption = 8.0,
    surface: SurfaceOption = None,
    colors: ColorsOption = None,
    tiles: TilesOption = False,
    scale: ScaleOption = None,
    format: FormatOption = None,
    compression: CompressionOption = 2,
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
    column: ColumnOption = None,
    timezone: TimezoneOption = "UTC",
    timestamp_unit: TimestampUnitOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw windows of a market: one picture each, a contact sheet, or an animation.

    A picture shows exactly what a network gets from the encoding: only the window's own rows, scaled by its own range.
    Without --at, --last, --every, --from or --to the last window is drawn. Files in a folder are named
    SYMBOL_TIMEFRAME_ENCODING_TIME.png by the UTC time at which the window closes, and replace their own kind only.
    """
    from triptych.bootstrap import rendering

    kind: Literal["pictures", "sheet", "animation", "animated sheet"] = "pictures"
    if animate:
        kind = "animated sheet" if sheet else "animation"
    elif sheet:
        kind = "sheet"
    with _Bar(silent=quiet or json) as bar:
        drawn = rendering.render(
            source,
            rendering.Output(path=folder, kind=kind, format=format, fps=fps, overwrite=overwrite, workers=workers),
            encodings=encoding or (),
            options=_options(set_ or []),
            length=length,
            moments=rendering.Moments(at=tuple(at or ()), last=last, every=every, start=start, end=end),
            style=rendering.Style(
                view=view, colors=colors, channels="tiles" if tiles else "auto", scale=scale, surface=surface,
                level=compression,
            ),
            reading=rendering.Reading(
                symbols=tuple(symbol or ()), timeframe=timeframe, columns=roles(column), timezone=timezone,
                timestamp_unit=timestamp_unit, book=book, factors=tuple(factors) if factors else None,
                companions=tuple(companion or ()),
            ),
            watcher=bar,
        )  # fmt: skip
    if json:
        print_json(drawn.to_dict())
        return
    for note in drawn.notes:
        out.print(f"Note: {note}", soft_wrap=True, markup=False)
    _say(drawn, folder)


def _options(settings: list[str]) -> dict[str, dict[str, Any]]:
    """`--set NAME.OPTION=VALUE` by encoding; values are TOML, bare words are text. RecipeError for another form."""
    from triptych.bootstrap.rendering.catalogue import read_option

    found: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, option, value = read_option(setting)
        found.setdefault(name, {})[option] = value
    return found


def _say(drawn: Any, folder: Path) -> None:
    for name, about in drawn.encodings.items():
        size = f"{about['channels']} x {about['height']} x {about['width']}"
        enlarged = f", enlarged {about['scale']} times" if about["scale"] > 1 else ""
        out.print(f"{name}: {about['length']} rows as {size}{enlarged}", soft_wrap=True, markup=False)
    if len(drawn.files) > FEW:
        out.print(f"{len(drawn.files):,} pictures in {folder}", soft_wrap=True, markup=False)
        return
    for path in dict.fromkeys(one["file"] for one in drawn.files):
        out.print(path, soft_wrap=True, markup=False)


class _Bar:
    """A progress bar on stderr, once there is enough to do."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def begin(self, total: int) -> None:
        if self._silent or total <= FEW:
            return
        self._progress = Progress(
            TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=progress,
            transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("drawing", total=total)
        self._progress.start()

    def advance(self, count: int) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=count)
