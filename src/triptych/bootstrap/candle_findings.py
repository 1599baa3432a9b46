"""Candle patterns of a history by TA-Lib's rules, or by a trained network with probability and quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from triptych.domain import CandleSeries, utc
from triptych.domain.errors import ArtifactError
from triptych.features.candle_labels import CANDLE_LABELS, candle_labels, label_quality
from triptych.inference.pattern_predictor import PatternPredictor, open_patterns

BEFORE = 64
"""Candles before the shown ones that rules are given: more than TA-Lib looks back on."""


def candle_findings(
    series: CandleSeries, *, last: int = 0, model: Path | None = None, every: bool = False
) -> list[dict[str, Any]]:
    """The candle patterns that end with the last candles, as JSON-ready rows: the close at which each was known, UTC.

    Args:
        series: the history.
        last: candles that are shown; 0 shows all.
        model: folder of a network of candle patterns; None asks TA-Lib, whose patterns have the probability 1.
        every: also the classes that the network had too few examples of, whose thresholds are guesses.

    Raises ArtifactError for a network of another kind, NotEnoughData for a history shorter than its window.
    """
    shown = min(last or len(series), len(series))
    if model is None:
        known = series.between(max(0, len(series) - shown - BEFORE), len(series))
        where = (known.values, known.open_time_ms, known.timeframe.milliseconds)
        stands = candle_labels(*where)
        probability, quality, labels = stands.astype(np.float64), label_quality(*where), CANDLE_LABELS
    else:
        network = _network_in(model)
        known = series.between(max(0, len(series) - shown - network.length + 1), len(series))
        answers = network.over(known.values).astype(np.float64)
        probability, quality, labels = answers[..., 0], answers[..., 1], network.labels
        stands = probability >= np.array(network.card.threshold)
        if not every:
            stands &= np.isin(labels, network.card.learnt)
    closes = known.close_time_ms[len(known) - len(stands) :]
    first = max(0, len(stands) - shown)
    return [
        {
            "known_at": utc(int(closes[row])),
            "pattern": labels[label],
            "probability": round(float(probability[row, label]), 4),
            "quality": round(float(quality[row, label]), 4),
        }
        for row, label in zip(*np.nonzero(stands), strict=True)
        if row >= first
    ]


def left_out(model: Path) -> int:
    """How many classes a network names that it had too few examples of. Raises as `candle_findings`."""
    card = _network_in(model).card
    return len(set(card.labels) - set(card.learnt))


def _network_in(folder: Path) -> PatternPredictor:
    network = open_patterns(folder)
    if network.card.kind != "candle_patterns":
        raise ArtifactError(
            f"{folder} holds no network of candle patterns.",
            remedy="Train one with `triptych patterns train-candles`.",
        )
    return network
