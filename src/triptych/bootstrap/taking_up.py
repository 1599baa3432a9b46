"""A run's folder taken up for training: made, found complete, mended, or gone on with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from triptych.bootstrap.run_folder import Run, at_work, discard, open_or_create
from triptych.bootstrap.telling import Tell
from triptych.domain.errors import DataError, RecipeError
from triptych.settings import Recipe

FRESH = " --fresh trains it again."
"""Said of what is complete, for the commands that have this option."""


@contextlib.contextmanager
def taken_up(
    recipe: Recipe, data_hash: str, home: Path, *, fresh: bool, damage_of: Callable[[Run], str], tell: Tell
) -> Iterator[tuple[Run, bool]]:
    """The run in `home`, and whether it is complete already.

    Args:
        recipe, data_hash: what the run must be of.
        home: its folder, which nobody else works on meanwhile.
        fresh: replace a run that is there.
        damage_of: what is missing or damaged in a run that was trained to its end; empty when all is well.
        tell: told in words what was found.

    A new run whose recipe or data are refused inside the context leaves no folder: nothing was learned, and repeating
    the command would change nothing.
    """
    with at_work(home):
        run = open_or_create(recipe, data_hash, home, fresh=fresh)
        status = run.record["status"]
        damage = damage_of(run) if status == "trained" else ""
        is_complete = status == "trained" and not damage
        if is_complete:
            tell(f"{home} is complete already: same recipe, data, versions and seed.{FRESH}")
        if damage:
            tell(f"{damage} Mending the run.")
        if status == "training":
            tell(f"{home} was stopped before its end: going on.")
        try:
            yield run, is_complete
        except (DataError, RecipeError):
            if status == "new":
                discard(home)
                with contextlib.suppress(OSError):
                    home.rmdir()
            raise
