"""From a recipe to a trained run: every fold is fitted, saved as an artifact and asked about the candles after it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from triptych.bootstrap.building import Dataset, build_classifier, build_encoding
from triptych.bootstrap.candle_books import book_need
from triptych.bootstrap.candles import Candles, load_candles, with_absolute_path
from triptych.bootstrap.cut_values import cut_note
from triptych.bootstrap.figures import figure_columns
from triptych.bootstrap.files import EVALUATION_KEYS, read_frame, read_json, write_frame
from triptych.bootstrap.foreseeing import require_trainable
from triptych.bootstrap.judging import judge_predictions
from triptych.bootstrap.judging_likeness import judge_look_up
from triptych.bootstrap.judging_streams import streamed
from triptych.bootstrap.other_markets import beginning_of, told
from triptych.bootstrap.pattern_networks import unread_note
from triptych.bootstrap.provenance import versions
from triptych.bootstrap.regime_filters import fitted_regimes, regime_columns
from triptych.bootstrap.run_folder import Run, place_of, trial_mark
from triptych.bootstrap.staking import base_rates
from triptych.bootstrap.taking_up import taken_up
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.trials import record_trial
from triptych.domain import CLASSES, utc
from triptych.domain.errors import ArtifactError, RunError
from triptych.domain.files import write_json
from triptych.inference import (
    Artifact,
    Card,
    WindowClassifier,
    load_artifact,
    record_metrics,
    save_artifact,
)
from triptych.inference.artifact import record_reference
from triptych.inference.reference import quantiles_of, window_statistics
from triptych.inference.similar import collapse_note, spread_of
from triptych.models.siamese import SiameseNetwork
from triptych.settings import Recipe
from triptych.training import trainer
from triptych.training.boosting.stage import boost
from triptych.training.fitted import read_result
from triptych.training.history import EpochRecord
from triptych.training.seeds import derive_seed
from triptych.training.siamese.fitting import embeddings_over, fit_siamese
from triptych.training.splits import Fold, Segment
from triptych.training.windows import WindowSet

PROBE_WINDOWS = 64
REFERENCE_WINDOWS = 2_000
"""Real windows on which the exported graph is held against the network."""


def train(
    recipe: Recipe,
    *,
    folder: Path | None = None,
    fresh: bool = False,
    tell: Tell = silent,
    progress_bar: bool | None = None,
) -> Run:
    """Train a recipe.

    Args:
        recipe: what to do.
        folder: of the run; by default runs/NAME-FINGERPRINT.
        fresh: replace a run that is there.
        tell: told every stage in words.
        progress_bar: show one while a network learns; None shows it on terminals.

    Returns:
        The run. One that is complete is returned as it is; one that was stopped goes on from its last checkpoint and
        ends with the same result.

    Raises DataError, RecipeError, RunError, StorageError and their kinds. What cannot be trained leaves no folder.
    """
    if unread := unread_note(recipe):
        tell(unread)
    recipe = with_absolute_path(recipe)
    candles = load_candles(recipe, tell)
    dataset = Dataset.of(recipe, candles)
    if dataset.across_holes:
        tell(f"Left out of training and test: {dataset.across_holes:,} windows across holes in the history.")
    if dataset.without_books:
        tell(f"Left out of training and test: {dataset.without_books:,} windows without an order book at some close.")
    if cut := cut_note(dataset):
        tell(cut)
    require_trainable(dataset)  # before anything is written
    if begins := told(recipe, dataset.folds):
        tell(begins)
    home = folder or place_of(recipe, candles.hash)

    def damage_of(run: Run) -> str:
        return _damage(run, len(dataset.folds))

    with taken_up(recipe, candles.hash, home, fresh=fresh, damage_of=damage_of, tell=tell) as (run, is_complete):
        if not is_complete:
            _train(run, dataset, candles, tell, progress_bar)
    return run


def _damage(run: Run, folds: int) -> str:
    """What is missing or damaged in a run that was trained to its end; empty when all is well."""
    try:
        read_json(run.folder / "quality.json", ("instruments",))
        read_json(run.folder / "evaluation.json", EVALUATION_KEYS)
        read_frame(run.folder / "predictions.parquet")
        for number in range(folds):
            load_artifact(run.fold(number) / "artifact")
            if read_result(run.fold(number) / "training") is None:
                return f"{run.fold(number) / 'training'} holds no result."
    except (RunError, ArtifactError) as error:
        return error.message
    return ""


def _train(run: Run, dataset: Dataset, candles: Candles, tell: Tell, progress_bar: bool | None) -> None:
    write_json(run.folder / "quality.json", {"instruments": candles.quality, "notes": candles.notes})
    run.update(status="training", folds=len(dataset.folds), splits=[_boundaries(f) for f in dataset.folds])
    parts = []
    for fold in dataset.folds:
        artifact = _fit(run, dataset, candles, fold, tell, progress_bar)
        parts.append(_ask(artifact, dataset, fold))
    predictions = pl.concat(parts)
    write_frame(run.folder / "predictions.parquet", predictions)
    # Counted before the result is known: a look at it that is regretted was a look.
    run.update(counted=record_trial(run.folder, candles.history, trial_mark(run.recipe)))
    evaluation = judge_predictions(dataset, predictions)
    if run.recipe.siamese.loss != "none":
        evaluation["look_up"] = judge_look_up(dataset, [run.fold(fold.number) for fold in dataset.folds])
    write_json(run.folder / "evaluation.json", evaluation)
    for fold in dataset.folds:
        record_metrics(run.fold(fold.number) / "artifact", evaluation["metrics"])
    run.update(status="trained")


def _fit(run: Run, dataset: Dataset, candles: Candles, fold: Fold, tell: Tell, progress_bar: bool | None) -> Artifact:
    recipe, home = dataset.fitted(fold), run.fold(fold.number)
    classifier = build_classifier(recipe, fold.number)
    sets = dataset.windows(fold.train), dataset.windows(fold.validation)
    parameters = sum(p.numel() for p in classifier.network.parameters())
    tell(
        f"Fold {fold.number + 1} of {len(dataset.folds)}: {recipe.model.name} with {parameters:,} parameters learns "
        f"from {len(sets[0])} windows, stops by {len(sets[1])}, is tested on {len(fold.test)}."
    )

    shows_bar = sys.stderr.isatty() if progress_bar is None else progress_bar

    def tell_epoch(record: EpochRecord) -> None:
        tell(
            f"Epoch {record.epoch + 1} of {recipe.training.epochs}: training loss {record.train_loss:.4f}, validation "
            f"loss {record.validation_loss:.4f}."
        )

    seed = derive_seed(recipe.seed, "fit", fold.number)
    if recipe.siamese.loss != "none":
        result = fit_siamese(
            classifier, *sets, recipe.siamese, recipe.training, home / "training", seed, on_epoch=tell_epoch
        )
        if note := collapse_note(spread_of(embeddings_over(classifier, sets[1]).numpy())):
            tell(note)
    else:
        result = trainer.fit(
            classifier, *sets, recipe.training, home / "training", seed,
            on_epoch=None if shows_bar else tell_epoch, progress=shows_bar,
        )  # fmt: skip
    best = result.history[result.best_epoch]
    tell(
        f"Best epoch {result.best_epoch + 1} of {len(result.history)}: validation loss {best.validation_loss:.4f}, "
        f"training loss {best.train_loss:.4f}."
    )
    sizes: dict[str, Any] = {}
    if recipe.boosting.engine != "none":
        classifier, sizes = _with_trees(recipe, classifier, sets, fold, tell)
    try:
        return load_artifact(home / "artifact")
    except ArtifactError:
        tell("Exporting the network with its encoding to ONNX.")
    card = _card(
        recipe,
        candles,
        fold,
        parameters,
        boosting=sizes,
        siamese=_library(classifier),
        base_rates=base_rates(dataset.samples(fold.train)),
        begun={} if (begun := beginning_of(recipe)) is None else begun.on_card(),
    )
    regimes = fitted_regimes(recipe, dataset, fold, home, tell)
    artifact = save_artifact(home / "artifact", classifier, card, _probe(dataset, fold), regimes)
    return record_reference(home / "artifact", _reference(artifact, dataset, fold))


def _reference(artifact: Artifact, dataset: Dataset, fold: Fold) -> dict[str, tuple[float, ...]]:
    """Quantiles of what the model says and sees at most `REFERENCE_WINDOWS` closes of the validation part."""
    predictor, factors, seen = artifact.predictor(), artifact.seen(), dict[str, list[NDArray[np.float64]]]()
    share = max(1, sum(len(index) for index in fold.validation.indices) // REFERENCE_WINDOWS)
    for one, index in zip(dataset.series, fold.validation.indices, strict=True):
        ends = index[index >= max(predictor.length, artifact.card.length) - 1][::share]
        confidence = predictor.over(one, ends, dataset.companions).max(axis=1, initial=0.0).astype(np.float64)
        statistics = window_statistics(one.windows(ends, artifact.card.length)) if len(ends) else {}
        read = factors.over(one, ends, dataset.companions)
        for name, values in {"confidence": confidence, **statistics, **read}.items():
            seen.setdefault(name, []).append(values)
    found = {name: quantiles_of(np.concatenate(values)) for name, values in seen.items()}
    return {name: values for name, values in found.items() if values}


def _with_trees(
    recipe: Recipe, classifier: WindowClassifier, sets: tuple[WindowSet, WindowSet], fold: Fold, tell: Tell
) -> tuple[WindowClassifier, dict[str, Any]]:
    """The classifier with trees behind its frozen network, and what the card says of them."""
    seed = derive_seed(recipe.seed, "boosting", fold.number)
    made = boost(classifier, *sets, recipe.boosting, recipe.training, seed=seed)
    tell(
        f"The network is frozen: {made.shape.trees} trees by {made.engine}, {made.rounds} rounds, read "
        f"{made.components} of its {made.features} features."
    )
    return made.classifier, {
        "engine": made.engine,
        "features": made.features,
        "components": made.components,
        "rounds": made.rounds,
        "trees": made.shape.trees,
        "nodes": made.shape.nodes,
        "depth": made.shape.depth,
    }


def _probe(dataset: Dataset, fold: Fold) -> NDArray[np.float32]:
    windows = dataset.windows(fold.validation)
    chosen = torch.linspace(0, len(windows) - 1, min(PROBE_WINDOWS, len(windows))).long()
    probe: NDArray[np.float32] = windows.gather(chosen).windows.numpy()
    return probe


def _library(classifier: WindowClassifier) -> dict[str, int]:
    """What the card says of a network of likeness; empty of another."""
    network = classifier.network
    if not isinstance(network, SiameseNetwork):
        return {}
    found = {"dimension": network.dimension, "entries": len(network.get_buffer("library"))}
    return found | {"scaled_channels": len(network.get_buffer("usual"))} if network.scaled else found


def _card(
    recipe: Recipe,
    candles: Candles,
    fold: Fold,
    parameters: int,
    **learned: Any,
) -> Card:
    encoding = build_encoding(recipe)
    return Card(
        name=f"{recipe.name}-{fold.number}",
        length=recipe.window.length,
        columns=len(encoding.columns),
        features=recipe.features.model_dump(mode="json") if recipe.features.makes_rows else {},
        timeframe=str(candles.timeframe),
        symbols=tuple(one.symbol for one in candles.series),
        books=_books(recipe, candles),
        encoding=recipe.encoding.model_dump(mode="json"),
        model=recipe.model.as_options(),
        tasks=recipe.training.tasks.names,
        parameters=parameters,
        target=recipe.target.model_dump(mode="json"),
        splits=[_boundaries(fold)],
        period=candles.period,
        data_hash=candles.hash,
        metrics={},
        seed=recipe.seed,
        versions=versions(),
        **learned,
    )


def _books(recipe: Recipe, candles: Candles) -> dict[str, int]:
    """What the card says of the order books that the model needs."""
    need = book_need(recipe, candles.timeframe)
    if need is None:
        return {}
    found = {"levels": need.levels, "max_age_ms": need.max_age_ms}
    return found | {"companions": 1} if need.companions else found


def _boundaries(fold: Fold) -> dict[str, Any]:
    return {"fold": fold.number, **{segment.name: _segment(segment) for segment in fold.segments}}


def _segment(segment: Segment) -> dict[str, Any]:
    return {"start": utc(segment.start_ms), "stop": utc(segment.stop_ms), "samples": len(segment)}


def _ask(artifact: Artifact, dataset: Dataset, fold: Fold) -> pl.DataFrame:
    """Predictions of a fold's model for every candle of its test segment, from the first judged one on."""
    predictor = artifact.predictor()
    first = min(
        int(one.close_time_ms[index[0]])
        for one, index in zip(dataset.series, fold.test.indices, strict=True)
        if index.size
    )
    # Only the first fold waits for its first judged sample; the later ones take over without a hole.
    start = first if fold.number == 0 else fold.test.start_ms + dataset.series[0].timeframe.milliseconds
    parts = []
    for one in dataset.series:
        ends = np.flatnonzero((one.close_time_ms >= start) & (one.close_time_ms <= fold.test.stop_ms))
        ends = ends[ends >= predictor.length - 1]
        probabilities = predictor.over(one, ends, dataset.companions)
        known = np.isfinite(probabilities).all(axis=1)  # a companion's candles may be missing for a while
        ends, probabilities = ends[known], probabilities[known]
        parts.append(
            pl.DataFrame(
                {
                    "time": pl.Series(one.close_time_ms[ends]).cast(pl.Datetime("ms", "UTC")),
                    "symbol": pl.Series([one.symbol] * len(ends), dtype=pl.String),
                    "fold": pl.Series([fold.number] * len(ends), dtype=pl.Int64),
                    **{f"probability_{name}": probabilities[:, i].astype(np.float64) for i, name in enumerate(CLASSES)},
                    **figure_columns(predictor, dataset, one, ends),
                    **regime_columns(predictor, one, ends),
                    **streamed(artifact, dataset, one, ends),
                }
            )
        )
    return pl.concat(parts).sort("time", "symbol")
