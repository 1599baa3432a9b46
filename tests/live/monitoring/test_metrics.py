import re

from triptych.live.monitoring import Metrics

LABELS = {"symbol", "timeframe", "model", "venue"}
UNITS = ("_seconds", "_ratio", "_total", "_level", "_quote", "_orders", "_decisions", "_ready")


def families():
    return list(Metrics().registry.collect())


def test_names_follow_the_convention_and_labels_are_few():
    for family in families():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert name.startswith("triptych_")
        assert name.endswith(UNITS), name
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_ratio"))
    for attribute in vars(Metrics()).values():
        assert set(getattr(attribute, "_labelnames", ())) <= LABELS


def test_what_is_measured_stands_in_the_text():
    metrics = Metrics()
    metrics.inference.labels(model="big").observe(0.003)
    metrics.gap_repairs.labels(symbol="BTCUSDT", timeframe="15m").inc(2)
    metrics.fallback_level.set(1)
    text = metrics.text().decode()
    assert 'triptych_inference_seconds_bucket{le="0.005",model="big"} 1.0' in text
    assert 'triptych_inference_seconds_bucket{le="0.0025",model="big"} 0.0' in text
    assert 'triptych_gap_repairs_total{symbol="BTCUSDT",timeframe="15m"} 2.0' in text
    assert re.search(r"^triptych_fallback_level 1\.0$", text, re.M)


def test_two_instances_do_not_share_numbers():
    one, other = Metrics(), Metrics()
    one.equity.set(5)
    assert "triptych_equity_quote 0.0" in other.text().decode()


def test_every_counter_stands_at_zero_for_every_instrument_from_the_start():
    metrics = Metrics(gpu_use=lambda: None)
    metrics.begin(["AAA", "BBB"], timeframe="1m", models=["net"])
    value = metrics.registry.get_sample_value
    for symbol in ("AAA", "BBB"):
        for name in ("orders_sent", "orders_denied", "orders_rejected", "fills", "unprotected_seconds"):
            assert value(f"triptych_{name}_total", {"symbol": symbol}) == 0
        assert value("triptych_reconciliation_differences_total", {"symbol": symbol}) == 0
        assert value("triptych_gap_repairs_total", {"symbol": symbol, "timeframe": "1m"}) == 0
    assert value("triptych_model_failures_total", {"model": "net"}) == 0
