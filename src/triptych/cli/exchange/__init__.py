"""`triptych exchange`: the simulated exchange."""

from __future__ import annotations

import typer

from triptych.cli.exchange import serve

app = typer.Typer(help="The simulated exchange.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """One command more and the words would change; with this they stay."""


app.command("serve")(serve.serve)
