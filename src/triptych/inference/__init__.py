"""Window -> encoding -> network -> prediction; saved artifacts."""

from triptych.inference.artifact import Artifact, load_artifact, record_metrics, save_artifact
from triptych.inference.base import NOBODY, AbstractPredictor, AbstractView
from triptych.inference.card import Card
from triptych.inference.classifier import WindowClassifier
from triptych.inference.combiner import Combiner
from triptych.inference.consensus import ConsensusPredictor
from triptych.inference.consensus_artifact import (
    ConsensusArtifact,
    load_consensus,
    open_any_artifact,
    record_consensus_metrics,
    save_consensus,
)
from triptych.inference.factors import FactorPredictor
from triptych.inference.inputs import FactorRows, known_windows
from triptych.inference.predictor import OnnxPredictor, TorchPredictor
from triptych.inference.similar import siamese_of
from triptych.inference.step import OnnxStep, TorchStep
from triptych.inference.streaming import StreamingPredictor

__all__ = [
    "NOBODY",
    "AbstractPredictor",
    "AbstractView",
    "Artifact",
    "Card",
    "Combiner",
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
    "known_windows",
    "load_artifact",
    "load_consensus",
    "open_any_artifact",
    "record_consensus_metrics",
    "record_metrics",
    "save_artifact",
    "save_consensus",
    "siamese_of",
]
