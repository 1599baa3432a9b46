"""`triptych anomaly`: channels, fit, score, watch, report, run."""

from __future__ import annotations

import typer

from triptych.cli.anomaly import channels, fit, report, run, score, watch

app = typer.Typer(help="Find rows of numeric channels that are not like the ones a detector learnt from (CATCH).")
app.command("channels")(channels.channels)
app.command("fit")(fit.fit)
app.command("score")(score.score)
app.command("watch")(watch.watch)
app.command("report")(report.report)
app.command("run")(run.run)
