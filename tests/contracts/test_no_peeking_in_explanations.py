"""No peeking, for what the dashboard shows of a decision: its picture and its heat, and every method that explains it.

`test_no_peeking_in_views.py` asks `triptych explain` of runs of several kinds. Here the dashboard is asked, with more
candles than it should look at.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from triptych import bootstrap
from triptych.bootstrap.explaining import explain_decision, methods_of
from triptych.dashboard import pictures
from triptych.dashboard.heat import explained_heat
from triptych.dashboard.pictures import Pictures
from triptych.domain import utc
from triptych.inference import load_artifact
from triptych.inference.explain import METHODS

BACK = 40
"""Candles of the history behind the decision that is explained."""


@pytest.fixture(scope="module")
def asked(trained):
    """A run, its candles, and the same that end at a decision."""
    run = bootstrap.open_run(trained)
    whole = bootstrap.load_candles(run.recipe)
    (series,) = whole.series
    end = len(series) - BACK
    cut = replace(whole, series=(series.head(end + 1),))
    return SimpleNamespace(run=run, whole=whole, cut=cut, close_ms=int(series.close_time_ms[end]), series=series)


def test_no_explanation_reads_a_later_candle(asked):
    methods = methods_of(load_artifact(asked.run.artifact))
    assert set(methods) == set(METHODS)
    for method in methods:
        whole, known = (
            explain_decision(asked.run, at=utc(asked.close_ms), method=method, candles=one)
            for one in (asked.whole, asked.cut)
        )
        assert np.ptp(whole.explanation.attribution) > 0, method
        assert whole.to_dict() == known.to_dict(), method


def shown(asked, series):
    """The pictures that the dashboard draws of the decision when it holds these candles: plain, and with heat."""
    card = load_artifact(asked.run.artifact).card
    rows = {series.symbol: [(int(t), *v) for t, v in zip(series.open_time_ms, series.values.tolist(), strict=True)]}
    drawn = Pictures([asked.run.folder], heat=explained_heat)
    return [
        drawn.picture(rows, series.symbol, asked.close_ms, model=card.name, member=card.name, class_index=index)
        for index in (None, 0, 2)
    ]


def test_no_picture_and_no_heat_of_the_dashboard_reads_a_later_candle(asked):
    whole, known = shown(asked, asked.series), shown(asked, asked.cut.series[0])
    assert None not in whole
    assert len(set(whole)) == 3
    assert whole == known


def test_a_picture_of_the_newest_candles_is_found(asked, monkeypatch):
    honest = pictures._Past.__init__

    def late(self, candles, timeframe, close_ms):
        honest(
            self, candles, timeframe, max(row[0] for rows in candles.values() for row in rows) + timeframe.milliseconds
        )

    monkeypatch.setattr(pictures._Past, "__init__", late)
    assert shown(asked, asked.series) != shown(asked, asked.cut.series[0])
