import math
from dataclasses import replace

from triptych.training.tuning.config import Budget
from triptych.training.tuning.limits import Measured, least, overruns

MEASURED = Measured(p50_ms=1.234, p99_ms=5.0, memory_mb=2.5, parameters=12_345)


def test_everything_that_is_too_much_is_named_with_its_budget():
    budget = Budget(latency_ms=1.0, memory_mb=2.0, parameters=10_000)
    assert overruns(MEASURED, budget) == [
        "latency p50 1.23 ms, the budget is 1 ms",
        "memory 2.5 MB, the budget is 2 MB",
        "12,345 parameters, the budget is 10,000",
    ]


def test_the_budget_says_which_latency_counts():
    assert overruns(MEASURED, Budget(latency_ms=2.0)) == []
    assert overruns(MEASURED, Budget(latency_ms=2.0, quantile="p99")) == ["latency p99 5 ms, the budget is 2 ms"]


def test_without_a_budget_nothing_is_too_much():
    assert overruns(MEASURED, Budget()) == []


def test_it_survives_json():
    assert Measured.of(MEASURED.to_dict()) == MEASURED


def test_what_was_not_timed_is_no_latency():
    untimed = replace(MEASURED, p50_ms=math.inf, p99_ms=math.inf)
    assert Measured.of(untimed.to_dict()) == untimed
    assert untimed.to_dict()["p50_ms"] is None
    budget = Budget(latency_ms=1.0, parameters=10_000)
    assert overruns(untimed, budget) == ["12,345 parameters, the budget is 10,000"]
    assert least([untimed], budget)[0] == "1.0 ms of latency p50, nothing was worth timing"
    assert least([untimed, MEASURED], budget)[0] == "1.0 ms of latency p50, the smallest measured was 1.23 ms"
