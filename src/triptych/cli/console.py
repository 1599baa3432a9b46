"""Where the command line speaks: people read the terminal (stderr for progress), machines read JSON (stdout)."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from triptych.domain.errors import TriptychError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

out = Console(highlight=False)
progress = Console(stderr=True, highlight=False)


def fail(error: TriptychError) -> None:
    """Print an error: what was wrong, then what to do."""
    progress.print(f"[bold red]Error:[/] {escape(error.message)}", soft_wrap=True)
    if error.remedy:
        progress.print(f"[bold]What to do:[/] {escape(error.remedy)}", soft_wrap=True)


def warn(sentence: str) -> None:
    """Print what a user should know although the work goes on."""
    with contextlib.suppress(OSError):
        progress.print(f"[bold yellow]Warning:[/] {escape(sentence)}", soft_wrap=True)


def say_interrupted() -> None:
    """Print what Ctrl-C means for the work that was under way."""
    progress.print(
        "\nStopped. The same command goes on: a training from its last checkpoint, a session from its journal.",
        soft_wrap=True,
    )


def print_json(content: Any) -> None:
    """One JSON document on stdout and nothing else."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    print(text)  # noqa: T201 - rich would wrap the lines


def json_line(content: Mapping[str, Any]) -> str:
    """One JSON object on one line, as RFC 8259 has it whatever the values were read from: numbers that are not finite
    are texts, and so is anything within a value that is no plain one; halves of surrogates are question marks."""
    plain = {name: _plain(value) for name, value in content.items()}
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    try:
        return str(value)[:200]
    except RecursionError:
        return f"a nested {type(value).__name__}"


class Narrator:
    """Tells the stages of long work with the seconds since the start."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        if not self._quiet:
            with contextlib.suppress(OSError):  # a terminal that is gone, a full disk: no reason to stop the work
                progress.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/]  {escape(text)}", soft_wrap=True)


class SearchBar:
    """A bar of trials on the error stream, where it is a terminal and nobody asked for silence."""

    def __init__(self, total: int, *, silent: bool = False) -> None:
        self._bar = Progress(
            TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[best]}"),
            TimeElapsedColumn(), console=progress, transient=True, disable=silent or not progress.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("trials", total=total, best="")

    def __enter__(self) -> SearchBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, done: int, best: float | None) -> None:
        """Show how many trials have ended, and the best skill until now."""
        self._bar.update(self._task, completed=done, best="" if best is None else f"best {best:.4f}")


def figures(title: str, rows: dict[str, str]) -> Table:
    """A table of two columns: what, and how much."""
    table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    return table
