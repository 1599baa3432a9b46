"""The rungs of the failover ladder: each model, on the GPU first where there is one, and the rule before flat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.bootstrap.readiness import made_ready
from triptych.bootstrap.run_folder import Run
from triptych.domain.errors import RecipeError
from triptych.inference import Artifact, ConsensusArtifact, fingerprint, reference_of
from triptych.inference.base import AbstractPredictor
from triptych.inference.rules import RulePredictor
from triptych.live.failover import Level
from triptych.settings.live import LiveSettings

Build = Callable[[Artifact | ConsensusArtifact], AbstractPredictor]


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A level with the folder of its run and the way its model is made; the rule has neither."""

    level: Level
    run: Run | None = None
    build: Build | None = None

    @property
    def folder(self) -> str:
        """Of the run, for people; empty for the rule."""
        return "" if self.run is None else str(Path(self.run.folder).absolute())


def rungs_of(
    runs: Sequence[Run],
    artifacts: Sequence[Artifact | ConsensusArtifact],
    settings: LiveSettings,
    *,
    has_gpu: Callable[[], bool] | None = None,
) -> list[Rung]:
    """The rungs, best first.

    The first model runs on the GPU where the settings allow it and there is one; the same model through ONNX Runtime on
    the CPU is the next rung, which answers at the very decision at which the device is lost.

    Raises RecipeError when `device = "cuda"` and there is none, or the model runs on the CPU only.
    """
    rungs: list[Rung] = []
    for i, (run, artifact) in enumerate(zip(runs, artifacts, strict=True)):
        name = run.recipe.name if i == 0 else f"{run.recipe.name} (stand-in {i})"
        if i == 0 and _on_gpu(artifact, settings, has_gpu or _has_gpu):
            rungs.append(_rung(f"{name} (cuda)", run, artifact, settings, _on_cuda))
        rungs.append(_rung(name, run, artifact, settings, lambda one: predictor_of(one, settings)))
    if settings.last_resort == "rules":
        longest = rungs[0].level.predictor.length
        rule = RulePredictor(settings.rules, longest=longest)
        level = Level("rules", rule, deadline_s=settings.model_deadline_seconds, is_instant=True)
        rungs.append(Rung(level=level))
    return rungs


def _rung(name: str, run: Run, artifact: Artifact | ConsensusArtifact, settings: LiveSettings, build: Build) -> Rung:
    def ready(one: Artifact | ConsensusArtifact) -> AbstractPredictor:
        return made_ready(build(one), one)

    level = Level(
        name, ready(artifact), deadline_s=settings.model_deadline_seconds, identity=fingerprint(artifact),
        reference=reference_of(artifact),
    )  # fmt: skip
    return Rung(level=level, run=run, build=ready)


def _on_cuda(artifact: Artifact | ConsensusArtifact) -> AbstractPredictor:
    assert isinstance(artifact, Artifact)
    return artifact.predictor("torch", device="cuda")


def _on_gpu(artifact: Artifact | ConsensusArtifact, settings: LiveSettings, has_gpu: Callable[[], bool]) -> bool:
    if settings.device == "cpu":
        return False
    can = isinstance(artifact, Artifact) and not (settings.sequence_models == "stream" and artifact.streams)
    if settings.device == "cuda" and not (can and has_gpu()):
        why = "no GPU was found" if can else "a consensus, or a model asked candle by candle, runs on the CPU"
        raise RecipeError(f"device = cuda, and {why}.", remedy="Say device = auto or cpu.")
    return can and has_gpu()


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def predictor_of(artifact: Artifact | ConsensusArtifact, settings: LiveSettings) -> AbstractPredictor:
    """The model ready to predict on the CPU, as the settings say how those with a memory are asked."""
    if settings.sequence_models == "stream" and isinstance(artifact, Artifact) and artifact.streams:
        return artifact.with_regimes(artifact.streaming_predictor())
    return artifact.predictor()
