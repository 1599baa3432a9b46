"""`triptych render`: pictures of a market as files."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from triptych.cli.console import out, print_json, progress
from triptych.cli.data.options import ColumnOption, TimestampUnitOption, TimezoneOption, roles
from triptych.cli.options import JsonOption, QuietOption

FEW = 50
"""So many pictures need no progress bar, and are named one by one."""


def render(
    source: Annotated[
        str,
        typer.Argument(
            help="Candles (CSV, Parquet, Arrow), order books (Parquet, CSV), or a recipe (.toml or shipped name): "
            "what its network sees.",
            metavar="SOURCE",
        ),
    ],
    folder: Annotated[
        Path,
        typer.Option(
            "--out", help="A folder, or a file ending in .png, .gif or .webp for a single picture.", metavar="DIR|FILE"
        ),
    ],
    encoding: Annotated[
        list[str] | None,
        typer.Option(
            "--encoding",
            "-e",
            help="What to draw; may be repeated; `all` draws all that the source can feed. `triptych encodings` lists "
            "them [default: that of the recipe].",
            metavar="NAME",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Option of an encoding: candlestick.height=224; may be repeated.", metavar="NAME.OPTION=VALUE"
        ),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(min=2, help="Rows of a window: candles, or books [default: the recipe's, else the encoding's]."),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", help="The window that closes at this time, UTC; may be repeated.", metavar="TIME"),
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", min=1, help="The last N windows [default: the last one].", metavar="N")
    ] = None,
    every: Annotated[
        int | None,
        typer.Option("--every", min=1, help="Only every n-th window, counted back from the last.", metavar="N"),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Windows that close at this time or later, UTC.", metavar="TIME")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Windows that close at this time or before, UTC.", metavar="TIME")
    ] = None,
    symbol: Annotated[
        list[str] | None, typer.Option("--symbol", help="Only this instrument; may be repeated [default: all].")
    ] = None,
    timeframe: Annotated[
        str | None,
        typer.Option("--timeframe", help="Resample candles, or sample books, to this: 1h, 1s.", metavar="TIMEFRAME"),
    ] = None,
    book: Annotated[
        Path | None,
        typer.Option("--book", help="Order books beside the candles: as they stood at each close.", metavar="FILE"),
    ] = None,
    factors: Annotated[
        list[str] | None,
        typer.Option(
            "--factors",
            help="Factors or sets of factors, for encodings that read them; may be repeated [default: the recipe's, "
            "else grid56].",
            metavar="NAME",
        ),
    ] = None,
    companion: Annotated[
        list[str] | None,
        typer.Option(
            "--companion",
            help="Another instrument of the source whose factors stand beside, as a channel; may be repeated.",
            metavar="SYMBOL",
        ),
    ] = None,
    view: Annotated[
        Literal["people", "network"],
        typer.Option(
            help="For people: charts large, fields in colours, all enlarged. As a network gets it: default sizes, "
            "greys, pixel by pixel."
        ),
    ] = "people",
    sheet: Annotated[
        bool, typer.Option("--sheet", help="One contact sheet: a row a time, a column an encoding.")
    ] = False,
    animate: Annotated[
        bool,
        typer.Option("--animate", help="Animations over the windows; with --sheet all encodings side by side."),
    ] = False,
    fps: Annotated[float, typer.Option(min=0.1, max=50, help="Windows a second of an animation.")] = 8.0,
    surface: Annotated[
        Literal["wireframe", "shaded"] | None,
        typer.Option(
            "--surface", help="Draw each image as a landscape, its values as heights (of a large one, means of blocks)."
        ),
    ] = None,
    colors: Annotated[
        str | None,
        typer.Option(
            "--colors",
            help="Colour map of one-channel images: gray, viridis, magma or another of matplotlib's [default: the "
            "encoding's].",
            metavar="MAP",
        ),
    ] = None,
    tiles: Annotated[
        bool, typer.Option("--tiles", help="Every channel by itself, side by side; else three are red, green, blue.")
    ] = False,
    scale: Annotated[
        int | None,
        typer.Option("--scale", min=1, max=32, help="Side of the square that a pixel becomes [default: by --view]."),
    ] = None,
    format: Annotated[
        Literal["png", "gif", "webp"] | None,
        typer.Option(help="Of the files [default: ending of --out, else png, and gif for animations]."),
    ] = None,
    compression: Annotated[
        int,
        typer.Option(
            min=0, max=9, help="PNG: 0 none, 9 smallest. 2 costs the time of 1; 6 saves a tenth for twice the time."
        ),
    ] = 2,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Threads that compress and write [default: one a core].")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace any file; without it only pictures that this command drew are replaced."
        ),
    ] = False,
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
