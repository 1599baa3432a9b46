"""From recordings of order books to a network that is judged beside queue imbalance and the majority class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.bootstrap.books.opening import hash_of, open_histories
from triptych.bootstrap.books.place import RESULT, make_room, read_result
from triptych.bootstrap.provenance import History, fingerprint, versions
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.trials import ledger_folder, record_trial
from triptych.domain import CLASSES, utc
from triptych.domain.errors import NotEnoughData, RecipeError
from triptych.domain.files import write_json
from triptych.images import create_encoding
from triptych.inference import Card, WindowClassifier, record_metrics, save_artifact
from triptych.models import create_model
from triptych.settings.books import BookRecipe
from triptych.training import trainer
from triptych.training.books import (
    BookFold,
    BookHistory,
    BookScores,
    book_folds,
    fit_queue_rule,
    fit_threshold,
    rhythm_of,
    score_books,
)
from triptych.training.fitted import read_result as read_training
from triptych.training.history import EpochRecord
from triptych.training.overlap import average_uniqueness
from triptych.training.seeds import derive_seed
from triptych.training.surroundings import device_of
from triptych.training.windows import WindowSet

PROBE_WINDOWS = 32
CHUNK = 512
FEWEST_WINDOWS = 2
NETWORK, QUEUE, MAJORITY = "network", "queue imbalance", "majority"


def train_books(
    files: Sequence[Path], recipe: BookRecipe, folder: Path, *, fresh: bool = False, tell: Tell = silent
) -> dict[str, Any]:
    """Train, save the artifact of the last fold, judge all folds on the rows behind their training.

    Args:
        files: recordings of any format that `read_books` knows, or files of FI-2010.
        recipe: what to do.
        folder: of the run: `begun.json`, `artifact/`, `training-N/`, `books.json`. A training that was stopped goes on
            from its last checkpoint when the same call is made again.
        fresh: remove a run that is there, and nothing else.
        tell: told every stage in words.

    Returns:
        The content of `books.json`: metrics with intervals, verdict, splits, recipe.

    Everything is built and tried before the folder is touched: a call that is refused leaves nothing behind, and takes
    nothing away.

    Raises DataError, NotEnoughData, RecipeError, RunError, StorageError and their kinds.
    """
    histories = open_histories(files, recipe)
    data_hash = hash_of(histories)
    mark = fingerprint(recipe.model_dump(mode="json"), data_hash)
    folds = book_folds(histories, recipe.split, length=recipe.length, horizon=recipe.target.horizon)
    _try_out(histories, folds, recipe)
    make_room(folder, mark, fresh=fresh)
    history = _history(histories, data_hash)
    tried = fingerprint(recipe.model_dump(mode="json"))
    if (folder / RESULT).exists():
        record_trial(folder, history, tried)  # an earlier version did not
        tell(f"{folder} holds this run already.")
        return read_result(folder)
    data = [
        {"symbol": one.symbol, "rows": len(one), "every_ms": rhythm_of([one], recipe.data.every_ms)}
        for one in histories
    ]
    for row in data:
        step = "" if row["every_ms"] is None else f", {row['every_ms']} ms apart"
        tell(f"{row['symbol']}: {row['rows']:,} books{step}.")
    parts = [_run_fold(histories, fold, recipe, folder, tell) for fold in folds]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    # Counted before the result is known: a look at it that is regretted was a look.
    count = record_trial(folder, history, tried)
    tell(f"Trials on this history in {ledger_folder(folder)}: {count}.")
    scores = score_books(
        {name: joined[name] for name in (NETWORK, QUEUE, MAJORITY)}, joined["label"], joined["time"], joined["end"],
        folds=joined["fold"], instruments=joined["instrument"],
        level=recipe.scoring.level, resamples=recipe.scoring.resamples, seed=derive_seed(recipe.seed, "bootstrap"),
    )  # fmt: skip
    result = {
        "fingerprint": mark,
        "recipe": recipe.model_dump(mode="json"),
        "data": data,
        "data_hash": data_hash,
        "splits": [_split_words(fold, histories) for fold in folds],
        "scores": as_json(scores),
        "verdict": verdict_of(scores),
        "versions": versions(),
    }
    classifier = _untrained(recipe, folds[-1].number)
    trained = read_training(folder / f"training-{folds[-1].number}")
    assert trained is not None
    classifier.load_state_dict(trained.state)
    _save(folder, classifier, recipe, histories, folds[-1], result)
    write_json(folder / RESULT, result)
    return result


def _history(histories: Sequence[BookHistory], data_hash: str) -> History:
    """What the network is tried on, for the ledger of trials."""
    spans: dict[str, tuple[int, int]] = {}
    for one in histories:
        first, last = spans.get(one.symbol, (one.time_ms[0], one.time_ms[-1]))
        spans[one.symbol] = (int(min(first, one.time_ms[0])), int(max(last, one.time_ms[-1])))
    return History(mark=data_hash, periods=spans)


def window_set(
    histories: Sequence[BookHistory], rows: Sequence[NDArray[np.int64]], threshold_bp: float, length: int, horizon: int
) -> WindowSet:
    """The windows that end at these rows of each history, with their classes."""
    offsets = np.concatenate(([0], np.cumsum([len(one) for one in histories])))
    starts = [offset + row - (length - 1) for offset, row in zip(offsets, rows, strict=False)]
    labels = [one.classes(threshold_bp)[row] for one, row in zip(histories, rows, strict=True)]
    unique = [average_uniqueness(row, row + horizon) for row in rows]
    return WindowSet(
        values=torch.from_numpy(np.concatenate([one.rows for one in histories])),
        starts=torch.from_numpy(np.concatenate(starts)),
        labels=torch.from_numpy(np.concatenate(labels)),
        uniqueness=torch.from_numpy(np.concatenate(unique).astype(np.float32)),
        length=length,
    )


def probabilities(classifier: WindowClassifier, windows: WindowSet) -> NDArray[np.float32]:
    """Class probabilities of every window of a set, float32 of shape (n, 3)."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(windows), CHUNK):
            positions = torch.arange(start, min(start + CHUNK, len(windows)))
            parts.append(torch.softmax(classifier.eval()(windows.gather(positions).windows), dim=-1).numpy())
    return np.concatenate(parts)


def verdict_of(scores: BookScores) -> str:
    """One sentence: whether the network adds anything to queue imbalance."""
    mcc = scores.lift[QUEUE]["mcc"]
    figures = (
        f"MCC {scores.metrics[NETWORK]['mcc'].value:.3f} against {scores.metrics[QUEUE]['mcc'].value:.3f}, difference "
        f"{mcc.value:+.3f} [{mcc.low:+.3f}, {mcc.high:+.3f}]"
    )
    if scores.only[NETWORK]:
        figures += f". It said {scores.only[NETWORK]} only, which is no skill whatever comes"
    if mcc.low > 0:
        return f"The network foretells more than queue imbalance: {figures}."
    if mcc.high < 0:
        return f"The network loses to queue imbalance, so it has learned nothing of use: {figures}."
    return f"No evidence that the network foretells more than queue imbalance: {figures}."


def as_json(scores: BookScores) -> dict[str, Any]:
    """Scores as plain numbers; what is not defined is null."""

    def plain(table: Any) -> Any:
        return {
            name: {
                metric: {k: v if np.isfinite(v) else None for k, v in asdict(one).items()}
                for metric, one in row.items()
            }
            for name, row in table.items()
        }

    return {
        "samples": scores.samples, "independent": round(scores.independent, 1),
        "classes": dict(zip(CLASSES, scores.counts, strict=True)),
        "metrics": plain(scores.metrics), "lift": plain(scores.lift),
        "only_class": {name: one or None for name, one in scores.only.items()},
    }  # fmt: skip


def _try_out(histories: Sequence[BookHistory], folds: Sequence[BookFold], recipe: BookRecipe) -> None:
    """Build all that a training of these folds builds, and show the network a window of the first; write nothing.

    Raises what it would raise: RecipeError for an encoding, a network or a device that there is not, or for a network
    that does not take what the encoding gives, NotEnoughData for too few windows to learn from.
    """
    device_of(recipe.training.accelerator)
    for fold in folds:
        fold_threshold(histories, fold, recipe)
        few = sum(map(len, _thinned(fold, recipe)))
        if few < FEWEST_WINDOWS:
            raise NotEnoughData(
                f"Of fold {fold.number + 1}, data.stride = {recipe.data.stride} leaves {few} windows to learn from.",
                remedy="Take a smaller stride, or bring longer recordings.",
            )
    classifier = _untrained(recipe, folds[0].number)
    history, row = next((one, rows[0]) for one, rows in zip(histories, folds[0].train, strict=True) if len(rows))
    window = torch.from_numpy(history.rows[row - recipe.length + 1 : row + 1][None])
    try:
        with torch.inference_mode():
            said = classifier.eval()(window)
    except (RuntimeError, IndexError) as error:
        raise RecipeError(
            f"The network {recipe.model['name']} does not take what {recipe.encoding['name']} gives of windows of "
            f"{recipe.length} rows with {recipe.data.levels} levels a side: {error}.",
            remedy="Say the same levels under [data], [encoding] and [model], and a window that is long enough.",
        ) from None
    if said.shape != (1, len(CLASSES)):
        raise RecipeError(
            f"The network {recipe.model['name']} answers in shape {tuple(said.shape[1:])} instead of one number a "
            "class.",
            remedy="Choose a network that classifies windows.",
        )


def _thinned(fold: BookFold, recipe: BookRecipe) -> list[NDArray[np.int64]]:
    """The training rows of a fold that are learned from."""
    return [rows[rows % recipe.data.stride == 0] for rows in fold.train]


def _run_fold(
    histories: Sequence[BookHistory], fold: BookFold, recipe: BookRecipe, folder: Path, tell: Tell
) -> dict[str, NDArray[np.int64]]:
    """Classes of every predictor on the test rows of a fold, with labels, fold, instrument, times and the times they
    were known."""
    threshold = fold_threshold(histories, fold, recipe)
    length, horizon = recipe.length, recipe.target.horizon
    train = window_set(histories, _thinned(fold, recipe), threshold, length, horizon)
    validation, test = (
        window_set(histories, part, threshold, length, horizon) for part in (fold.validation, fold.test)
    )
    classifier = _untrained(recipe, fold.number)
    parameters = sum(p.numel() for p in classifier.network.parameters())
    tell(
        f"Fold {fold.number + 1}: {recipe.model['name']} with {parameters:,} parameters learns from {len(train)} "
        f"windows, stops by {len(validation)}, is tested on {len(test)}; threshold {threshold:.4f} bp."
    )

    def tell_epoch(record: EpochRecord) -> None:
        tell(
            f"Epoch {record.epoch + 1} of {recipe.training.epochs}: training loss {record.train_loss:.4f}, validation "
            f"loss {record.validation_loss:.4f}."
        )

    trainer.fit(
        classifier, train, validation, recipe.training, folder / f"training-{fold.number}",
        derive_seed(recipe.seed, "fit", fold.number), on_epoch=tell_epoch, progress=False,
    )  # fmt: skip
    queue = [
        np.concatenate([one.queue[rows] for one, rows in zip(histories, part, strict=True)])
        for part in (fold.train, fold.test)
    ]
    all_train = np.concatenate([one.classes(threshold)[rows] for one, rows in zip(histories, fold.train, strict=True)])
    label = test.labels.numpy()
    symbols = list(dict.fromkeys(one.symbol for one in histories))
    numbers = [np.full(len(rows), symbols.index(one.symbol)) for one, rows in zip(histories, fold.test, strict=True)]
    return {
        NETWORK: probabilities(classifier, test).argmax(axis=1).astype(np.int64),
        QUEUE: fit_queue_rule(queue[0], all_train).classes(queue[1]),
        MAJORITY: np.full(len(label), np.bincount(all_train, minlength=len(CLASSES)).argmax()),
        "label": label,
        "fold": np.full(len(label), fold.number),
        "instrument": np.concatenate(numbers),
        "time": np.concatenate([one.time_ms[rows] for one, rows in zip(histories, fold.test, strict=True)]),
        "end": np.concatenate([one.time_ms[rows + horizon] for one, rows in zip(histories, fold.test, strict=True)]),
    }


def fold_threshold(histories: Sequence[BookHistory], fold: BookFold, recipe: BookRecipe) -> float:
    """The threshold of a fold in basis points, from its training rows alone; 0 where labels came with the files."""
    if histories[0].has_labels:
        return 0.0
    moves = [one.moves_bp[rows] for one, rows in zip(histories, fold.train, strict=True)]
    return fit_threshold(np.concatenate(moves), recipe.target)


def _untrained(recipe: BookRecipe, fold: int) -> WindowClassifier:
    encoding = create_encoding(length=recipe.length, **recipe.encoding)
    network = create_model(
        in_chans=encoding.channels, num_classes=len(CLASSES), seed=derive_seed(recipe.seed, "network", fold) % 2**31,
        **recipe.model,
    )  # fmt: skip
    return WindowClassifier(encoding, network)


def _split_words(fold: BookFold, histories: Sequence[BookHistory]) -> dict[str, Any]:
    moments = [str(one) if histories[0].has_labels else utc(one) for one in fold.boundaries]
    counts = {name: sum(map(len, getattr(fold, name))) for name in ("train", "validation", "test")}
    return {"fold": fold.number + 1, "boundaries": moments, "samples": counts}


def _save(
    folder: Path,
    classifier: WindowClassifier,
    recipe: BookRecipe,
    histories: Sequence[BookHistory],
    fold: BookFold,
    result: dict[str, Any],
) -> None:
    threshold = fold_threshold(histories, fold, recipe)
    test = window_set(histories, fold.test, threshold, recipe.length, recipe.target.horizon)
    chosen = torch.linspace(0, len(test) - 1, min(PROBE_WINDOWS, len(test))).long()
    given = histories[0].has_labels
    first, last = min(one.time_ms[0] for one in histories), max(one.time_ms[-1] for one in histories)
    card = Card(
        name=f"books-{recipe.model['name']}",
        length=recipe.length,
        timeframe="books",
        symbols=tuple(dict.fromkeys(one.symbol for one in histories)),
        columns=4 * recipe.data.levels,
        encoding=recipe.encoding,
        model=recipe.model,
        parameters=sum(p.numel() for p in classifier.network.parameters()),
        target={
            **recipe.target.model_dump(mode="json"),
            "kind": "book_mid",
            "found_threshold_bp": threshold,
            "every_ms": rhythm_of(histories, recipe.data.every_ms),
            "taught_until_ms": int(fold.boundaries[2]),
        },
        splits=result["splits"],
        period=(str(first), str(last)) if given else (utc(int(first)), utc(int(last))),
        data_hash=result["data_hash"],
        metrics={},
        seed=recipe.seed,
        versions=result["versions"],
    )
    save_artifact(folder / "artifact", classifier, card, test.gather(chosen).windows.numpy())
    record_metrics(folder / "artifact", result["scores"])
