"""The JSON twin of a report: the same content for machines, equal byte for byte when a recipe is run twice."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from triptych.backtest.monthly import monthly_returns
from triptych.backtest.report.data import ReportData, SampleImage

DIGITS = 10
"""Significant digits that are kept: the last ones of a float64 may differ between machines."""


def report_json(report: ReportData) -> dict[str, Any]:
    """The report as plain data with sorted keys.

    Floats are rounded to ten significant digits, what is not a number becomes None, frames and images are given by
    their size and a digest. Only `environment` may hold wall-clock times and paths: leave it out to compare two runs.
    """
    months = None if report.equity is None else monthly_returns(report.equity, report.initial_capital).to_dicts()
    content = {
        "title": report.title,
        "description": report.description,
        "verdict": report.verdict,
        "performance": report.performance,
        "luck": report.luck,
        "initial_capital": report.initial_capital,
        "monthly_returns": months,
        "equity": _frame(report.equity),
        "trades": _frame(report.trades),
        "candles": {symbol: _frame(frame) for symbol, frame in report.candles.items()},
        "boundaries": report.boundaries,
        "evaluation": report.evaluation,
        **({"consensus": report.consensus} if report.consensus else {}),
        "training_curves": report.training_curves,
        "samples": [_sample(sample) for sample in report.samples],
        **({"explanations": [_sample(one) for one in report.explanations]} if report.explanations else {}),
        **({"explained_votes": report.explained_votes} if report.explained_votes else {}),
        "data_quality": report.data_quality,
        "leak_probe": report.leak_probe,
        "recipe": report.recipe,
        "provenance": report.provenance,
        "environment": report.environment,
        "absent": report.absent,
    }
    plain: dict[str, Any] = _plain(content)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def _frame(frame: pl.DataFrame | None) -> dict[str, Any] | None:
    if frame is None:
        return None
    digest = hashlib.sha256()
    for name in frame.columns:
        column = frame[name]
        digest.update(f"{name}|{column.dtype}".encode())
        if column.dtype.is_float():
            text = [None if value is None else f"{value:.{DIGITS}g}" for value in column]
        else:
            text = column.cast(pl.String).to_list()
        digest.update("\n".join("" if item is None else item for item in text).encode())
    return {"rows": frame.height, "sha256": digest.hexdigest()}


def _sample(sample: SampleImage) -> dict[str, Any]:
    # eight bits a pixel: what is seen on the page, free of the last bits of a float
    pixels = np.asarray(sample.image)
    if pixels.dtype != np.uint8:
        pixels = np.round(np.clip(np.nan_to_num(pixels.astype(np.float64)), 0, 1) * 255).astype(np.uint8)
    return {
        "shape": list(pixels.shape),
        "sha256": hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest(),
        "label": sample.label,
        "prediction": sample.prediction,
        "probability": sample.probability,
        "caption": sample.caption,
    }
