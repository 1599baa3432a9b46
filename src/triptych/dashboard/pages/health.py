"""Health of the models: how fast, how sure, how much of one mind, and whether they are still what they were."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from typing import Any, Final

from triptych.dashboard.pages.decisions import agreement
from triptych.dashboard.quantiles import Histogram, histograms, values
from triptych.dashboard.room import Room, instance
from triptych.dashboard.story import Decided

LATENCIES: Final = (
    ("inference", "triptych_inference_seconds", "one call of a model"),
    ("decision", "triptych_decision_seconds", "from a closed candle to its commands"),
    ("order answer", "triptych_order_answer_seconds", "from sending an order to the venue's answer"),
    ("journal", "triptych_journal_append_seconds", "one durable append"),
)
PSI_ALARM: Final = 0.25
"""From here on a stability index is drawn as an alarm; the session's own bound is in its settings."""
FEATURE: Final = re.compile(r"triptych_feature_(.+)_(psi|ks)_ratio")
NEWEST: Final = 300


def twin(room: Room) -> dict[str, Any]:
    """Latencies, confidence, agreement, drift and failures as JSON."""
    desk = room.desk
    samples = desk.state["metrics"] if desk.state else []
    newest = list(desk.story.decisions)[-NEWEST:]
    return {
        "instance": instance(desk), "has_metrics": bool(samples),
        "latency": [row for name, metric, about in LATENCIES for row in _latency(samples, name, metric, about)],
        "confidence": _confidence(samples, newest),
        "agreement": _agreement(newest),
        "drift": _drift(samples), "features": _features(samples),
        "failures": {
            labels.get("model", ""): int(count or 0)
            for labels, count in values(samples, "triptych_model_failures_total")
        },
        "models": [] if desk.state is None else desk.state["models"],
        "on_duty": None if desk.state is None else desk.state["on_duty"],
        "said": _said(newest), "decisions": len(newest),
        "data_age": [
            {"symbol": labels.get("symbol", ""), "seconds": age}
            for labels, age in values(samples, "triptych_data_age_seconds")
        ],
        "fallbacks": [
            {"time_ms": one.time_ms, "words": one.words}
            for one in reversed(desk.story.told)
            if one.topic == "fallback"
        ][:20],
        "repairs": {
            "candles": sum(int(v or 0) for _, v in values(samples, "triptych_gap_repairs_total")),
            "books": sum(int(v or 0) for _, v in values(samples, "triptych_book_resyncs_total")),
        },
        "gpu": next((v for _, v in values(samples, "triptych_gpu_use_ratio") if v), None),
    }  # fmt: skip


def _latency(samples: list[dict[str, Any]], name: str, metric: str, about: str) -> Iterator[dict[str, Any]]:
    for found in histograms(samples, metric):
        if found.total:
            yield {
                "what": name, "about": about, "of": " ".join(found.labels.values()), "count": int(found.total),
                "p50": found.quantile(0.50), "p95": found.quantile(0.95), "p99": found.quantile(0.99),
            }  # fmt: skip


def _confidence(samples: list[dict[str, Any]], newest: list[Decided]) -> list[dict[str, Any]]:
    """Shares of decisions by the largest probability, a model each: measured, else counted from the journal."""
    found = histograms(samples, "triptych_confidence_ratio")
    if found:
        return [
            {"model": one.labels.get("model", ""), "symbol": one.labels.get("symbol", ""), "count": int(one.total),
             "shares": one.shares()}
            for one in found
            if one.total
        ]  # fmt: skip
    bounds = (0.34, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
    rows = []
    for model, symbol in dict.fromkeys((p.model, p.symbol) for one in newest if (p := one.prediction)):
        largest = [
            max(p.probability_sell, p.probability_hold, p.probability_buy)
            for one in newest
            if (p := one.prediction) and (p.model, p.symbol) == (model, symbol) and p.is_usable
        ]
        counted = Histogram(
            labels={}, bounds=(*bounds, float("inf")),
            counts=(*(float(sum(v <= b for v in largest)) for b in bounds), float(len(largest))),
        )  # fmt: skip
        rows.append({"model": model, "symbol": symbol, "count": len(largest), "shares": counted.shares()})
    return rows


def _agreement(newest: list[Decided]) -> dict[str, Any] | None:
    """Over the decisions of a consensus: how often its members said what it said, together and each."""
    shares = [(one, share) for one in newest if (share := agreement(one)) is not None]
    if not shares:
        return None
    members: dict[str, list[bool]] = {}
    for one, _ in shares:
        assert one.prediction is not None
        joint = _likeliest(one.prediction)
        for vote in one.prediction.votes:
            members.setdefault(vote.model, []).append(_likeliest(vote) == joint)
    return {
        "mean": statistics.fmean(share for _, share in shares), "decisions": len(shares),
        "unanimous": statistics.fmean(share == 1.0 for _, share in shares),
        "members": {name: statistics.fmean(said) for name, said in members.items()},
        "series": [[one.close_ms, share] for one, share in shares],
    }  # fmt: skip


def _likeliest(one: Any) -> int:
    said = (one.probability_sell, one.probability_hold, one.probability_buy)
    return max(range(3), key=said.__getitem__)


def _said(newest: list[Decided]) -> dict[str, float]:
    """Mean probability of each class."""
    usable = [one.prediction for one in newest if one.prediction and one.prediction.is_usable]
    if not usable:
        return {}
    return {
        "sell": statistics.fmean(one.probability_sell for one in usable),
        "hold": statistics.fmean(one.probability_hold for one in usable),
        "buy": statistics.fmean(one.probability_buy for one in usable),
    }


def _drift(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for name, metric in (
        ("psi", "triptych_drift_psi_ratio"), ("ks", "triptych_drift_ks_ratio"), ("changes", "triptych_drifts_total"),
    ):  # fmt: skip
        for labels, value in values(samples, metric):
            key = labels.get("symbol", ""), labels.get("model", "")
            rows.setdefault(key, {"symbol": key[0], "model": key[1], "psi": None, "ks": None, "changes": 0})
            rows[key][name] = value if name != "changes" else int(value or 0)
    return [{**row, "alarm": (row["psi"] or 0.0) >= PSI_ALARM or row["changes"] > 0} for row in rows.values()]


def _features(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the models see, each feature against its reference: those that moved farthest first."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for sample in samples:
        named = FEATURE.fullmatch(sample["name"])
        if named is None:
            continue
        feature, distance = named.groups()
        key = sample["labels"].get("symbol", ""), sample["labels"].get("model", ""), feature
        row = {"symbol": key[0], "model": key[1], "feature": feature, "psi": None, "ks": None}
        rows.setdefault(key, row)[distance] = sample["value"]
    found = [{**row, "alarm": (row["psi"] or 0.0) >= PSI_ALARM} for row in rows.values()]
    return sorted(found, key=lambda row: -(row["psi"] or 0.0))
