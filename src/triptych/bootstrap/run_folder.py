"""A run: one folder that records everything needed to repeat it bit for bit.

recipe.toml          the complete recipe, every default written out
run.json             fingerprint, data hash, versions, machine, status; written last when a run is made
quality.json         what the quality check found in the data
folds/N/training/    checkpoint, history and best weights of fold N
folds/N/artifact/    the model of fold N
folds/N/regimes/     network whose soft labels the filter of regimes hears, where there is one
folds/N/without.json of a consensus: what would join the others without each member
predictions.parquet  out-of-sample probabilities of all folds
members/NAME/        of a consensus: the run of each member
votes.parquet        of a consensus: what every member said out of sample, and the regime
consensus_report.json  of a consensus: coverage, precision, error correlation, lift
evaluation.json      metrics, intervals, baselines
backtest/            equity, trades, fills, decisions and what the guard did (Parquet), and backtest.json
leak_probe.json      what the leak probe found
report.html, report.json

Beside it lies .NAME.lock: one process at a time works on a run.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from triptych.backtest.luck import Config as LuckConfig
from triptych.bootstrap.book_networks import with_own_book_network, without_place
from triptych.bootstrap.feature_detectors import with_own_detector, without_detector_places
from triptych.bootstrap.files import read_json
from triptych.bootstrap.locking import exclusive
from triptych.bootstrap.pattern_networks import place_free, with_own_copies
from triptych.bootstrap.provenance import fingerprint, machine, versions
from triptych.domain.errors import RunError
from triptych.domain.files import is_leftover, remove_leftovers, temporary_name, write_json, write_text
from triptych.settings import Recipe, load_recipe

RUNS = Path("runs")
RECIPE, RECORD = "recipe.toml", "run.json"
BOOK_BEGUN, BOOK_RESULT, TRADED = "begun.json", "books.json", "trading"
"""Of a run on order books: what it begins with, what it leaves, and the folder of the run of candles that trades it."""
ABLATION, ABLATION_RESULT, STUDY = "ablation.toml", "ablation.json", "study.json"
"""What the folder of an ablation begins with and ends with, and that of a search begins with."""
PARTS: Final = (
    "members", "folds", "backtest", "quality.json", "votes.parquet", "predictions.parquet", "evaluation.json",
    "consensus_report.json", "leak_probe.json", "report.html", "report.json", RECIPE, RECORD,
)  # fmt: skip
"""What a run is made of; the record last, so that a folder with a record is a run until the end."""
_KEYS: Final = ("fingerprint", "recipe_hash", "data_hash", "seed", "status", "versions", "environment")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder that exists."""

    folder: Path
    recipe: Recipe

    @property
    def record(self) -> dict[str, Any]:
        """Content of run.json. Raises RunError when it is missing or damaged."""
        return _read_record(self.folder)

    def update(self, **changes: Any) -> None:
        """Change entries of run.json."""
        write_json(self.folder / RECORD, {**self.record, **changes})

    def fold(self, number: int) -> Path:
        """Folder of one fold."""
        return self.folder / "folds" / str(number)

    @property
    def artifact(self) -> Path:
        """Folder of the newest model: that of the last fold."""
        return self.fold(int(self.record["folds"]) - 1) / "artifact"

    def has(self, name: str) -> bool:
        """Whether a file of the run is there."""
        return (self.folder / name).exists()

    def require_trained(self) -> None:
        """Raise RunError unless training is complete."""
        if self.record["status"] != "trained":
            raise RunError(
                f"The run {self.folder} is not trained to its end.",
                remedy="Repeat the same `triptych train` command: it resumes where it was stopped.",
            )


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Work on a run alone; what a killed process left half-written is removed first.

    Raises RunError when another process is at work on it.
    """
    whole = folder.absolute()
    with exclusive(whole.with_name(f".{whole.name}.lock"), what=str(folder), timeout_s=1.0):
        remove_leftovers(whole)
        for part in ("folds", "backtest", "members"):
            remove_leftovers(whole / part, recursive=True)
        yield


def run_fingerprint(recipe: Recipe, data_hash: str) -> str:
    """What makes two runs the same: recipe, candles, versions. Where the candles lay does not matter."""
    return fingerprint(recipe_hash(recipe.to_toml()), data_hash, versions())


def recipe_hash(text: str) -> str:
    """SHA-256 of a complete recipe but for the places of its data, networks, detectors, and how it is searched."""
    content = without_detector_places(without_place(place_free(tomllib.loads(text))))
    content = _without_foreign_places(content)
    content.get("data", {}).pop("path", None)
    content.pop("tune", None)
    return fingerprint(content)


def _without_foreign_places(content: dict[str, Any]) -> dict[str, Any]:
    """A recipe as plain values without the place of the weights that its network begins with: their hash says which.

    Nothing of them where it begins with others: then the recipe is the one that names none.
    """
    model = content.get("model", {})
    named = model.get("other_markets")
    if named is None:
        return content
    rest = {key: value for key, value in model.items() if key != "other_markets"}
    if model.get("pretrained") == "other_markets":
        rest["other_markets"] = {key: value for key, value in named.items() if key != "path" or not named.get("hash")}
    return {**content, "model": rest}


def trial_mark(recipe: Recipe) -> str:
    """What makes two trials the same: the recipe, but for how its luck is judged."""
    judged_alike = recipe.backtest.model_copy(update={"luck": LuckConfig()})
    return recipe_hash(recipe.model_copy(update={"backtest": judged_alike}).to_toml())


def place_of(recipe: Recipe, data_hash: str) -> Path:
    """Where the run of a recipe lies when nobody says otherwise: runs/NAME-FINGERPRINT."""
    return RUNS / f"{recipe.name}-{run_fingerprint(recipe, data_hash)[:8]}"


def open_or_create(recipe: Recipe, data_hash: str, folder: Path, *, fresh: bool = False) -> Run:
    """The run of this recipe on this data in a folder; call it `at_work`. `fresh` removes a run that is there.

    Raises RunError when the folder holds another run or something else.
    """
    if fresh and (folder / RECORD).exists():
        discard(folder)
    else:
        refuse_other(recipe, data_hash, folder)
    run = Run(folder=folder, recipe=recipe)
    text = recipe.to_toml()
    if (folder / RECORD).exists():
        if not (folder / RECIPE).exists() or (folder / RECIPE).read_bytes() != text.encode():
            write_text(folder / RECIPE, text)  # the same candles lie elsewhere now
        return run
    write_text(folder / RECIPE, text)
    write_json(
        folder / RECORD,
        {
            "fingerprint": run_fingerprint(recipe, data_hash),
            "recipe_hash": recipe_hash(text),
            "data_hash": data_hash,
            "seed": recipe.seed,
            "status": "new",
            "versions": versions(),
            "environment": {"started": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()},
        },
    )
    return run


def refuse_other(recipe: Recipe, data_hash: str, folder: Path) -> None:
    """Raise RunError when a folder holds another run or something else, as `open_or_create` does; writes nothing."""
    if (folder / RECORD).exists():
        _require_same(Run(folder=folder, recipe=recipe), data_hash)
    else:
        _require_empty(folder, recipe.to_toml())


def discard(folder: Path) -> None:
    """Remove a run, and only what a run is made of; call it `at_work`.

    Everything is first moved aside, the record last: killed on the way, the same command finds a run to go on with.
    """
    grave = temporary_name(folder / "run", "old")
    grave.mkdir()
    for name in PARTS:
        if (folder / name).exists():
            (folder / name).rename(grave / name)
    shutil.rmtree(grave)


def open_run(folder: Path) -> Run:
    """Open an existing run; of a network of order books, the run of candles that trades it.

    Raises RunError when there is none, or when its recipe is not the one it was made with any more.
    """
    if not (folder / RECORD).exists() and (folder / TRADED / RECORD).exists():
        return open_run(folder / TRADED)
    if (folder / BOOK_RESULT).exists() and not (folder / RECORD).exists():
        raise RunError(
            f"{folder} holds a network of order books that has not been tried on candles.",
            remedy=f"Try it first: triptych backtest {folder} --data CANDLES --book BOOKS.",
        )
    if not (folder / RECORD).exists():
        known = sorted(str(p.parent) for p in RUNS.glob(f"*/{RECORD}")) if RUNS.is_dir() else []
        raise RunError(
            f"{folder} holds no run.",
            remedy=f"Known runs: {', '.join(known)}." if known else "Make one with `triptych train RECIPE`.",
        )
    record, path = _read_record(folder), folder / RECIPE
    if not path.exists():
        raise RunError(f"{path} is missing.", remedy="Repeat the `triptych train` command that made the run.")
    recipe = load_recipe(str(path))
    if recipe_hash(path.read_text(encoding="utf-8")) != record["recipe_hash"]:
        raise RunError(
            f"{path} was changed after the run was made.",
            remedy="Train the changed recipe as a run of its own; a backtest takes changes of trading by --set.",
        )
    own = folder / "folds" / "0" / "artifact"
    recipe = with_own_detector(with_own_book_network(with_own_copies(recipe, own), own), folder)
    return Run(folder=folder, recipe=recipe)


def _read_record(folder: Path) -> dict[str, Any]:
    record = read_json(folder / RECORD)
    missing = [key for key in _KEYS if key not in record] if isinstance(record, dict) else list(_KEYS)
    if missing:
        raise RunError(
            f"{folder / RECORD} is damaged: it holds no {', '.join(missing)}.",
            remedy="Train the recipe again with --fresh.",
        )
    found: dict[str, Any] = record
    return found


def _require_same(run: Run, data_hash: str) -> None:
    """Raise RunError that names what differs between the run in the folder and the one that is wanted."""
    record = run.record
    if record["fingerprint"] == run_fingerprint(run.recipe, data_hash):
        return
    pairs = {
        "recipe": (record["recipe_hash"], recipe_hash(run.recipe.to_toml())),
        "candles": (record["data_hash"], data_hash),
        "versions": (record["versions"], versions()),
    }
    differing = [name for name, (theirs, ours) in pairs.items() if theirs != ours]
    raise RunError(
        f"{run.folder} holds another run: {' and '.join(differing)} differ.",
        remedy="Choose another --out, or --fresh to replace it.",
    )


def _require_empty(folder: Path, recipe: str) -> None:
    """Raise RunError when a folder holds anything but the beginning of this very run, and what a kill left of it."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file.", remedy="Choose another --out.")
    there = list(folder.iterdir()) if folder.exists() else []
    others = [path for path in there if path.name != RECIPE and not is_leftover(path)]
    begun = folder / RECIPE
    if others or (begun.exists() and begun.read_bytes() != recipe.encode()):
        raise RunError(f"{folder} is not empty and holds no run.", remedy="Choose another --out.")
