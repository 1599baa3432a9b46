"""A study: one folder, and trials that several processes add to.

study.json           recipe, candles and search it belongs to
recipe.toml          the complete recipe
journal.log          the trials (Optuna), unless they are in a database
measured/            what each architecture costs on this machine
candidates/MARK/     result and returns of each candidate; its training while it lasts
here.json            profile of this machine, when another one's is searched for
tuning.json, report.html
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from triptych.bootstrap.files import read_json
from triptych.bootstrap.provenance import fingerprint
from triptych.bootstrap.run_folder import RUNS, STUDY, recipe_hash
from triptych.bootstrap.tuning.storage import open_storage, quiet_optuna, storage_errors
from triptych.domain.errors import RunError
from triptych.domain.files import write_json, write_text
from triptych.settings import Recipe, parse_recipe

RECORD, RECIPE = STUDY, "recipe.toml"
BEAT_S, STALE_S = 30.0, 300.0
"""Seconds between signs of life of a trial in a database, and without one until its worker counts as dead."""
RETRIES = 2
"""Times that a trial whose worker died is begun again: a candidate may be what kills its worker."""
_MARK = "mark"
_UNMARKED = ("trials", "timeout_s", "refit_seeds")
"""Settings of a search that may change while it goes on."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a study lies, and what it is of.

    Attributes:
        folder: of the study.
        recipe: it searches from.
        data_hash: of the candles.
        profile_hash: of another machine's profile; empty without one.
        url: of a database; None for the journal.
    """

    folder: Path
    recipe: Recipe
    data_hash: str
    profile_hash: str = ""
    url: str | None = None

    @property
    def mark(self) -> dict[str, str]:
        """What a study belongs to."""
        search = self.recipe.tune.model_dump(mode="json")
        for key in _UNMARKED:
            search.pop(key)
        return {
            "recipe": recipe_hash(self.recipe.to_toml()),
            "search": fingerprint(search),
            "candles": self.data_hash,
            "profile": self.profile_hash,
        }

    def plain(self) -> dict[str, Any]:
        """The same in plain values, for another process."""
        content = {name: getattr(self, name) for name in ("folder", "data_hash", "profile_hash", "url")}
        return content | {"recipe": self.recipe.model_dump(mode="json")}

    @classmethod
    def from_plain(cls, content: dict[str, Any]) -> Place:
        """From `plain`."""
        return cls(**(content | {"recipe": parse_recipe(content["recipe"])}))


def default_folder(recipe: Recipe, data_hash: str, profile_hash: str) -> Path:
    """runs/NAME-tune-FINGERPRINT."""
    mark = Place(folder=Path(), recipe=recipe, data_hash=data_hash, profile_hash=profile_hash).mark
    return RUNS / f"{recipe.name}-tune-{fingerprint(mark)[:8]}"


def create_study(place: Place) -> optuna.Study:
    """Make the study or find it again. Raises RunError when folder or database hold another one."""
    record = place.folder / RECORD
    if record.exists():
        _require_same(place, read_json(record, (_MARK,))[_MARK], str(place.folder))
    with quiet_optuna(), storage_errors(place.url):
        study = _open(place)
        found = study.user_attrs.get(_MARK)
        if found is None:
            study.set_user_attr(_MARK, place.mark)
        else:
            _require_same(place, found, f"The study {study.study_name}")
    if not record.exists():
        write_text(place.folder / RECIPE, place.recipe.to_toml())
        write_json(record, {_MARK: place.mark, "name": place.recipe.name, "study": study.study_name})
    return study


def _open(place: Place) -> optuna.Study:
    directions = [StudyDirection.MAXIMIZE]
    if place.recipe.tune.cost != "none":
        directions.append(StudyDirection.MINIMIZE)
    return optuna.create_study(
        storage=open_storage(place.folder, place.url),
        study_name=f"triptych {place.folder.name}",
        directions=directions,
        load_if_exists=True,
    )


def _require_same(place: Place, found: dict[str, str], where: str) -> None:
    differing = [name for name, value in place.mark.items() if found.get(name) != value]
    if differing:
        raise RunError(
            f"{where} belongs to another search: {' and '.join(differing)} differ{'s' if len(differing) == 1 else ''}.",
            remedy="Choose another --out for a search of its own, or repeat the command that began this one.",
        )


class Worker:
    """One process at work on a study. Its lock says that it lives; the system frees it when the process dies."""

    def __init__(self, place: Place) -> None:
        self.name = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._folder = place.folder / "workers"
        self._lock = filelock.FileLock(self._folder / f"{self.name}.lock")
        self._beats = place.url is not None

    def __enter__(self) -> Worker:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        with contextlib.suppress(OSError):
            (self._folder / f"{self.name}.lock").unlink()

    def claim(self, trial: optuna.Trial) -> None:
        """Sign a trial as this worker's."""
        trial.set_user_attr("worker", self.name)
        trial.set_user_attr("beat_s", time.time())

    @contextmanager
    def beating(self, trial: optuna.Trial) -> Iterator[None]:
        """Give signs of life while a trial lasts: other machines cannot see this one's locks."""
        if not self._beats:
            yield
            return
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_S):
                with contextlib.suppress(Exception):  # the next one may come through; two of ten minutes suffice
                    trial.set_user_attr("beat_s", time.time())

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def bury_dead(study: optuna.Study, place: Place) -> int:
    """Mark the trials of dead workers as failed and queue them again. Returns how many. Call it alone."""
    dead = [t for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if _is_dead(t, place)]
    for trial in dead:
        study.tell(trial.number, state=TrialState.FAIL)
        retries = int(trial.user_attrs.get("retries", 0))
        if retries < RETRIES and trial.params:
            study.enqueue_trial(trial.params, user_attrs={"retries": retries + 1, "retry_of": trial.number})
    return len(dead)


def _is_dead(trial: FrozenTrial, place: Place) -> bool:
    worker = trial.user_attrs.get("worker")
    lock = place.folder / "workers" / f"{worker}.lock"
    if worker is not None and lock.exists():
        try:
            with filelock.FileLock(lock, timeout=0):
                pass
        except filelock.Timeout:
            return False
        lock.unlink(missing_ok=True)
        return True
    if place.url is None:
        return True  # signed under the lock that the caller holds: whoever asked for it died before it could sign
    begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return time.time() - float(trial.user_attrs.get("beat_s", begun)) > STALE_S


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that came to an end, judged, given up or rejected."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
