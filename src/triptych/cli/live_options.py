"""Options of `triptych live`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

VenueOption = Annotated[
    Literal["paper", "simulated", "local", "bybit-testnet", "bybit-demo", "bybit"],
    typer.Option(
        "--venue",
        help="paper: a tape. simulated, or local: `triptych exchange serve`. bybit: real money, but for --paper.",
    ),
]
PaperOption = Annotated[
    bool,
    typer.Option("--paper", help="Trade on paper: on a tape, or on the candles of a venue as they close; no key."),
]
TapeOption = Annotated[
    Path | None,
    typer.Option("--tape", help="Candles to trade on paper: CSV, Parquet, Arrow, or a recorded tape.", metavar="FILE"),
]
BookOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--book",
        help="Recorded order books, for a model that reads them: beside --tape, or of the time before the start; "
        "may be repeated.",
        metavar="FILE|FOLDER",
    ),
]
SymbolOption = Annotated[
    list[str] | None,
    typer.Option("--symbol", help="Instrument to trade on a venue; may be repeated [default: those of the training]."),
]
RealMoneyOption = Annotated[bool, typer.Option("--real-money", help="Consent to trade real money, with --venue bybit.")]
StandbyOption = Annotated[
    bool,
    typer.Option("--standby", help="Wait while another process trades on this journal; take over when it ends."),
]
FallbackOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--fallback",
        help="A run whose model stands in when those before it fail; may be repeated. `rules`: a rule of moving "
        "averages, the last before flat.",
        metavar="RUN|rules",
    ),
]
LiveSettingsOption = Annotated[Path | None, typer.Option("--settings", help="Live settings (TOML).", metavar="FILE")]
LiveSetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Change a live setting; may be repeated.", metavar="KEY=VALUE")
]
JournalOption = Annotated[
    str,
    typer.Option(
        "--journal",
        help="Journal: a file, in the working directory unless its path says otherwise, or a PostgreSQL URL.",
        metavar="FILE|URL",
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", help="First close to trade at, UTC [default: as soon as the model can].", metavar="TIME"),
]
SpeedOption = Annotated[
    float,
    typer.Option("--speed", min=0, help="Market time by real time: 60 plays an hour in a minute; 0 does not wait."),
]
LogOption = Annotated[
    Path | None,
    typer.Option(
        "--log",
        help="Append structured logs (JSON lines) to this file. Without it warnings go to the error stream.",
        metavar="FILE",
    ),
]
MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        help="Serve metrics and readiness at this address, such as 9000; beyond this machine it takes "
        "TRIPTYCH_METRICS_TOKEN.",
        metavar="[HOST:]PORT",
    ),
]
DashboardOption = Annotated[
    str | None,
    typer.Option(
        "--dashboard",
        help="Serve the dashboard at this address, such as 8080, in a process of its own.",
        metavar="[HOST:]PORT",
    ),
]
ControlOption = Annotated[
    str | None,
    typer.Option(
        "--control",
        help="Open the session at this address for `triptych dashboard --session`; takes a token.",
        metavar="[HOST:]PORT",
    ),
]
