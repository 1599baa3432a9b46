"""`triptych encodings`: what encodings there are, and the options of one."""

from __future__ import annotations

import json as json_text
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption


def encodings(
    name: Annotated[str, typer.Argument(help="One encoding: shows its options; none lists all.")] = "",
    json: JsonOption = False,
) -> None:
    """List the encodings: what each shows, what it reads, and the size of its image with default options."""
    from triptych.bootstrap.rendering import encoding_catalogue

    entries = encoding_catalogue([name] if name else None)
    if json:
        content = [entry.to_dict() for entry in entries]
        print_json(content[0] if name else content)
        return
    if not name:
        out.print(_all(entries))
        return
    (entry,) = entries
    out.print(escape(entry.about), soft_wrap=True)
    out.print(f"With default options: {_facts(entry)}\n", soft_wrap=True, markup=False)
    out.print(_options(entry))


def _all(entries: Any) -> Table:
    table = Table(title="Encodings, with their default options", title_justify="left", title_style="bold")
    table.add_column("name", no_wrap=True, style="bold")
    table.add_column("shows")
    for entry in entries:
        table.add_row(entry.name, f"{escape(entry.about)}\n[dim]{escape(_facts(entry))}[/]", end_section=True)
    return table


def _options(entry: Any) -> Table:
    table = Table(title=f"Options of {entry.name}", title_justify="left", title_style="bold", show_lines=True)
    for head in ("option", "type", "default", "meaning"):
        table.add_column(head, overflow="fold")
    for option in entry.options:
        kind = f"{option.kind}, {option.limits}" if option.limits else option.kind
        default = "" if option.default is None else json_text.dumps(option.default)
        table.add_row(option.name, escape(kind), escape(default), escape(option.about))
    return table


def _facts(entry: Any) -> str:
    """What it reads and gives, in one line; sizes are channels x height x width."""
    size = f"{entry.channels} x {entry.height} x {entry.width}"
    gradient = "differentiable" if entry.differentiable else "not differentiable"
    reads = " and ".join(entry.reads)
    return f"{entry.length} rows of {reads} -> {size}, values {entry.low:g} .. {entry.high:g}, {gradient}"
