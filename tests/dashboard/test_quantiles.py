import pytest
from prometheus_client import CollectorRegistry, Histogram

from triptych.dashboard.quantiles import histograms, values


def measured(*seconds, bounds=(1.0, 2.0, 4.0)):
    registry = CollectorRegistry()
    histogram = Histogram("triptych_x_seconds", "x", ["model"], buckets=bounds, registry=registry)
    for one in seconds:
        histogram.labels(model="eye").observe(one)
    return [
        {"name": sample.name, "labels": sample.labels, "value": sample.value}
        for family in registry.collect()
        for sample in family.samples
    ]


def test_percentiles_lie_within_their_bucket_as_prometheus_has_them():
    (found,) = histograms(measured(0.5, 1.5, 1.6, 3.0), "triptych_x_seconds")
    assert found.labels == {"model": "eye"}
    assert found.total == 4
    assert found.quantile(0.5) == 1.5  # the second of four, half of the way through a bucket of two
    assert found.quantile(0.25) == 1.0
    assert found.quantile(1.0) == 4.0


def test_beyond_the_last_bound_only_the_bound_is_known():
    (found,) = histograms(measured(9.0, 9.0), "triptych_x_seconds")
    assert found.quantile(0.99) == 4.0


def test_without_values_there_is_no_percentile():
    assert histograms(measured(), "triptych_x_seconds") == []


def test_shares_are_those_of_the_buckets_themselves():
    (found,) = histograms(measured(0.5, 1.5, 1.6, 3.0), "triptych_x_seconds")
    assert found.shares() == [(1.0, 0.25), (2.0, 0.5), (4.0, 0.25)]


def test_values_are_found_by_name():
    found = values(measured(0.5), "triptych_x_seconds_count")
    assert found == [({"model": "eye"}, pytest.approx(1.0))]
