"""`triptych evaluate`: metrics of a run with their intervals, beside the baselines."""

from __future__ import annotations

from triptych.cli.console import out, print_json
from triptych.cli.options import JsonOption, RunArgument


def evaluate(run: RunArgument, json: JsonOption = False) -> None:
    """Show how well a run predicts candles it has not seen: metrics with 95 % intervals, beside baselines.

    Figures foretold beside the direction, and what followed the most similar windows of a run of likeness, stand beside
    plain rules of their own.
    """
    from triptych import bootstrap
    from triptych.cli.summaries import evaluation_tables

    evaluation = bootstrap.evaluate(bootstrap.open_run(run))
    if json:
        print_json(evaluation)
        return
    for table in evaluation_tables(evaluation):
        out.print(table)
