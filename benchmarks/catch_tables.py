"""Every table of detection in the docs, measured again by one command that can be stopped and goes on where it was.

    python -m benchmarks.catch_tables FOLDER --recordings DAPHNET.npz SKAB.npz

Each cell (a detector, on one market or recording, with one seed) is a file of FOLDER, written when it is done and kept:
remove a file, or the folder, to measure it again. All run on one thread. The tables are printed from the files.
`--only repairs` measures what each repair of the reference is worth, `--only books` what channels of the book add.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks import _booked, _repairs, guard
from benchmarks._detection import on_market
from benchmarks._recorded import Recording, judged_together, kept, score_machines
from triptych.domain.files import write_json
from triptych.training.anomaly.by_type import WITHIN

MARKETS = (21, 22, 23)
"""Markets on which nothing was ever chosen."""
DETECTORS = (
    "catch", "foretelling", "no network", "foretold zeros", "left out", "pca", "zscore", "isolation_forest", "kmeans",
    "guard", "blend", "compat", "complex", "reference",
)  # fmt: skip
"""`foretelling`: CATCH with 16 hidden rows. `no network`, `foretold zeros`: both with a network of zeros; `left out`:
with one that says nothing. `reference`: the authors' network and score. `compat`: their choices at our sizes, with our
score. `complex`: `attention = "complex"`."""
SEEDED = ("catch", "isolation_forest", "kmeans")
COLUMNS = {
    "auc_roc": "AUC-ROC", "vus_pr": "VUS-PR", "affiliation_f1": "affiliation F1", "recall": "events found",
    "running": "alarm ran before", "delay": "delay, rows", "alarms_per_day": "false alarms",
    "alarm_share": "normal rows that alarm",
    "quiet_share": "quiet rows that alarm", "auc_network": "AUC-ROC of the network alone",
    "call_to_call": "change from call to call",
    "parameters": "parameters", "diverged": "diverged",
}  # fmt: skip
BY_TYPE = {
    "auc ": "AUC-ROC", "vus ": "VUS-PR", "found ": "events found", "in time ": f"found within {WITHIN} rows",
    "running ": "alarm ran before", "delay ": "delay of the found, rows",
}  # fmt: skip
"""Tables by type of event: the prefix of their figures in a cell, and their titles. Old cells have the first only."""
ASKED = ("overall", "decoupling", "stale_feed", "periodic_algorithm")
"""AUC-ROC that is to be above `LEAST` on each market."""
LEAST = 0.80
Figures = dict[str, float]
Rows = Mapping[str, Mapping[int, Figures]]
"""Figures by detector and seed."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One measurement: `name` is its file's, `measure` makes its figures."""

    table: str
    detector: str
    seed: int
    measure: Callable[[], Figures]

    @property
    def name(self) -> str:
        return f"{self.table} {self.detector} {self.seed}.json".replace(" ", "_")


def cells(recordings: Sequence[Path], folder: Path, *, with_guard: bool) -> Iterator[Cell]:
    """All cells, those that answer most first; scores of recordings are kept in `folder`."""
    for detector in DETECTORS:
        if detector == "guard":
            for seed in guard.SEEDS if with_guard else ():
                yield Cell(table="guard", detector="catch", seed=seed, measure=partial(guarded, seed))
            continue
        for seed in MARKETS:
            yield Cell(table="market", detector=detector, seed=seed, measure=partial(on_market, detector, seed))
        for path in recordings:
            yield _recorded(path, folder, detector, MARKETS[0])
    for seed in MARKETS:
        for variant in _repairs.VARIANTS:
            made = partial(_repairs.undone, variant, seed)
            yield Cell(table="repairs", detector=variant, seed=seed, measure=made)
        for variant in _booked.VARIANTS:
            made = partial(_booked.booked, variant, seed)
            yield Cell(table="books", detector=variant, seed=seed, measure=made)
    for detector in SEEDED:
        for path in recordings:
            for seed in MARKETS[1:]:
                yield _recorded(path, folder, detector, seed)


def _recorded(path: Path, folder: Path, detector: str, seed: int) -> Cell:
    made = partial(score_machines, detector, path, _scores_of(path, folder, detector, seed), seed=seed)
    return Cell(table=path.stem, detector=detector, seed=seed, measure=made)


def _scores_of(path: Path, folder: Path, detector: str, seed: int) -> Path:
    return folder / f"{path.stem} {detector} {seed}.npz".replace(" ", "_")


def on_recording(path: Path, folder: Path, rows: Rows) -> tuple[Rows, str]:
    """The cells of a recording with their figures, judged on the rows that all have scored, and what that leaves out.

    Cells without kept scores, as older ones have none, are left out.
    """
    keys = [(name, seed) for name, made in rows.items() for seed in made]
    files = {key: _scores_of(path, folder, *key) for key in keys}
    found = {key: kept(file) for key, file in files.items() if file.exists()}
    if not found:
        return {}, "No cell has kept its scores: remove the files of this table to measure it again."
    figures, sentence = judged_together(Recording.read(path), found)
    judged: dict[str, dict[int, Figures]] = {}
    for (name, seed), one in figures.items():
        judged.setdefault(name, {})[seed] = {key: value for key, value in one.items() if np.isfinite(value)}
    return judged, sentence


def guarded(seed: int) -> Figures:
    """Return, deepest fall and actions of each policy on one market, quiet and planted."""
    found: Figures = {}
    for (market, policy), (earned, depth, acted) in guard.on_one_market(seed).items():
        found |= {
            f"{market} {policy} return": earned, f"{market} {policy} fall": depth, f"{market} {policy} acted": acted
        }  # fmt: skip
    return found


def measured(cell: Cell, folder: Path) -> tuple[Figures, bool]:
    """The figures of a cell, and whether they were there already."""
    path = folder / cell.name
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8"))), True
    started = time.process_time()
    figures = {key: float(value) for key, value in cell.measure().items() if np.isfinite(value)}
    figures["processor_seconds"] = time.process_time() - started
    write_json(path, figures)
    return figures, False


def tables(found: Mapping[str, Rows], sentences: Mapping[str, str]) -> str:
    """Markdown: one table for each subject with its sentence, those by type of event, one of the guard.

    Cells are means (range) of seeds; AUC-ROC of the types that are `ASKED` for stands by seed too.
    """
    parts = []
    for subject, rows in found.items():
        if subject == "guard":
            parts.append(_guard_table(list(rows["catch"].values())))
            continue
        every = [one for made in rows.values() for one in made.values()]
        keys = [key for key in COLUMNS if any(key in one for one in every)]
        parts.append(_table(subject, rows, keys, [COLUMNS[key] for key in keys]))
        if subject in sentences:
            parts.append(sentences[subject])
        for prefix, title in BY_TYPE.items():
            kinds = sorted({key for one in every for key in one if key.startswith(prefix)})
            if kinds:
                heads = [kind.removeprefix(prefix) for kind in kinds]
                parts.append(_table(f"{subject}, {title}", rows, kinds, heads))
        if any(f"auc {kind}" in one for kind in ASKED for one in every):
            parts.append(by_seed(subject, rows))
    return "\n\n".join(parts)


def by_seed(subject: str, rows: Rows) -> str:
    """AUC-ROC of all rows and of each type `ASKED` for, seed by seed, and whether each is above `LEAST`."""
    heads = [*ASKED, f"each above {LEAST:.2f}"]
    lines = [f"| {subject}, AUC-ROC by seed | seed | {' | '.join(heads)} |", "| --- " * (len(heads) + 2) + "|"]
    for detector, made in rows.items():
        for seed, one in sorted(made.items()):
            values = [one.get(f"auc {kind}", float("nan")) for kind in ASKED]
            below = [kind for kind, value in zip(ASKED, values, strict=True) if not value > LEAST]
            said = "yes" if not below else "no: " + ", ".join(below)
            told = " | ".join(f"{value:.3f}" if np.isfinite(value) else "" for value in values)
            lines.append(f"| {detector} | {seed} | {told} | {said} |")
    return "\n".join(lines)


def _table(title: str, rows: Rows, keys: Sequence[str], heads: Sequence[str]) -> str:
    lines = [f"| {title} | {' | '.join(heads)} | seeds |", "| --- " * (len(heads) + 2) + "|"]
    for detector, made in rows.items():
        figures = [_told([one[key] for one in made.values() if key in one]) for key in keys]
        lines.append(f"| {detector} | {' | '.join(figures)} | {len(made)} |")
    return "\n".join(lines)


def _guard_table(made: Sequence[Figures]) -> str:
    lines = ["| guard | return % | deepest fall % | closes acted |", "| --- | --- | --- | --- |"]
    for market in ("quiet", "planted"):
        for policy in guard.VARIANTS:
            values = [[one[f"{market} {policy} {what}"] for one in made] for what in ("return", "fall", "acted")]
            lines.append(f"| {market}, {policy} | {' | '.join(', '.join(f'{x:.3g}' for x in one) for one in values)} |")
    return "\n".join(lines)


def _told(values: Sequence[float]) -> str:
    """The mean, and the smallest and the largest where there are several."""
    if not values:
        return ""
    mean = f"{np.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f} to {max(values):.3f})"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the figures are kept")
    parser.add_argument("--recordings", nargs="*", type=Path, default=[], help="labelled recordings (.npz)")
    parser.add_argument("--only", nargs="*", help="detectors (or guard) to measure; the tables show all there are")
    parser.add_argument("--no-guard", action="store_true", help="leave the guard's backtests out")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, dict[int, Figures]]] = {}
    spent = 0.0
    every = list(cells(given.recordings, given.folder, with_guard=not given.no_guard))
    for i, cell in enumerate(every):
        wanted = not given.only or cell.detector in given.only or cell.table in given.only
        if not wanted and not (given.folder / cell.name).exists():
            continue
        figures, kept = measured(cell, given.folder)
        spent += figures["processor_seconds"]
        found.setdefault(cell.table, {}).setdefault(cell.detector, {})[cell.seed] = figures
        state = "kept" if kept else f"{figures['processor_seconds']:.0f} s"
        told = f"AUC-ROC {figures['auc_roc']:.3f}" if "auc_roc" in figures else ""
        print(f"# {i + 1} of {len(every)}: {cell.table} {cell.detector} {cell.seed}: {state} {told}", flush=True)
    shown: dict[str, Rows] = dict(found)
    sentences: dict[str, str] = {}
    for path in given.recordings:
        if path.stem in shown:
            shown[path.stem], sentences[path.stem] = on_recording(path, given.folder, shown[path.stem])
    print(tables(shown, sentences))
    print(f"\nProcessor time of all cells: {spent / 60:.0f} minutes, one thread.", file=sys.stderr)


if __name__ == "__main__":
    main()
