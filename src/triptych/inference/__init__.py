"""Window -> encoding -> network -> prediction; saved artifacts.

Each name is imported when it is first asked for: a house that trades by rules, or looks at its journal, loads no
network library, and is back sooner after a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triptych.domain.on_demand import on_demand

if TYPE_CHECKING:
    from triptych.inference.artifact import Artifact, load_artifact, record_metrics, save_artifact
    from triptych.inference.base import NOBODY, AbstractPredictor, AbstractView
    from triptych.inference.card import Card
    from triptych.inference.classifier import WindowClassifier
    from triptych.inference.columns import BookNeed, Columns
    from triptych.inference.combiner import Combiner
    from triptych.inference.compiled_step import CompiledStep
    from triptych.inference.consensus import ConsensusPredictor
    from triptych.inference.consensus_artifact import (
        ConsensusArtifact,
        fingerprint,
        load_consensus,
        open_any_artifact,
        record_consensus_metrics,
        reference_of,
        save_consensus,
    )
    from triptych.inference.factors import FactorPredictor
    from triptych.inference.inputs import FactorRows, WindowRows, known_windows
    from triptych.inference.predictor import OnnxPredictor, TorchPredictor
    from triptych.inference.similar import siamese_of
    from triptych.inference.step import OnnxStep, TorchStep
    from triptych.inference.streaming import StreamingPredictor

__all__ = [
    "NOBODY",
    "AbstractPredictor",
    "AbstractView",
    "Artifact",
    "BookNeed",
    "Card",
    "Columns",
    "Combiner",
    "CompiledStep",
    "ConsensusArtifact",
    "ConsensusPredictor",
    "FactorPredictor",
    "FactorRows",
    "OnnxPredictor",
    "OnnxStep",
    "StreamingPredictor",
    "TorchPredictor",
    "TorchStep",
    "WindowClassifier",
    "WindowRows",
    "fingerprint",
    "known_windows",
    "load_artifact",
    "load_consensus",
    "open_any_artifact",
    "record_consensus_metrics",
    "record_metrics",
    "reference_of",
    "save_artifact",
    "save_consensus",
    "siamese_of",
]

_HOMES: Final = {
    "artifact": ("Artifact", "load_artifact", "record_metrics", "save_artifact"),
    "base": ("NOBODY", "AbstractPredictor", "AbstractView"),
    "card": ("Card",),
    "classifier": ("WindowClassifier",),
    "columns": ("BookNeed", "Columns"),
    "combiner": ("Combiner",),
    "compiled_step": ("CompiledStep",),
    "consensus": ("ConsensusPredictor",),
    "consensus_artifact": (
        "ConsensusArtifact",
        "fingerprint",
        "load_consensus",
        "open_any_artifact",
        "record_consensus_metrics",
        "reference_of",
        "save_consensus",
    ),
    "factors": ("FactorPredictor",),
    "inputs": ("FactorRows", "WindowRows", "known_windows"),
    "predictor": ("OnnxPredictor", "TorchPredictor"),
    "similar": ("siamese_of",),
    "step": ("OnnxStep", "TorchStep"),
    "streaming": ("StreamingPredictor",),
}

__getattr__, __dir__ = on_demand(__name__, _HOMES)
