"""`triptych report`: one self-contained HTML file about a run."""

from __future__ import annotations

from triptych.cli.console import Narrator, out, print_json
from triptych.cli.options import JsonOption, QuietOption, RunArgument


def report(run: RunArgument, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Write report.html and report.json into the run's folder; backtests first where that is still to be done."""
    from triptych import bootstrap
    from triptych.cli.summaries import verdict_panel

    written = bootstrap.report(bootstrap.open_run(run), tell=Narrator(quiet or json))
    if json:
        print_json({"html": str(written.html), "json": str(written.json), "verdict": written.verdict})
        return
    out.print(verdict_panel(written.verdict))
    out.print(f"Report: {written.html}", soft_wrap=True, markup=False)
