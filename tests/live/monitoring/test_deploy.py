import json
import re
from pathlib import Path

import pytest

from triptych.live.failover import Outcome
from triptych.live.monitoring import Metrics
from triptych.live.observing import measure

DEPLOY = Path(__file__).parents[3] / "deploy"


def measured():
    return {
        f"{family.name}_total" if family.type == "counter" else family.name for family in Metrics().registry.collect()
    }


FEATURES = re.compile(r'\{__name__=~\\?"(triptych_feature_[^"\\]+)\\?"\}')
"""Metrics of features bear the feature in their name, so they are asked for by a pattern."""


def named(text):
    text = FEATURES.sub("", text)
    found = set(re.findall(r"triptych_[a-z_]+", text))
    return {name.removesuffix("_bucket") for name in found}


def test_the_dashboard_shows_what_is_measured_and_nothing_else():
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    expressions = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    assert named(expressions) == measured()
    metrics = Metrics()
    metrics.feature("RSI(14)")
    names = {f.name for f in metrics.registry.collect() if f.name.startswith("triptych_feature_")}
    assert names == {"triptych_feature_rsi_14_psi_ratio", "triptych_feature_rsi_14_ks_ratio"}
    shown = FEATURES.findall(expressions)
    assert {name for name in names for pattern in shown if re.fullmatch(pattern, name)} == names
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_everything_that_is_wanted_is_measured():
    wanted = {
        "inference latency": "triptych_inference_seconds", "confidence distribution": "triptych_confidence_ratio",
        "agreement": "triptych_agreement_ratio", "drift by ADWIN": "triptych_drifts_total",
        "drift by PSI": "triptych_drift_psi_ratio", "drift by KS": "triptych_drift_ks_ratio",
        "GPU use": "triptych_gpu_use_ratio", "data staleness": "triptych_data_age_seconds",
        "gap repairs": "triptych_gap_repairs_total", "book resyncs": "triptych_book_resyncs_total",
        "reconciliation differences": "triptych_reconciliation_differences_total",
        "unknown orders": "triptych_unknown_orders", "journal lag": "triptych_journal_append_seconds",
        "clock offset": "triptych_clock_offset_seconds", "fallback level": "triptych_fallback_level",
        "unprotected seconds": "triptych_unprotected_seconds_total",
    }  # fmt: skip
    assert set(wanted.values()) <= measured()


def test_the_alert_rules_ask_for_what_is_measured():
    text = (DEPLOY / "prometheus-alerts.yml").read_text()
    rules = re.findall(r"expr: (.*)", text)
    assert len(rules) >= 10
    assert named(" ".join(rules)) <= measured()


@pytest.mark.parametrize("candle_s", [60, 900, 3600, 14_400])
def test_the_alert_of_a_slow_journal_fires_whatever_the_length_of_the_candles(candle_s):
    """By Prometheus' own rules: an increase needs two samples that differ, and `for` must last through every look."""
    text = (DEPLOY / "prometheus-alerts.yml").read_text()
    rule = text[text.index("TriptychSlowJournal") :].split("- alert:")[0]
    (window,) = re.findall(r"_bucket\[(\d+)([mh])\]", rule)
    window_s = int(window[0]) * {"m": 60, "h": 3600}[window[1]]
    lasts = re.findall(r"for: (\d+)m", rule)
    lasts_s = 60 * int(lasts[0]) if lasts else 0
    since, fires = None, False
    for now in range(86_400, 2 * 86_400, 15):
        writes = now // candle_s - (now - window_s + 15) // candle_s
        since = None if not writes else now if since is None else since
        fires |= since is not None and now - since >= lasts_s
    assert fires


def fires_of_fallback(levels, candle_s):
    """Seconds at which the alert of a fallback fires, by Prometheus' own rules, when decisions were taken so."""
    text = (DEPLOY / "prometheus-alerts.yml").read_text()
    rule = text[text.index("TriptychFallback") :].split("- alert:")[0]
    ((name, least),) = re.findall(r"expr: (triptych_[a-z_]+) >= (\d+)", rule)
    (lasts,) = re.findall(r"for: (\d+)m", rule)
    metrics, since, fires = Metrics(), None, []
    for now in range(0, len(levels) * candle_s, 15):
        if now % candle_s == 0:
            outcome = Outcome(predictions={}, level=levels[now // candle_s], name="", failures={}, seconds={})
            measure(metrics, outcome)
        is_so = metrics.registry.get_sample_value(name) >= int(least)
        since = (now if since is None else since) if is_so else None
        if since is not None and now - since >= 60 * int(lasts):
            fires.append(now)
    return fires


@pytest.mark.parametrize("candle_s", [60, 300, 900, 3600, 86_400])
def test_the_alert_of_a_fallback_fires_when_it_lasts_and_never_for_a_single_late_answer(candle_s):
    assert fires_of_fallback([0, 1, 0, 0, 2, 0, 1, 0], candle_s) == []
    lasting = fires_of_fallback([0, *[1] * 30], candle_s)
    # The second decision of the stand-in, and ten minutes more.
    assert lasting[0] == 2 * candle_s + 600
    # Three in a row are more than ten minutes of candles from 5m on, and the second has lasted as long from 10m on.
    assert bool(fires_of_fallback([*[1] * 3, *[0] * 30], candle_s)) == (candle_s >= 600)
