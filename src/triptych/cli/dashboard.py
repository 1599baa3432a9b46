"""`triptych dashboard`: web pages over a live session, its journal, and finished runs."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import out


def dashboard(
    session: Annotated[
        str | None,
        typer.Option("--session", help="Session to follow: what `triptych live --control` prints.", metavar="URL"),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(
            "--journal", help="Journal to read where no session runs: a file, or a PostgreSQL URL.", metavar="FILE|URL"
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Instance, where the journal holds several.")] = None,
    candles: Annotated[
        Path | None,
        typer.Option("--candles", help="Candles for the chart and the pictures of a journal.", metavar="FILE"),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model", help="Run whose model decided, for pictures of a journal; may be repeated.", metavar="RUN"
        ),
    ] = None,
    runs: Annotated[Path, typer.Option("--runs", help="Folder of finished runs.", metavar="DIR")] = Path("runs"),
    listen: Annotated[
        str,
        typer.Option(
            "--listen", help="Address to listen on; others than the loopback take a token.", metavar="[HOST:]PORT"
        ),
    ] = "127.0.0.1:8080",
    until_stdin_closes: Annotated[
        bool, typer.Option("--until-stdin-closes", help="End when the standard input does.", hidden=True)
    ] = False,
) -> None:
    """Serve the dashboard: live overview, decisions with what the model saw, orders, health, journal, finished runs.

    The token comes from TRIPTYCH_TOKEN, or from the file that TRIPTYCH_TOKEN_FILE names. Every page has a JSON twin
    under /api.
    """
    require_nicegui()
    from triptych.dashboard import Config, explained_heat, serve_dashboard
    from triptych.domain.errors import RecipeError
    from triptych.live.control import read_token
    from triptych.live.monitoring.server import parse_address

    if session is not None and journal is not None:
        raise RecipeError("A session brings its own journal.", remedy="Leave --journal or --session out.")
    host, port = parse_address(listen)
    config = Config(
        host=host, port=port, session=session, journal=journal, name=name, candles=candles,
        models=tuple(model or ()), runs=runs,
    )  # fmt: skip
    serve_dashboard(
        config, token=read_token(), heat=explained_heat, on_ready=_say,
        until_closed=sys.stdin if until_stdin_closes else None,
    )  # fmt: skip


def require_nicegui() -> None:
    """Raise RecipeError without the library that draws the pages."""
    if find_spec("nicegui") is None:
        from triptych.domain.errors import RecipeError

        raise RecipeError(
            "The dashboard needs NiceGUI, which is not installed.",
            remedy="Run: pip install -c constraints.txt 'triptych[dashboard]'",
        )


def _say(url: str) -> None:
    out.print(f"Dashboard: {url}", soft_wrap=True, markup=False)
