"""Window -> encoding -> network -> prediction; saved artifacts."""

from triptych.inference.artifact import Artifact, load_artifact, record_metrics, save_artifact
from triptych.inference.base import AbstractPredictor
from triptych.inference.card import Card
from triptych.inference.classifier import WindowClassifier
from triptych.inference.predictor import OnnxPredictor, TorchPredictor

__all__ = [
    "AbstractPredictor",
    "Artifact",
    "Card",
    "OnnxPredictor",
    "TorchPredictor",
    "WindowClassifier",
    "load_artifact",
    "record_metrics",
    "save_artifact",
]
