"""`triptych backtest`: what trading by a run would have earned, after costs, and whether that was luck."""

from __future__ import annotations

from triptych.cli.console import Narrator, out, print_json
from triptych.cli.options import JsonOption, QuietOption, RunArgument, SetOption


def backtest(run: RunArgument, set_: SetOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Trade the predictions of a run on its out-of-sample candles, with costs, and judge the result.

    `--set` changes strategy, regimes, sizing, execution, risk, guard, costs or backtest keys: each set of changes
    counts as one more trial when luck is judged.
    """
    from triptych import bootstrap
    from triptych.cli.summaries import backtest_table, members_table, verdict_panel

    opened = bootstrap.open_run(run)
    result = bootstrap.backtest(opened, overrides=set_ or [], tell=Narrator(quiet or json))
    if json:
        print_json(result)
        return
    out.print(backtest_table(result))
    if "members" in result:
        out.print(members_table(result["members"]))
    out.print(verdict_panel(result["verdict"]))
    out.print(f"Next: triptych report {run}", soft_wrap=True, markup=False)
