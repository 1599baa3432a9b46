"""`triptych data`: candles at home."""

from __future__ import annotations

import typer

from triptych.cli.data import check, fetch, import_, list_, record, synth

app = typer.Typer(help="Candles at home: invent, fetch, record, import, check and list them.", no_args_is_help=True)
app.command("synth")(synth.synth)
app.command("fetch")(fetch.fetch)
app.command("instruments")(fetch.instruments)
app.command("record")(record.record)
app.command("import")(import_.import_)
app.command("check")(check.check)
app.command("list")(list_.list_)
