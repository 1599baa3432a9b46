"""`triptych profile`: how fast is this machine?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triptych.cli.console import Narrator, figures, out, print_json
from triptych.cli.options import JsonOption, QuietOption


def profile(
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Write the profile to this file, for tune --profile elsewhere.", metavar="FILE"),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="CPU threads of a prediction.", min=1, max=1024)] = 1,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Time reference networks on this machine: one window of each, and one step of those that have a memory.

    Save the profile on the PC that will run the model, and give it to `triptych tune --profile FILE` on the one that
    searches: latencies measured there are translated into those of the other machine.
    """
    from triptych import bootstrap

    found = bootstrap.profile(threads=threads, tell=Narrator(quiet or json))
    if save is not None:
        found.save(save)
    if json:
        print_json(found.model_dump(mode="json"))
        return
    for title, timings in (("One window of a network", found.networks), ("One step of a network", found.steps)):
        rows = {name: f"{one.p50_ms:.3g} ms" for name, one in timings.items()}
        count = threads if timings is found.networks else 1
        out.print(figures(f"{title}, {count} thread{'s' if count > 1 else ''}, median", rows))
    if save is not None:
        out.print(f"Profile: {save}\nNext, on the other machine: triptych tune RECIPE --profile {save}", soft_wrap=True,
                  markup=False)  # fmt: skip
