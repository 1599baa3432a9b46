"""What a candidate's predictions cost, measured before anything is trained."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from triptych.bootstrap.building import build_classifier, build_encoding
from triptych.bootstrap.files import read_json
from triptych.bootstrap.locking import exclusive
from triptych.bootstrap.provenance import fingerprint, machine
from triptych.domain.errors import RecipeError
from triptych.domain.files import write_json
from triptych.inference import WindowClassifier
from triptych.inference.latency import measure, memory_mb, prediction_call, step_call
from triptych.inference.profile import Profile, Translation
from triptych.inference.step import streams
from triptych.models import Config as ModelConfig
from triptych.settings import Recipe
from triptych.training.tuning.config import Config
from triptych.training.tuning.limits import Measured, overruns

_PATIENCE_S = 600.0


class Meter(Protocol):
    """What a candidate costs on this machine; `again` measures it once more and keeps the lower latencies."""

    def __call__(self, recipe: Recipe, *, again: bool = False) -> Measured: ...


def meter_in(folder: Path, config: Config) -> Meter:
    """A meter that remembers, in a folder, every architecture it has measured on this machine."""
    where = fingerprint({**machine(), "threads": 0}, config.runtime, config.threads, config.timed)

    def meter(recipe: Recipe, *, again: bool = False) -> Measured:
        parts = (_shape_of(recipe.model), recipe.encoding, recipe.features)
        key = fingerprint(where, recipe.window.length, [part.model_dump(mode="json") for part in parts])
        path = folder / f"{key[:16]}.json"
        # One at a time: two that are timed at once would each seem slower than they are.
        with exclusive(folder / ".measure.lock", what=str(folder), timeout_s=_PATIENCE_S):
            known = Measured.of(read_json(path)) if path.exists() else None
            if known is not None and not again:
                return known
            found = measure_candidate(recipe, config)
            if known is not None:  # a machine can only seem slower than it is, never faster
                found = replace(found, p50_ms=min(found.p50_ms, known.p50_ms), p99_ms=min(found.p99_ms, known.p99_ms))
            if found.p50_ms < math.inf:  # what was too large to be timed is quickly told again, by another budget too
                write_json(path, found.to_dict())
        return found

    return meter


def _shape_of(model: ModelConfig) -> ModelConfig:
    """A network's settings without those that matter in training only: equal networks are measured once."""
    return model.model_copy(update={"drop_rate": 0.0, "drop_path_rate": 0.0, "pretrained": False})


def measure_candidate(recipe: Recipe, config: Config) -> Measured:
    """Build the untrained network of a recipe and time one prediction; one beyond the budget by its size is not timed.

    A prediction is one step where `config.timed` is step, and of one window otherwise. Raises RecipeError for an
    impossible shape, and for a network without a step that is to be timed by it.
    """
    classifier = build_classifier(recipe)
    by_step = config.timed == "step"
    if by_step and not (streams(classifier) and recipe.features.period == 1):
        raise RecipeError(
            "It cannot be asked candle by candle, and the latency of a step is searched for.",
            remedy="Leave it out of [tune.space], or set tune.timed to window.",
        )
    size = measure_size(recipe, classifier)
    if overruns(size, config.budget):
        return size
    if by_step:
        found = measure(step_call(classifier, runtime=config.runtime))
    else:
        shape = _window_of(recipe)
        found = measure(prediction_call(classifier, **shape, runtime=config.runtime, threads=config.threads))
    return replace(size, p50_ms=found.p50_ms, p99_ms=found.p99_ms)


def measure_size(recipe: Recipe, classifier: WindowClassifier | None = None) -> Measured:
    """Memory and parameters of a recipe's network, built anew where none is given; its latencies are infinite."""
    network = build_classifier(recipe) if classifier is None else classifier
    return Measured(
        p50_ms=math.inf,
        p99_ms=math.inf,
        memory_mb=memory_mb(network, **_window_of(recipe)),
        parameters=sum(one.numel() for one in network.parameters()),
    )


def _window_of(recipe: Recipe) -> dict[str, int]:
    return {"length": recipe.window.length, "width": len(build_encoding(recipe).columns)}


def elsewhere(
    measured: Measured, here: Profile | None, there: Profile | None, timed: Literal["auto", "step", "window"]
) -> Measured:
    """The same on the machine of another profile; as it is without one. `timed`: what the latency is that of."""
    if here is None or there is None:
        return measured
    translation = Translation(here, there, "step" if timed == "step" else "window")
    return replace(
        measured,
        p50_ms=translation.milliseconds(measured.p50_ms),
        p99_ms=translation.milliseconds(measured.p99_ms, "p99"),
    )
