"""`triptych anomaly`: fit, score, watch, report."""

from __future__ import annotations

import typer

from triptych.cli.anomaly import fit, report, score, watch

app = typer.Typer(help="Find rows of numeric channels that are not like the ones a detector learnt from (CATCH).")
app.command("fit")(fit.fit)
app.command("score")(score.score)
app.command("watch")(watch.watch)
app.command("report")(report.report)
