"""What the model is worth: calibration, metrics with their intervals beside the baselines, training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.backtest.report.figure import Figure, safe
from triptych.backtest.report.words import label

LOWER_IS_BETTER = ("brier", "loss", "error", "ece", "entropy")


def calibration_figure(calibration: Mapping[str, Any]) -> Figure | None:
    """Share of right predictions against confidence, with the number of predictions beneath; None without bins."""
    bins = [one for one in calibration.get("bins", ()) if one.get("count")]
    if not bins:
        return None
    confidence = [float(one["confidence"]) for one in bins]
    middles = [(float(one["low"]) + float(one["high"])) / 2 for one in bins]
    counts = [int(one["count"]) for one in bins]
    low = max(0.0, min(confidence) - 0.08)
    high = min(1.0, max(confidence) + 0.08)
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "name": "Perfectly calibrated", "x": [0, 1], "y": [0, 1],
            "line": {"color": "@muted", "width": 1, "dash": "dash"}, "hoverinfo": "skip",
        },
        {
            "type": "scatter", "mode": "lines+markers", "name": "Model", "x": confidence,
            "y": [float(one["accuracy"]) for one in bins], "customdata": counts,
            "line": {"color": "@strategy", "width": 2}, "marker": {"size": 8},
            "hovertemplate": "said %{x:.0%}, right %{y:.0%} of %{customdata}<extra></extra>",
        },
        {
            "type": "bar", "name": "Predictions", "x": middles, "y": counts, "yaxis": "y2", "showlegend": False,
            "width": [0.92 * (float(one["high"]) - float(one["low"])) for one in bins],
            "marker": {"color": "@strategy/45"}, "hovertemplate": "%{y} predictions<extra></extra>",
        },
    ]  # fmt: skip
    layout = {
        "xaxis": {"anchor": "y2", "title": {"text": "Confidence"}, "range": [low, high], "tickformat": ".0%"},
        "yaxis": {"domain": [0.34, 1.0], "title": {"text": "Right"}, "tickformat": ".0%", "rangemode": "tozero"},
        "yaxis2": {"domain": [0.0, 0.24], "title": {"text": "Count"}},
    }
    note = "On the dashed line the model is right as often as it says. Below it, it is too sure of itself."
    return Figure(label="Calibration", data=data, layout=layout, height=420, note=note)


def metric_figures(evaluation: Mapping[str, Any]) -> list[Figure]:
    """One plot per metric: the model and every baseline with their 95 % intervals."""
    metrics, baselines = evaluation.get("metrics") or {}, evaluation.get("baselines") or {}
    figures = []
    for name, found in metrics.items():
        rows = [("model", found), *((other, values[name]) for other, values in baselines.items() if name in values)]
        rows = [(who, estimate(one)) for who, one in rows if estimate(one)["value"] is not None]
        if not rows:
            continue
        figures.append(_metric_figure(name, rows[::-1]))
    return figures


def training_figure(curves: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Losses by epoch, the learning rate on its own axis; None where no loss was recorded."""
    epochs = [one.get("epoch", index) for index, one in enumerate(curves)]
    data: list[dict[str, Any]] = []
    for key, colour in (("train_loss", "@benchmark"), ("validation_loss", "@strategy")):
        if any(one.get(key) is not None for one in curves):
            data.append(
                {
                    "type": "scatter", "mode": "lines+markers", "name": label(key), "x": epochs,
                    "y": [one.get(key) for one in curves], "line": {"color": colour, "width": 2}, "marker": {"size": 5},
                }
            )  # fmt: skip
    if not data:
        return None
    layout: dict[str, Any] = {
        "hovermode": "x unified",
        "xaxis": {"title": {"text": "Epoch"}, "tickformat": "d"},
        "yaxis": {"title": {"text": "Loss"}},
    }
    if any(one.get("learning_rate") for one in curves):
        data.append(
            {
                "type": "scatter", "mode": "lines", "name": "Learning rate", "x": epochs, "yaxis": "y2",
                "y": [one.get("learning_rate") for one in curves],
                "line": {"color": "@warning", "width": 1.4, "dash": "dot", "shape": "hv"},
            }
        )  # fmt: skip
        layout["yaxis2"] = {
            "overlaying": "y", "side": "right", "type": "log", "showgrid": False, "title": {"text": "Learning rate"},
            "tickformat": ".0e", "nticks": 4,
        }  # fmt: skip
    losses = [one.get("validation_loss") for one in curves]
    known = [(loss, epoch) for loss, epoch in zip(losses, epochs, strict=True) if loss is not None]
    note = f"The lowest validation loss, {min(known)[0]:.4f}, was reached in epoch {min(known)[1]}." if known else ""
    return Figure(label="Training", data=data, layout=layout, height=340, note=note)


def estimate(found: Any) -> dict[str, float | None]:
    """A metric as `value`, `low`, `high`, whether it came as a mapping or as a bare number."""
    if isinstance(found, Mapping):
        return {key: found.get(key) for key in ("value", "low", "high")}
    return {"value": found, "low": None, "high": None}


def lower_is_better(name: str) -> bool:
    """Whether a metric of this name counts errors."""
    return any(part in name.lower() for part in LOWER_IS_BETTER)


def _metric_figure(name: str, rows: list[tuple[str, dict[str, float | None]]]) -> Figure:
    above, below = [], []
    for _, one in rows:
        value = one["value"] or 0.0
        above.append(max(0.0, (value if one["high"] is None else one["high"]) - value))
        below.append(max(0.0, value - (value if one["low"] is None else one["low"])))
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [one["value"] for _, one in rows],
        "y": [safe(label(who)) for who, _ in rows],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": above,
            "arrayminus": below,
            "thickness": 2,
            "width": 6,
            "color": "@muted",
        },
        "marker": {"size": 11, "color": ["@strategy" if who == "model" else "@benchmark" for who, _ in rows]},
        "showlegend": False,
        "hovertemplate": "%{x:.4f}<extra></extra>",
    }
    layout: dict[str, Any] = {"yaxis": {"automargin": True, "type": "category"}, "xaxis": {"zeroline": name == "mcc"}}
    direction = "Lower is better." if lower_is_better(name) else "Higher is better."
    height = 110 + 42 * len(rows)
    return Figure(
        label=label(name), data=[trace], layout=layout, height=height, note=f"With 95 % intervals. {direction}"
    )
