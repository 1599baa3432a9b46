"""No peeking, for explanations of a model that reads and tells all there is, and for the heat of the dashboard.

`test_no_peeking_in_views.py` asks runs of one kind each; here one run reads factors and networks of patterns candle by
candle, tells figures and regimes beside the class, and is guarded. What explains it is asked for a decision on the
whole history and on one that ends there; so is the dashboard, with more candles than it should look at.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from tests.fakes.micro import micro_recipe
from tests.fakes.pattern_networks import candle_folder, chart_folder

from triptych import bootstrap
from triptych.bootstrap import create_detector
from triptych.bootstrap.explaining import explain_decision, methods_of
from triptych.dashboard import pictures
from triptych.dashboard.heat import explained_heat
from triptych.dashboard.pictures import Pictures
from triptych.domain import utc
from triptych.features.channels import market_channels
from triptych.inference import load_artifact
from triptych.inference.anomaly.saving import save_detector
from triptych.inference.explain import METHODS
from triptych.market.synthetic import synthesise

BACK = 40
"""Candles of the history behind the decision that is explained."""


def recipe_of_everything(home):
    """A recipe whose one network reads and tells all that may stand beside candles and class."""
    sizes = ("data.synthetic.n_candles=700", "training.epochs=1")
    (series,) = synthesise(micro_recipe(home, *sizes).data.synthetic).series
    made = market_channels([series.head(420)])
    detector = create_detector("pca", contamination=0.05)
    times = [utc(int(one)) for one in made.close_time_ms]
    detector.fit(pl.DataFrame(made.values, schema=list(made.columns)), time=times)
    save_detector(home / "detector", detector)
    networks = [str(chart_folder()), str(candle_folder())]
    return micro_recipe(
        home, *sizes, 'features.names=["return_1", "rsi_14"]', "features.window=20",
        f"features.pattern_networks.folders={networks}",
        "features.pattern_networks.labels=['double_top', 'doji_up']",
        "encoding.name=sequence", "encoding.factors=6", "model.name=gru", "model.width=0.1", "model.depth=0.5",
        'training.tasks.names=["size", "volatility"]', "regimes.use=true", "regimes.memory=60",
        f"guard.detector={home / 'detector'}", "guard.policy=flatten",
    )  # fmt: skip


@pytest.fixture(scope="module", params=["an image", "everything"])
def asked(request, tmp_path_factory, trained):
    """A run, its candles, and the same that end at a decision."""
    if request.param == "an image":
        run = bootstrap.open_run(trained)
    else:
        home = tmp_path_factory.mktemp("everything")
        run = bootstrap.train(recipe_of_everything(home), folder=home / "run", progress_bar=False)
    whole = bootstrap.load_candles(run.recipe)
    (series,) = whole.series
    end = len(series) - BACK
    cut = replace(whole, series=(series.head(end + 1),))
    return SimpleNamespace(
        kind=request.param, run=run, whole=whole, cut=cut, close_ms=int(series.close_time_ms[end]), series=series
    )


def test_no_explanation_reads_a_later_candle(asked):
    methods = methods_of(load_artifact(asked.run.artifact))
    assert set(methods) == (set(METHODS) if asked.kind == "an image" else {"integrated_gradients", "occlusion"})
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
