"""From a recipe with members to a trained consensus: members, out-of-fold votes, combiners, judgement."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import Candles, load_candles, with_absolute_path
from triptych.bootstrap.consensus_judging import judge_consensus, report_consensus
from triptych.bootstrap.files import CONSENSUS_KEYS, EVALUATION_KEYS, read_frame, read_json, write_frame
from triptych.bootstrap.foreseeing import require_devices, require_trainable
from triptych.bootstrap.leaving_out import write_left_out
from triptych.bootstrap.naming import naming
from triptych.bootstrap.provenance import versions
from triptych.bootstrap.recent_skill import is_decided, skill_of, weights_in, with_heard
from triptych.bootstrap.regime_filters import fitted_regimes, with_regime_columns
from triptych.bootstrap.run_folder import (
    RECORD,
    Run,
    place_of,
    run_fingerprint,
    trial_mark,
)
from triptych.bootstrap.taking_up import taken_up
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.training import train
from triptych.bootstrap.trials import record_trial
from triptych.bootstrap.voting import (
    KEYS,
    are_predicted,
    arrays_of,
    first_judged,
    gather_votes,
    require_same_folds,
    round_trip_cost,
    votes_on_samples,
)
from triptych.domain import CLASSES, utc
from triptych.domain.errors import ArtifactError, RunError
from triptych.domain.files import temporary_name, write_json
from triptych.inference import load_artifact, load_consensus, record_consensus_metrics, save_consensus
from triptych.inference.combiner import Combiner
from triptych.inference.regime_teller import RegimeTeller
from triptych.settings import Recipe, members_of, resolved
from triptych.training.splits import Fold
from triptych.training.stacking import Votes, fit_combiner

REPORT = "consensus_report.json"


def train_consensus(
    recipe: Recipe,
    *,
    folder: Path | None = None,
    fresh: bool = False,
    tell: Tell = silent,
    progress_bar: bool | None = None,
) -> Run:
    """Train every member of a recipe on the same folds, and fit what joins them on their out-of-fold predictions.

    Arguments, result and errors as for `bootstrap.training.train`. The members' runs lie in the folder `members` of the
    run; each goes on from where it was stopped.
    """
    recipe = with_absolute_path(resolved(recipe))
    candles = load_candles(recipe, tell)
    members = members_of(recipe)
    datasets = {}
    for name, member in members.items():  # all of them before the first learns
        with naming(f"Member {name!r}"):
            datasets[name] = Dataset.of(member, candles)
            require_trainable(datasets[name])
    folds = require_same_folds({name: one.folds for name, one in datasets.items()})
    home = folder or place_of(recipe, candles.hash)

    def damage_of(run: Run) -> str:
        return _damage(run, len(folds))

    with taken_up(recipe, candles.hash, home, fresh=fresh, damage_of=damage_of, tell=tell) as (run, is_complete):
        if not is_complete:
            require_devices(recipe)
            _train(run, members, datasets, folds, candles, tell, progress_bar)
    return run


def _damage(run: Run, folds: int) -> str:
    """What is missing or damaged in a consensus that was trained to its end; empty when all is well."""
    try:
        read_json(run.folder / "quality.json", ("instruments",))
        read_json(run.folder / "evaluation.json", EVALUATION_KEYS)
        read_json(run.folder / REPORT, CONSENSUS_KEYS)
        for name in ("predictions", "votes"):
            read_frame(run.folder / f"{name}.parquet", KEYS)
        for number in range(first_judged(run.recipe), folds):
            load_consensus(run.fold(number) / "artifact")
    except (RunError, ArtifactError) as error:
        return error.message
    return ""


def _train(
    run: Run,
    members: Mapping[str, Recipe],
    datasets: Mapping[str, Dataset],
    folds: tuple[Fold, ...],
    candles: Candles,
    tell: Tell,
    progress_bar: bool | None,
) -> None:
    write_json(run.folder / "quality.json", {"instruments": candles.quality, "notes": candles.notes})
    judged = folds[first_judged(run.recipe) :]
    run.update(status="training", folds=len(folds), splits=[_boundaries(fold) for fold in folds])
    runs = {}
    for number, (name, member) in enumerate(members.items()):
        tell(f"Member {number + 1} of {len(members)}: {name}.")
        with naming(f"Member {name!r}"):
            _adopt(member, run.folder, run.folder / "members" / name, tell)
            runs[name] = train(member, folder=run.folder / "members" / name, tell=tell, progress_bar=progress_bar)
    frame = gather_votes(run.recipe, candles, runs)
    write_frame(run.folder / "votes.parquet", frame)
    votes = votes_on_samples(datasets, frame)
    parts = []
    skill = skill_of(run.recipe, candles, frame, tell) if run.recipe.consensus.method == "skill" else None
    for fold in judged:
        combiner = _fit(run.recipe, tuple(members), votes, fold, tell)
        if skill is not None:
            recent = with_heard(skill, candles.by_symbol, frame, combiner.members, fold.number)
            combiner = combiner.model_copy(update={"recent": recent})
        regimes = fitted_regimes(run.recipe, next(iter(datasets.values())), fold, run.fold(fold.number), tell)
        _save(run, runs, combiner, regimes, candles, fold)
        said = _combined(combiner, frame, candles, fold.number)
        said = said.filter(is_decided(run.recipe, skill, candles, said))
        parts.append(with_regime_columns(said, regimes, candles))
    write_left_out(run, candles, runs, datasets, judged)
    predictions = pl.concat(parts)
    write_frame(run.folder / "predictions.parquet", predictions)
    # Counted before the result is known, and every member with it: each was a look at the same candles.
    counted = [record_trial(run.folder, candles.history, trial_mark(one)) for one in (*members.values(), run.recipe)]
    run.update(counted=counted[-1])
    symbols = [one.symbol for one in candles.series]
    votes = votes.only(are_predicted(votes, symbols, predictions))
    evaluation = judge_consensus(run.recipe, datasets, judged, votes, predictions)
    write_json(run.folder / REPORT, report_consensus(run.recipe, symbols, votes, frame, predictions))
    write_json(run.folder / "evaluation.json", evaluation)
    for fold in judged:
        record_consensus_metrics(run.fold(fold.number) / "artifact", evaluation["metrics"])
    run.update(status="trained")


def _adopt(recipe: Recipe, run: Path, home: Path, tell: Tell) -> None:
    """Take over a member that was trained for another consensus beside this one: same recipe, candles, versions, seed.

    Other ways of joining the same members then cost no training. A copy that was cut off is not taken for a run.
    """
    if home.exists():
        return
    wanted = run_fingerprint(recipe, load_candles(recipe).hash)
    for found in sorted(run.absolute().parent.glob(f"*/members/*/{RECORD}")):
        with contextlib.suppress(RunError):
            record = read_json(found)
            if record.get("fingerprint") == wanted and record.get("status") == "trained":
                temporary = temporary_name(home)
                shutil.copytree(found.parent, temporary)
                temporary.rename(home)
                tell(f"Taken over from {found.parent}: the same member, trained already.")
                return


def _fit(recipe: Recipe, names: tuple[str, ...], votes: Votes, fold: Fold, tell: Tell) -> Combiner:
    combiner = fit_combiner(
        recipe.consensus, names, votes, fold=fold.number, start_ms=fold.test.start_ms, cost=round_trip_cost(recipe)
    )
    if combiner.until_ms is not None:
        tell(
            f"The {combiner.method} of test segment {fold.number + 1} learned from {combiner.samples} out-of-fold "
            f"samples, the last settled {utc(combiner.until_ms)}; the segment begins {utc(fold.test.start_ms)} UTC."
        )
    return combiner


def _save(
    run: Run, runs: Mapping[str, Run], combiner: Combiner, regimes: RegimeTeller | None, candles: Candles, fold: Fold
) -> None:
    recipe = run.recipe
    save_consensus(
        run.fold(fold.number) / "artifact",
        {name: load_artifact(member.fold(fold.number) / "artifact") for name, member in runs.items()},
        combiner,
        name=f"{recipe.name}-{fold.number}",
        timeframe=str(candles.timeframe),
        symbols=tuple(one.symbol for one in candles.series),
        regimes=regimes,
        period=candles.period,
        data_hash=candles.hash,
        seed=recipe.seed,
        versions=versions(),
    )


def _combined(combiner: Combiner, frame: pl.DataFrame, candles: Candles, fold: int) -> pl.DataFrame:
    """Predictions of a consensus for the candles of one test segment."""
    now = frame.filter(fold=fold)
    found = combiner.combine(*arrays_of(now, combiner.members), weights_in(combiner, candles.by_symbol, frame, fold))
    return now.select(KEYS).with_columns(
        *(pl.Series(f"probability_{name}", found.probabilities[:, i]) for i, name in enumerate(CLASSES)),
        pl.Series("allowed", found.allowed.astype(np.int64)),
    )


def _boundaries(fold: Fold) -> dict[str, object]:
    parts = {s.name: {"start": utc(s.start_ms), "stop": utc(s.stop_ms), "samples": len(s)} for s in fold.segments}
    return {"fold": fold.number, **parts}
