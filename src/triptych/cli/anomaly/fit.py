"""`triptych anomaly fit`: learn what is normal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from triptych.cli.anomaly.options import (
    AnyStepOption,
    BreaksOption,
    EntityOption,
    FileArgument,
    LabelsOption,
    TimeOption,
)
from triptych.cli.console import Narrator, figures, out, print_json, warn
from triptych.cli.options import JsonOption, QuietOption

Kind = Literal["catch", "blend", "zscore", "pca", "isolation_forest", "kmeans"]  # `DetectorName`, without its imports


def fit(
    file: FileArgument,
    folder: Annotated[Path, typer.Option("--out", help="Folder to save the detector in.", metavar="DIR")],
    time: TimeOption = None,
    entity: EntityOption = None,
    labels: LabelsOption = None,
    detector: Annotated[
        Kind, typer.Option("--detector", help="Which detector: CATCH, simple ones, or a blend of both.")
    ] = "catch",
    contamination: Annotated[
        float, typer.Option("--contamination", help="Share of normal rows that the threshold takes for anomalies.")
    ] = 0.01,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", help="A column to leave out. May be repeated.", metavar="COLUMN")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            help="A channel that rises from row to row and is meant; others are refused as clocks. May be repeated.",
            metavar="COLUMN",
        ),
    ] = None,
    mask: Annotated[bool, typer.Option("--mask", help="Bridge bad rows instead of refusing the file.")] = False,
    breaks: BreaksOption = None,
    any_step: AnyStepOption = False,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the training windows at most.")] = 6,
    hidden_rows: Annotated[
        int,
        typer.Option(
            "--hidden-rows",
            min=0,
            max=48,
            help="Rows that CATCH's network foretells instead of copying them; 16 is better on channels of a market.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")] = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit a detector on rows that are mostly normal and save it.

    Two fifths of the rows (a fifth for the simple detectors) are held out and set the threshold. Rows labelled as
    anomalies are left out. Columns that count time or rows are refused as channels. A fit that was killed goes on when
    the same command is given again.
    """
    from triptych.bootstrap.anomalies import Rows, fit_anomalies
    from triptych.inference.anomaly.configs import foretelling

    hidden, training = foretelling(hidden_rows)
    tell = Narrator(quiet or json)
    tell(f"Fitting on {file}")
    card = fit_anomalies(
        file,
        folder,
        Rows(time=time, entity=entity, labels=labels, drop=tuple(drop or ())),
        settings={"contamination": contamination, "seed": seed, "bad_rows": "mask" if mask else "refuse"}
        | ({} if breaks is None else {"breaks": breaks})
        | {"counters": tuple(keep or ()), "steps": "any" if any_step else "same"}
        | hidden,
        training={"epochs": epochs} | training,
        name=detector,
        tell=tell,
        warn=warn,
    )
    if json:
        print_json(card.model_dump(mode="json"))
        return
    rows = {
        "channels": str(len(card.columns)),
        "parameters": f"{card.parameters:,}",
        "threshold": f"{card.threshold:.3f}",
        "folder": str(folder),
    }
    out.print(figures("Detector", rows))
