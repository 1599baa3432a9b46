"""`tune`: from a recipe to a chosen, refitted and judged model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.bootstrap.candles import load_candles, with_absolute_path
from triptych.bootstrap.files import read_json
from triptych.bootstrap.locking import exclusive
from triptych.bootstrap.profiling import profile
from triptych.bootstrap.provenance import fingerprint
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.tuning.page import write_page
from triptych.bootstrap.tuning.past import refuse_foreknowing
from triptych.bootstrap.tuning.processes import run_workers
from triptych.bootstrap.tuning.results import gather_results, one_class_verdict, says_words
from triptych.bootstrap.tuning.storage import storage_errors
from triptych.bootstrap.tuning.study import Place, create_study, default_folder
from triptych.bootstrap.tuning.winner import average_seeds, confirm, judge_winner, no_candidate, refit, winning_recipe
from triptych.bootstrap.tuning.worker import Progress, Search, past_of
from triptych.domain.errors import RunError
from triptych.domain.files import write_json
from triptych.inference.profile import Profile, read_profile, require_threads
from triptych.settings import Recipe
from triptych.settings.searching import candidate, search_plan
from triptych.training.tuning.limits import overruns

RESULT, REPORT, HERE = "tuning.json", "report.html", "here.json"


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Where a search lies, and what it found; see `results.gather_results`."""

    folder: Path
    results: dict[str, Any]


def tune(
    recipe: Recipe,
    *,
    folder: Path | None = None,
    workers: int = 1,
    storage: str | None = None,
    profile_file: Path | None = None,
    refits: bool = True,
    tell: Tell = silent,
    after_trial: Callable[[Progress], None] = lambda _: None,
    progress_bar: bool | None = False,
) -> Tuned:
    """Search a recipe's space on the candles before its test part, then train the chosen candidate and judge it once.

    The same command on the same folder goes on where it was, also after a kill; other processes may work on it at once.

    Args:
        recipe: with its `tune` section.
        folder: of the study; by default runs/NAME-tune-FINGERPRINT.
        workers: processes; 1 works in this one.
        storage: URL of a database for the trials; None keeps them in a file in the folder.
        profile_file: of the machine that shall run the model, where that is another one.
        refits: train the chosen candidate and judge it; otherwise the search ends with its leaderboard.
        tell: told every stage in words.
        after_trial: told how far the search is.
        progress_bar: of the winner's training.

    Returns:
        The results, also written as tuning.json beside report.html.

    Raises RecipeError for a space or budget that lets nothing through, RunError for a folder of another search,
    DataError for candles or a profile that cannot be used, ArtifactError for what the recipe names where it has learnt
    from candles that the search or the test judges, StorageError when disk or database refuse.
    """
    recipe = with_absolute_path(recipe)
    search_plan(recipe)  # before any candle is read
    there = None if profile_file is None else read_profile(profile_file)
    if there is not None:
        require_threads(there, recipe.tune.threads)
    started = time.monotonic()
    candles = load_candles(recipe, tell)
    past = past_of(recipe, candles)
    refuse_foreknowing(recipe, past)
    there_hash = "" if there is None else fingerprint(there.model_dump(mode="json"))
    home = folder or default_folder(recipe, candles.hash, there_hash)
    place = Place(folder=home, recipe=recipe, data_hash=candles.hash, profile_hash=there_hash, url=storage)
    create_study(place)
    profiles = (_here(home, recipe, tell) if there is not None else None, there)
    timeout = recipe.tune.timeout_s
    deadline = None if timeout is None else started + timeout
    tell(f"Searching in {home}.")
    search = Search(place, candles, tell, here=profiles[0], there=profiles[1], past=past)
    if workers == 1:
        search.run(deadline=deadline, after_trial=after_trial)
    else:
        run_workers(place, workers, deadline=deadline, profiles=profiles, tell=tell, after_trial=after_trial)
    with storage_errors(storage), exclusive(home / ".end.lock", what=str(home), timeout_s=1.0):
        results = _conclude(search, place, profiles, tell, progress_bar, refits=refits)
    return Tuned(folder=home, results=results)


def _here(home: Path, recipe: Recipe, tell: Tell) -> Profile:
    """The profile of this machine: measured once a study."""
    path = home / HERE
    with exclusive(home / ".here.lock", what=str(path), timeout_s=600.0):
        if not path.exists():
            tell("Timing the reference networks on this machine.")
            profile(threads=recipe.tune.threads, tell=tell).save(path)
    return read_profile(path)


def _conclude(
    search: Search,
    place: Place,
    profiles: tuple[Profile | None, Profile | None],
    tell: Tell,
    progress_bar: bool | None,
    *,
    refits: bool,
) -> dict[str, Any]:
    """Choose, refit and judge; write results and report."""
    results, row = _choice(search, place, profiles, tell)
    if words := says_words(row):
        tell(f"Trial {row['trial']} is chosen, and it {words}: none that says more is as good.")
    if refits:
        recipe = winning_recipe(place.recipe, row)
        tell(f"Trial {row['trial']} is chosen: {results['rule']}.")
        seeds = average_seeds(place.recipe, search, row, tell)
        run = refit(recipe, place, tell, progress_bar)
        judged = judge_winner(run, search, *profiles, tell)
        judged["verdict"] = one_class_verdict(judged["verdict"], results["leaderboard"], row)
        results["winner"] = {"trial": row["trial"], "seeds": seeds, "says_only": row["says_only"], **judged}
    results["profile"] = (
        None if profiles[1] is None else {"machine": profiles[1].machine, "threads": profiles[1].threads}
    )
    write_json(place.folder / RESULT, results)
    write_page(place.folder / REPORT, results, search.study)
    return results


def _choice(
    search: Search, place: Place, profiles: tuple[Profile | None, Profile | None], tell: Tell
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The results with the row of the chosen trial: the first by the rule that a second measurement finds in budget."""
    refused: list[int] = []
    while True:
        results = gather_results(search.study, place, tuple(refused))
        if results["chosen"] is None:
            raise no_candidate(results)
        row = next(one for one in results["leaderboard"] if one["trial"] == results["chosen"])
        again = confirm(candidate(place.recipe, row["changes"]), search, *profiles)
        over = overruns(again, search.config.budget)
        if not over:
            return results, row
        tell(f"Trial {row['trial']} is out: measured once more, {'; '.join(over)}.")
        refused.append(row["trial"])


def read_results(folder: Path) -> dict[str, Any]:
    """The results of a search. Raises RunError when the folder holds none."""
    if not (folder / RESULT).exists():
        raise RunError(f"{folder} holds no finished search.", remedy="Make one with `triptych tune RECIPE`.")
    found: dict[str, Any] = read_json(folder / RESULT, ("leaderboard", "chosen", "budget"))
    return found
