"""Options of `triptych render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

SourceArgument = Annotated[
    str,
    typer.Argument(
        help="Candles (CSV, Parquet, Arrow; the folder of a candle store), order books (Parquet, CSV), or a recipe "
        "(.toml or shipped name): what its network sees.",
        metavar="SOURCE",
    ),
]
OutOption = Annotated[
    Path,
    typer.Option(
        "--out", help="A folder, or a file ending in .png, .gif or .webp for a single picture.", metavar="DIR|FILE"
    ),
]
EncodingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoding",
        "-e",
        help="What to draw; may be repeated; `all` draws all that the source can feed. `triptych encodings` lists "
        "them [default: that of the recipe].",
        metavar="NAME",
    ),
]
EncodingSetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Option of an encoding: candlestick.height=224; may be repeated.", metavar="NAME.OPTION=VALUE"
    ),
]
LengthOption = Annotated[
    int | None,
    typer.Option(min=2, help="Rows of a window: candles, or books [default: the recipe's, else the encoding's]."),
]
AtOption = Annotated[
    list[str] | None,
    typer.Option("--at", help="The window that closes at this time, UTC; may be repeated.", metavar="TIME"),
]
LastOption = Annotated[
    int | None, typer.Option("--last", min=1, help="The last N windows [default: the last one].", metavar="N")
]
EveryOption = Annotated[
    int | None,
    typer.Option("--every", min=1, help="Only every n-th window, counted back from the last.", metavar="N"),
]
FromOption = Annotated[
    str | None, typer.Option("--from", help="Windows that close at this time or later, UTC.", metavar="TIME")
]
ToOption = Annotated[
    str | None, typer.Option("--to", help="Windows that close at this time or before, UTC.", metavar="TIME")
]
SymbolOption = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol", help="Only this instrument; names it where the file does not; may be repeated [default: all]."
    ),
]
TimeframeOption = Annotated[
    str | None,
    typer.Option("--timeframe", help="Resample candles, or sample books, to this: 1h, 1s.", metavar="TIMEFRAME"),
]
BookOption = Annotated[
    Path | None,
    typer.Option("--book", help="Order books beside the candles: as they stood at each close.", metavar="FILE"),
]
FactorsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--factors",
        help="Factors or sets of factors, for encodings that read them; may be repeated [default: the recipe's, "
        "else grid56].",
        metavar="NAME",
    ),
]
CompanionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--companion",
        help="Another instrument of the source whose factors stand beside, as a channel; may be repeated.",
        metavar="SYMBOL",
    ),
]
ViewOption = Annotated[
    Literal["people", "network"],
    typer.Option(
        help="For people: charts large, fields in colours, all enlarged. As a network gets it: default sizes, "
        "greys, pixel by pixel."
    ),
]
SheetOption = Annotated[bool, typer.Option("--sheet", help="One contact sheet: a row a time, a column an encoding.")]
AnimateOption = Annotated[
    bool,
    typer.Option("--animate", help="Animations over the windows; with --sheet all encodings side by side."),
]
FpsOption = Annotated[float, typer.Option(min=0.1, max=50, help="Windows a second of an animation.")]
SurfaceOption = Annotated[
    Literal["wireframe", "shaded"] | None,
    typer.Option(
        "--surface", help="Draw each image as a landscape, its values as heights (of a large one, means of blocks)."
    ),
]
ColorsOption = Annotated[
    str | None,
    typer.Option(
        "--colors",
        help="Colour map of one-channel images: gray, viridis, magma or another of matplotlib's [default: the "
        "encoding's].",
        metavar="MAP",
    ),
]
TilesOption = Annotated[
    bool, typer.Option("--tiles", help="Every channel by itself, side by side; else three are red, green, blue.")
]
ScaleOption = Annotated[
    int | None,
    typer.Option("--scale", min=1, max=32, help="Side of the square that a pixel becomes [default: by --view]."),
]
FormatOption = Annotated[
    Literal["png", "gif", "webp"] | None,
    typer.Option(help="Of the files [default: ending of --out, else png, and gif for animations]."),
]
CompressionOption = Annotated[
    int,
    typer.Option(
        min=0, max=9, help="PNG: 0 none, 9 smallest. 2 costs the time of 1; 6 saves a tenth for twice the time."
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Threads that compress and write [default: one a core].")
]
OverwriteOption = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace any file; without it only pictures that this command drew are replaced."),
]
