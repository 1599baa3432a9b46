"""No peeking, for everything registered: on history cut short every value at the cut is what it was.

Runs over all encodings and all kinds of target, sizing and protection: a new one is tested without an edit here.
"""

import itertools
import typing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.candles import make_series
from tests.fakes.micro import micro_recipe

from triptych.bootstrap.probing import leak_probe
from triptych.domain import Timeframe
from triptych.images import available
from triptych.market import resample
from triptych.trading import execution, sizing
from triptych.training import targets


def choices(config, field: str) -> tuple[str, ...]:
    """All values that a `Literal` field of a Config may take."""
    return typing.get_args(config.model_fields[field].annotation)


def probed(tmp_path, *overrides: str, cuts: int = 3) -> dict:
    found = leak_probe(
        micro_recipe(tmp_path, "data.synthetic.n_candles=500", "target.horizon=6", *overrides), cuts=cuts
    )
    assert all(row["compared"] > 0 for row in found["results"])
    return found


@pytest.mark.parametrize("name", available())
def test_no_encoding_peeks(tmp_path, name):
    assert probed(tmp_path, f"encoding.name={name}")["passed"]


TARGETS = list(
    itertools.product(
        choices(targets.Config, "kind"), choices(targets.Config, "threshold"), choices(targets.Config, "volatility")
    )
)


@pytest.mark.parametrize(("kind", "threshold", "volatility"), TARGETS)
def test_no_target_peeks_beyond_its_horizon(tmp_path, kind, threshold, volatility):
    found = probed(
        tmp_path, f"target.kind={kind}", f"target.threshold={threshold}", f"target.volatility={volatility}",
        "target.vertical=sign",
    )  # fmt: skip
    assert found["passed"]


TRADING = list(
    itertools.product(
        choices(sizing.Config, "method"),
        choices(execution.Config, "protection_unit"),
        choices(execution.Config, "entry"),
        choices(execution.Config, "after_exit"),
    )
)


@pytest.mark.parametrize(("method", "unit", "entry", "after_exit"), TRADING)
def test_no_decision_size_stop_or_fill_peeks(tmp_path, method, unit, entry, after_exit):
    distance = {"percent": (0.4, 0.6), "atr": (1.5, 2.5)}[unit]
    found = probed(
        tmp_path, f"sizing.method={method}", f"execution.protection_unit={unit}", f"execution.entry={entry}",
        f"execution.after_exit={after_exit}", f"execution.stop_loss={distance[0]}",
        f"execution.take_profit={distance[1]}", "costs.impact=0.1", "costs.funding_rate=0.0001",
        "risk.max_daily_loss=0.05", "risk.max_drawdown=0.1", "sizing.half_life=8",
    )  # fmt: skip
    assert found["passed"]


@given(n=st.integers(1, 80), cut=st.integers(1, 80), factor=st.sampled_from([2, 3, 4, 16]), gap=st.integers(0, 9))
@settings(max_examples=80, deadline=None)
def test_resampled_candles_do_not_change_when_more_history_arrives(n, cut, factor, gap):
    minute = 60_000
    times = 15 * minute * (np.arange(n) + np.where(np.arange(n) > n // 2, gap, 0))
    series = make_series(times, seed=n)
    coarse = Timeframe(factor * 15 * minute)
    whole, short = resample(series, coarse), resample(series.head(min(cut, n)), coarse)
    known = len(short)
    np.testing.assert_array_equal(short.open_time_ms, whole.open_time_ms[:known])
    np.testing.assert_array_equal(short.values, whole.values[:known])
    if known:
        assert short.close_time_ms[-1] <= series.head(min(cut, n)).close_time_ms[-1]
