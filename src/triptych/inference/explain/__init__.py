"""Why a network decided as it did: heat on the image, mapped back to candles, prices, factors and frequencies."""

from triptych.inference.explain.axes import AxisImportance
from triptych.inference.explain.cam import layers_of
from triptych.inference.explain.explanation import METHODS, Explanation, Method, explain
from triptych.inference.explain.joint import Contribution, JointAnswer, explain_votes
from triptych.inference.explain.sanity import STAGES, CascadeStage, Deletion, cascade, deletion

__all__ = [
    "METHODS",
    "STAGES",
    "AxisImportance",
    "CascadeStage",
    "Contribution",
    "Deletion",
    "Explanation",
    "JointAnswer",
    "Method",
    "cascade",
    "deletion",
    "explain",
    "explain_votes",
    "layers_of",
]
