"""`triptych journal`: what a house that trades has written down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption

app = typer.Typer(help="Read the journal of live trading.", no_args_is_help=True)

JournalArgument = Annotated[str, typer.Argument(help="Journal: a file, or a PostgreSQL URL.", metavar="FILE|URL")]
NameOption = Annotated[str | None, typer.Option("--name", help="Instance, where the journal holds several.")]
OrderOption = Annotated[str, typer.Option("--order", help="Only what is told of this order.", metavar="ID")]
KindOption = Annotated[
    list[str] | None,
    typer.Option("--kind", help="Only entries such as StepRecorded or OrderFilled; may be repeated.", metavar="KIND"),
]


@app.command("show")
def show(
    journal: JournalArgument,
    name: NameOption = None,
    order: OrderOption = "",
    kind: KindOption = None,
    last: Annotated[int, typer.Option("--last", min=0, help="Only the last N entries; 0 for all.", metavar="N")] = 50,
    json: JsonOption = False,
) -> None:
    """Print entries, oldest first; a process may be writing meanwhile."""
    from triptych import bootstrap
    from triptych.bootstrap.journals import journal_rows
    from triptych.live.journal import place_of

    frame = bootstrap.journal_frame(
        journal_place(journal), name=name, order_id=order, kinds=tuple(kind or ()), last=last
    )
    if json:
        print_json(journal_rows(frame))
        return
    table = Table(title=f"{len(frame)} entries of {place_of(journal)}", title_justify="left")
    for heading in ("time (UTC)", "kind", "symbol", "what"):
        table.add_column(heading, overflow="fold")
    for time, entry, symbol, what in frame.select("time", "kind", "symbol", "what").iter_rows():
        table.add_row(f"{time:%Y-%m-%d %H:%M:%S}", entry, symbol, what)
    out.print(table)


@app.command("export")
def export(
    journal: JournalArgument,
    output: Annotated[Path, typer.Option("--out", help="A .csv, .parquet or .json file.", metavar="FILE")],
    name: NameOption = None,
    order: OrderOption = "",
    kind: KindOption = None,
    json: JsonOption = False,
) -> None:
    """Write entries to a file."""
    from triptych import bootstrap

    frame = bootstrap.journal_frame(journal_place(journal), name=name, order_id=order, kinds=tuple(kind or ()))
    bootstrap.write_journal(frame, output)
    if json:
        print_json({"file": str(output), "entries": len(frame)})
    else:
        out.print(f"{len(frame)} entries: {output}", soft_wrap=True, markup=False)


def journal_place(journal: str) -> str | Path:
    """A journal as it is named on the command line: a URL, or the path of a file."""
    return journal if "://" in journal else Path(journal)
