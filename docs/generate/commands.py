"""The reference of the command line, from the Typer application itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from triptych.cli.app import app


def write_command_reference(path: Path) -> None:
    """Write one page with every command, its arguments, options and defaults."""
    lead = "Every command, generated from the program. `triptych COMMAND --help` says the same."
    lines = ["# Command line", "", lead, ""]
    for name, command in _commands("triptych", typer.main.get_command(app)):
        lines += _section(name, command)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, child in getattr(command, "commands", {}).items():
        yield from _commands(f"{name} {word}", child)


def _section(name: str, command: Any) -> list[str]:
    children = getattr(command, "commands", {})
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "completion" not in p.name]
    rest = "COMMAND" if children else "[OPTIONS]" if options else ""
    usage = [name, *(_placeholder(p) for p in arguments), rest]
    lines = [f"## `{name}`", "", "```text", " ".join(usage).strip(), "```", "", _plain(command.help or ""), ""]
    if children:
        lines += ["| command | what it does |", "| --- | --- |"]
        for word, child in children.items():
            lines.append(f"| [`{word}`](#{_anchor(f'{name} {word}')}) | {_cell((child.help or '').splitlines()[0])} |")
        lines.append("")
    if arguments or options:
        lines += ["| option | meaning | default |", "| --- | --- | --- |"]
        lines += [f"| {_spelling(p)} | {_cell(p.help or '')} | {_default(p)} |" for p in [*arguments, *options]]
        lines.append("")
    return lines


def _placeholder(parameter: Any) -> str:
    word = parameter.metavar or parameter.name.upper()
    return word if parameter.required else f"[{word}]"


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    words = " ".join(f"`{word}`" for word in (*parameter.opts, *parameter.secondary_opts))
    return words if parameter.is_flag else f"{words} {_value(parameter)}"


def _value(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    if get_origin(kind) is Literal:
        return " \\| ".join(f"`{choice}`" for choice in get_args(kind))
    name = parameter.metavar or {int: "N", float: "NUMBER"}.get(kind, "TEXT")
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    limits = "" if low is None and high is None else f" ≥ {low}" if high is None else f" {low} to {high}"
    return f"`{name}`{limits}"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default in (None, "", False) or parameter.is_flag is True:
        return ""
    return f"`{parameter.default}`"


def _anchor(text: str) -> str:
    return text.replace(" ", "-")


def _plain(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _cell(text: str) -> str:
    return _plain(text).replace("\n", " ").replace("|", "\\|")
