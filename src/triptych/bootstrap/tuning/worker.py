"""One worker: takes trial after trial of a study until the budget of trials or time is used up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from triptych.bootstrap.candles import Candles
from triptych.bootstrap.locking import exclusive
from triptych.bootstrap.run_folder import trial_mark
from triptych.bootstrap.telling import Tell
from triptych.bootstrap.trials import record_trial
from triptych.bootstrap.tuning.measuring import elsewhere, meter_in
from triptych.bootstrap.tuning.past import Datasets, Past
from triptych.bootstrap.tuning.scoring import GivenUpError, score
from triptych.bootstrap.tuning.storage import quiet_optuna, storage_errors
from triptych.bootstrap.tuning.study import Place, Worker, bury_dead, create_study, finished
from triptych.domain.errors import NotEnoughData, RecipeError, RunError
from triptych.inference.profile import Profile
from triptych.settings import Recipe
from triptych.settings.searching import candidate, longest_reach, search_plan, starting_points, timed
from triptych.training.seeds import derive_seed
from triptych.training.stopping import StoppedError
from triptych.training.tuning.limits import Measured, least, overruns
from triptych.training.tuning.pruning import should_prune
from triptych.training.tuning.space import ImpossibleError
from triptych.training.tuning.stages import Tried, open_stage

HOPELESS = 12
"""Candidates rejected one after the other at the beginning, none accepted: nothing can meet the budget."""
REJECTED = 10
"""Candidates that may be rejected untrained for each one that is wanted, before the search ends short."""
STARTUP = 8
"""Judged candidates before the sampler learns from them."""
DOUBTS = 2
"""Times that a candidate beyond the budget is measured again before it is rejected."""
STOPPED = "stopped"
"""The kind of a trial that the end of the time interrupted."""
_PATIENCE_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a search is: candidates that were trained of those that are wanted, and the highest skill until now."""

    done: int
    total: int
    best: float | None


class RejectedError(Exception):
    """A candidate that is not trained: kind (budget, impossible, duplicate) and reason."""

    def __init__(self, kind: str, reason: str, excess: float = 1.0) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.excess = kind, reason, excess


def past_of(recipe: Recipe, candles: Candles) -> Past:
    """The past that a search of a recipe may see. Raises NotEnoughData where the recipe itself could not be trained."""
    return Past.of(recipe, candles, longest_reach(recipe, search_plan(recipe)))


class Search:
    """What a worker needs of a study, prepared once."""

    def __init__(
        self,
        place: Place,
        candles: Candles,
        tell: Tell,
        *,
        here: Profile | None = None,
        there: Profile | None = None,
        past: Past | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.place, self.recipe, self.tell = place, place.recipe, tell
        self.config = place.recipe.tune.model_copy(update={"timed": timed(place.recipe)})
        self.plan = search_plan(self.recipe)
        self.past = past or past_of(self.recipe, candles)
        self._history = candles.history
        self._datasets = Datasets(self.past)
        self._meter = meter_in(place.folder / "measured", self.config)
        self._profiles = (here, there)
        self.study = create_study(place)

    def run(self, *, deadline: float | None, after_trial: Callable[[Progress], None]) -> None:
        """Take trials until there is nothing left to take. Raises RecipeError when nothing meets the budget."""
        with Worker(self.place) as worker, quiet_optuna(), storage_errors(self.place.url):
            while True:
                trial = self._next(worker, deadline)
                if trial is None:
                    return
                with worker.beating(trial):
                    self._try(trial, deadline)
                after_trial(self.progress())

    def progress(self) -> Progress:
        """How far the search is."""
        done = finished(self.study)
        skills = [t.values[0] for t in done if t.state == TrialState.COMPLETE]
        return Progress(done=len(_trained(done)), total=self.config.trials, best=max(skills, default=None))

    def measure(self, recipe: Any) -> tuple[Measured, Measured]:
        """What a candidate costs: here, and on the machine that is searched for.

        One that seems beyond the budget is measured again: whatever else runs at that moment makes it seem slow.
        """
        local = self._meter(recipe)
        for _ in range(DOUBTS):
            if not overruns(elsewhere(local, *self._profiles, self.config.timed), self.config.budget):
                break
            local = self._meter(recipe, again=True)
        return local, elsewhere(local, *self._profiles, self.config.timed)

    def score_again(self, recipe: Any) -> dict[str, Any]:
        """Judge a candidate, which may have been judged before, on the folds of the search."""
        return score(self._datasets.of(self.past.recipe(recipe)), self.past, self.home(recipe))

    def home(self, recipe: Any) -> Path:
        """Folder of a candidate."""
        return self.place.folder / "candidates" / trial_mark(recipe)[:16]

    def _next(self, worker: Worker, deadline: float | None) -> optuna.Trial | None:
        """The next trial, signed; None when there shall be none."""
        with exclusive(self.place.folder / ".ask.lock", what=str(self.place.folder), timeout_s=_PATIENCE_S):
            buried = bury_dead(self.study, self.place)
            if buried:
                self.tell(f"{buried} trial(s) of workers that died begin again.")
            ended = finished(self.study)
            running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if not running:
                self._require_hope(ended)
            number = len(ended) + len(running)
            if (
                len(_trained(ended)) + len(running) >= self.config.trials
                or number >= self.config.trials * (1 + REJECTED)
                or (deadline is not None and self._clock() >= deadline)
            ):
                return None
            stage = self._stage(ended)
            self._enqueue(stage)
            # Seeded by the number, not by the process: a search that was stopped goes on as if it had not been.
            self.study.sampler = TPESampler(
                seed=derive_seed(self.recipe.seed, "sampler", number) % 2**32,
                n_startup_trials=STARTUP,
                multivariate=False,
                constraints_func=lambda one: one.user_attrs.get("excess", (0.0,)),
            )
            trial = self.study.ask()
            worker.claim(trial)
            trial.set_user_attr("stage", stage)
            return trial

    def _stage(self, ended: list[FrozenTrial]) -> int:
        if not self.plan.grows:
            return self.config.stages
        tried = [
            Tried(
                stage=t.user_attrs["stage"],
                skill=_mean(t.user_attrs["folds"]),
                at_edge=bool(t.user_attrs.get("at_edge")),
            )
            for t in ended
            if t.user_attrs.get("folds") and t.user_attrs.get("kind") != STOPPED
        ]
        return open_stage(tried, stages=self.config.stages, stage_trials=self.config.stage_trials)

    def _enqueue(self, stage: int) -> None:
        """Queue the starting points that this stage is the first to hold."""
        known = set(self.study.user_attrs.get("begun from", []))
        for point in starting_points(self.recipe):
            if point.name in known:
                continue
            params = self.plan.params_of(point.values, stage / self.config.stages)
            if params is not None:
                self.study.enqueue_trial(params, user_attrs={"preset": point.name}, skip_if_exists=True)
                known.add(point.name)
        self.study.set_user_attr("begun from", sorted(known))

    def _try(self, trial: optuna.Trial, deadline: float | None) -> None:
        """Bring a trial to its end, or to the epoch during which the time ran out."""
        try:
            values = self._judge(trial, deadline)
        except RejectedError as error:
            trial.set_user_attr("excess", [error.excess])
            self._prune(trial, error.kind, error.reason)
        except GivenUpError as error:
            reason = f"behind the others after fold {len(error.folds)}: mean MCC {_mean(error.folds):.3f}"
            self._prune(trial, "given up", reason)
        except StoppedError as error:
            # Queued again: the next search on this folder begins with it, from the checkpoint of its last epoch.
            self.study.enqueue_trial(trial.params, user_attrs={"goes_on_from": trial.number})
            fold = len(trial.user_attrs.get("folds", [])) + 1
            self._prune(trial, STOPPED, f"the time was up in fold {fold}, after {error.epochs} epochs")
        except BaseException:
            # Left running, it would be buried by the next worker; this one knows already.
            self.study.tell(trial, state=TrialState.FAIL)
            raise
        else:
            self.study.tell(trial, values)
            only = trial.user_attrs.get("says_only")
            words = f", says {only} only" if only else ""
            self.tell(f"Trial {trial.number}: {self.config.skill} {values[0]:.4f}{words}.")

    def _prune(self, trial: optuna.Trial, kind: str, reason: str) -> None:
        trial.set_user_attr("kind", kind)
        trial.set_user_attr("reason", reason)
        self.study.tell(trial, state=TrialState.PRUNED)
        self.tell(f"Trial {trial.number}: {kind}: {reason}.")

    def _judge(self, trial: optuna.Trial, deadline: float | None) -> list[float]:
        recipe, measured = self._affordable(trial)
        home = self.home(recipe)
        trial.set_user_attr("candidate", home.name)
        self.tell(
            f"Trial {trial.number}, stage {trial.user_attrs['stage']}: {_words(trial.user_attrs['changes'])}: "
            f"{measured.p50_ms:.3g} ms a {self.config.timed}, {measured.parameters:,} parameters."
        )

        def after_fold(folds: list[float]) -> bool:
            trial.set_user_attr("folds", folds)
            return self._is_behind(trial.number, folds)

        def is_over() -> bool:
            return deadline is not None and self._clock() >= deadline

        try:
            with exclusive(home.with_name(f".{home.name}.lock"), what=str(home), timeout_s=0.0):
                dataset = self._datasets.of(self.past.recipe(recipe))
                # Counted before the result is known: a look at it that is regretted was a look.
                record_trial(self.place.folder, self._history, trial_mark(recipe))
                found = score(dataset, self.past, home, after_fold, is_over)
        except (RecipeError, NotEnoughData) as error:
            raise RejectedError("impossible", error.message.removesuffix(".")) from error
        except RunError as error:
            raise RejectedError("failed", error.message.removesuffix(".")) from error
        for name, value in found.items():
            trial.set_user_attr(name, value)
        skill = float(found[self.config.skill])
        cost = {"parameters": float(measured.parameters), "latency": measured.latency(self.config.budget)}
        return [skill] if self.config.cost == "none" else [skill, cost[self.config.cost]]

    def _affordable(self, trial: optuna.Trial) -> tuple[Any, Measured]:
        """The recipe of a trial and what it costs. Raises RejectedError where it cannot be, or costs too much."""
        try:
            chosen = self.plan.suggest(trial, trial.user_attrs["stage"] / self.config.stages)
            trial.set_user_attr("changes", dict(chosen.changes))
            trial.set_user_attr("at_edge", chosen.at_edge)
            recipe = candidate(self.recipe, chosen.changes)
            local, measured = self.measure(recipe)
        except (RecipeError, NotEnoughData) as error:
            raise RejectedError("impossible", error.message.removesuffix(".")) from error
        except ImpossibleError as error:
            raise RejectedError("impossible", str(error).removesuffix(".")) from error
        trial.set_user_attr("measured", measured.to_dict())
        trial.set_user_attr("measured_here", local.to_dict())
        over = overruns(measured, self.config.budget)
        if over:
            raise RejectedError("budget", "; ".join(over))
        return recipe, measured

    def _is_behind(self, number: int, folds: list[float]) -> bool:
        others = [
            t.user_attrs["folds"]
            for t in self.study.get_trials(deepcopy=False)
            if t.number != number and t.user_attrs.get("folds") and t.user_attrs.get("kind") != STOPPED
        ]
        return should_prune(folds, others, below=self.config.prune_below, after=self.config.prune_after)

    def _require_hope(self, ended: list[FrozenTrial]) -> None:
        """Raise RecipeError when the budget has let nothing through."""
        ended = [t for t in ended if t.user_attrs.get("kind") != STOPPED]
        if len(ended) < HOPELESS or _trained(ended):
            return
        impossible = [str(t.user_attrs["reason"]) for t in ended if t.user_attrs["kind"] == "impossible"]
        costs = [Measured.of(t.user_attrs["measured"]) for t in ended if t.user_attrs["kind"] == "budget"]
        if not costs:
            reasons = "; ".join(dict.fromkeys(impossible))
            raise RecipeError(
                f"None of {len(ended)} candidates can be built: {reasons}.", remedy="Mend the recipe or [tune.space]."
            )
        others = f"; {len(impossible)} cannot be built, the first because {impossible[0]}" if impossible else ""
        raise RecipeError(
            f"None of {len(ended)} candidates meets the budget: {'; '.join(least(costs, self.config.budget))}{others}.",
            remedy="Raise tune.budget, or let [tune.space] reach smaller networks, shorter windows or smaller images.",
        )


def _trained(ended: list[FrozenTrial]) -> list[FrozenTrial]:
    """Those that were neither rejected before nor stopped, to be taken up again."""
    return [t for t in ended if t.user_attrs.get("kind") not in ("budget", "impossible", STOPPED)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _words(changes: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {value:.3g}" if isinstance(value, float) else f"{key} = {value}"
                     for key, value in changes.items())  # fmt: skip
