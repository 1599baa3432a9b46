"""No peeking, for all that is told of a candle beside a prediction: patterns, labels, regimes, likeness, explanations.

`VIEWS` are functions of a history that say something of every candle; a new one is added by a line. What a whole run
is asked at a time is asked again on a history that ends there.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from tests.contracts.test_no_peeking import FACTORS, beside_a_companion, guilty, probed
from tests.fakes.micro import LIKENESS, REGIME_NETWORK, micro_recipe
from tests.fakes.pattern_networks import candle_folder, chart_folder
from tests.fakes.waves import TINY
from tests.inference.test_regimes import series as stretches

from triptych import bootstrap
from triptych.bootstrap import create_detector
from triptych.bootstrap.candle_books import beside, tape_of
from triptych.bootstrap.explaining import explain_decision
from triptych.bootstrap.explaining_consensus import explain_consensus
from triptych.bootstrap.regimes import rule_labels
from triptych.domain import utc
from triptych.features import Config as FeaturesConfig
from triptych.features import FeaturePipeline, available
from triptych.features.candle_labels import candle_labels, label_quality
from triptych.features.channels import market_channels
from triptych.features.chart_patterns import PAPER_PATTERNS, PATTERNS, find_chart_patterns, find_paper_patterns, outages
from triptych.inference import BookNeed
from triptych.inference.anomaly.market_watch import MarketWatch
from triptych.inference.anomaly.saving import save_detector
from triptych.inference.chart_patterns import find_by_network
from triptych.inference.explain import METHODS
from triptych.inference.pattern_predictor import open_patterns
from triptych.inference.regimes import RegimeFilter, heard_measures
from triptych.inference.switch_model import SwitchModel
from triptych.market.synthetic import Config as SyntheticConfig
from triptych.market.synthetic import synthesise

MEMORY = 60


@pytest.fixture(scope="module")
def history():
    return stretches(1200)


def by_rules(find, names):
    """How good the best of each pattern is that is first known at a candle, and where its box lies."""

    def told(series):
        found = np.zeros((len(series), len(names), 3))
        for one in find(series.values):
            row = found[one.known_at, list(names).index(one.pattern)]
            row[:] = max((one.score, one.start, one.end), tuple(row))
        return found

    return told


def find_between_outages(values):
    """In candles of hours of which some are missing, two holes at one time of day."""
    hours = np.arange(len(values)) + 5 * (np.arange(len(values))[:, None] >= [300, 391, 700, 980]).sum(axis=1)
    return find_chart_patterns(values, after_outage=outages(hours * 3_600_000, 3_600_000))


def factor_rows(series):
    """Every factor of candles there is."""
    names = tuple(name for name in available() if not name.startswith("book"))
    pipeline = FeaturePipeline(FeaturesConfig(names=names, normalisation="none"))
    return pipeline.rows(series.values, series.open_time_ms, series.timeframe.milliseconds)


def by_network(folder):
    """What a saved network of patterns says of every candle."""

    def told(series):
        reader = open_patterns(folder())
        known = reader.over(series.values)
        return np.concatenate((np.full((reader.length - 1, *known.shape[1:]), np.nan), known))

    return told


def detections_by_network(series):
    """The box of the surest of each pattern that a network reports at a candle."""
    found = np.zeros((len(series), len(PATTERNS), 2))
    for one in find_by_network(open_patterns(chart_folder()), series.values):
        found[one.known_at, list(PATTERNS).index(one.pattern)] = one.start, one.end
    return found


FILTER = RegimeFilter.fit([stretches(900, seed=4)])
SWITCHES = replace(SwitchModel.fit([stretches(900, seed=4)]), threshold=0.8)
VIEWS = {
    "chart patterns by rules": by_rules(find_chart_patterns, PATTERNS),
    "chart patterns between outages": by_rules(find_between_outages, PATTERNS),
    "chart patterns of the paper": by_rules(find_paper_patterns, PAPER_PATTERNS),
    "chart patterns by a network": by_network(chart_folder),
    "detections by a network": detections_by_network,
    "candle patterns by a network": by_network(candle_folder),
    "candle labels": lambda s: candle_labels(s.values, s.open_time_ms, s.timeframe.milliseconds),
    "quality of candle labels": lambda s: label_quality(s.values, s.open_time_ms, s.timeframe.milliseconds),
    "factors": factor_rows,
    "regimes by rules": rule_labels,
    "what the filter of regimes hears": heard_measures,
    "regimes filtered": FILTER.probabilities,
    "regimes filtered from the last candles": lambda s: FILTER.recent(s, MEMORY),
    "regimes foretold": lambda s: FILTER.model.predict_next(FILTER.recent(s, MEMORY), 16),
    "kinds of market": lambda s: SWITCHES.probabilities(s, MEMORY),
    "alarms of switches": lambda s: SWITCHES.since(s, np.arange(len(s)), MEMORY),
    "regimes with soft labels beside": lambda s: FILTER.fused(s, soft_labels(s), np.full(5, 0.2)),
}


def soft_labels(series):
    """As a network would give them: probabilities that depend on a candle."""
    size = np.exp(np.stack([np.sin(series.close * (k + 1)) for k in range(5)], axis=1))
    return size / size.sum(axis=1, keepdims=True)


def differing(view, series, cuts=(640, 801, 997)) -> list[int]:
    """The cuts at which the last row is not what it is in the whole history."""
    whole = view(series)
    assert len(whole) == len(series)
    return [cut for cut in cuts if not np.array_equal(view(series.head(cut)), whole[:cut], equal_nan=True)]


@pytest.mark.parametrize("name", VIEWS)
def test_what_is_told_of_a_candle_is_told_whatever_follows(name, history):
    view = VIEWS[name]
    assert np.unique(np.nan_to_num(np.asarray(view(history), dtype=float)).round(6)).size > 1
    assert differing(view, history) == []


def test_a_smoothed_regime_is_found(history):
    def smoothed(series):
        x, first = FILTER.observations(series)
        return np.concatenate((np.full((first, 5), np.nan), FILTER.model.smooth(x)))

    assert differing(smoothed, history) == [640, 801, 997]


def test_a_pattern_that_is_told_where_it_ends_is_found(history):
    def hasty(series):
        found = np.zeros(len(series))
        for one in find_chart_patterns(series.values):
            found[one.end] += one.score
        return found

    assert differing(hasty, history) != []


REGIMES = ("data.synthetic.n_candles=900", "regimes.use=true", f"regimes.memory={MEMORY}", "strategy.enter=0.0",
           "strategy.exit=0.0", "regimes.keep.sideways=0.1", "regimes.keep.bear=0.4")  # fmt: skip


@pytest.mark.parametrize("network", [(), REGIME_NETWORK], ids=["filter", "filter and network"])
def test_no_regime_peeks(tmp_path, network):
    found = probed(tmp_path, *REGIMES, *network, cuts=2)
    assert found["passed"]
    assert {"regimes", "switches"} <= {row["name"] for row in found["results"]}


MEMBERS = ('members=[{name="charts"}, {name="jkx", changes={"encoding.name"="jkx"}}]', "consensus.regime_length=24",
           "consensus.method=vote")  # fmt: skip


def test_no_regime_beside_a_consensus_peeks(tmp_path):
    found = probed(tmp_path, *REGIMES, *MEMBERS, cuts=2)
    assert found["passed"]
    assert {"regimes", "joint decision and equity"} <= {row["name"] for row in found["results"]}


def test_no_weight_by_recent_skill_peeks(tmp_path):
    skill = ("consensus.method=skill", "target.volatility_span=8", "split.kind=walk_forward")
    found = probed(tmp_path, *MEMBERS[:2], *skill, cuts=2)
    assert found["passed"]
    assert {"weights by recent skill", "joint prediction"} <= {row["name"] for row in found["results"]}


@pytest.mark.parametrize("members", [(), MEMBERS], ids=["one model", "a consensus"])
def test_a_filter_that_looks_ahead_is_found_and_so_are_its_decisions(tmp_path, monkeypatch, members):
    honest = RegimeFilter.recent

    def ahead(self, series, memory, beside=None):
        rows = honest(self, series, memory, beside)
        rows[:-20] = rows[20:]
        return rows

    monkeypatch.setattr(RegimeFilter, "recent", ahead)
    found = probed(tmp_path, *REGIMES, *members, cuts=2)
    assert not found["passed"]
    assert guilty(found) == {"regimes", "joint decision and equity" if members else "decision and equity"}


def test_alarms_of_switches_that_look_ahead_are_found_and_so_are_their_decisions(tmp_path, monkeypatch):
    honest = SwitchModel.alarms

    def ahead(self, series, memory):
        alarms = honest(self, series, memory) - 20
        return alarms[alarms >= 0]

    monkeypatch.setattr(SwitchModel, "alarms", ahead)
    found = probed(tmp_path, *REGIMES, "regimes.on_switch.hold=30", cuts=3)
    assert "switches" in guilty(found)
    assert guilty(found) <= {"switches", "decision and equity"}


GUARD = ("guard.policy=flatten", "guard.false_alarms=0.5", "guard.calm=1", "strategy.enter=0.0", "strategy.exit=0.0")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Overrides for a recipe that is guarded by a detector of its market."""
    (series,) = synthesise(SyntheticConfig(seed=2, n_candles=500, instruments=1)).series
    made = market_channels([series])
    detector = create_detector("catch", network=TINY, focus=8, training={"epochs": 1, "num_threads": 1})
    folder = tmp_path_factory.mktemp("guard") / "detector"
    save_detector(folder, detector.fit(pl.DataFrame(made.values, schema=list(made.columns))))
    return (*GUARD, f"guard.detector={folder}")


def test_no_guard_peeks(tmp_path, guarded):
    assert probed(tmp_path, *guarded, cuts=2)["passed"]


def test_no_guard_or_network_that_reads_books_through_a_detector_peeks(tmp_path):
    market = synthesise(SyntheticConfig(seed=2, n_candles=500, instruments=1))
    (series,) = market.series
    booked = beside(series, tape_of(market, series.symbol), BookNeed(levels=5, max_age_ms=5_000))
    made = market_channels([booked], ["spread", "depth_imbalance"])
    detector = create_detector("catch", network=TINY, focus=8, training={"epochs": 1, "num_threads": 1})
    folder = tmp_path / "detector"
    save_detector(folder, detector.fit(pl.DataFrame(made.values, schema=list(made.columns))))
    read = (
        'features.names=["return_1"]', "features.window=20", f"features.detector={folder}", "encoding.name=sequence",
        f"encoding.factors={2 + TINY.width}", "model.name=gru", "model.width=0.1", "model.depth=0.5",
    )  # fmt: skip
    assert probed(tmp_path, *GUARD, f"guard.detector={folder}", *read, cuts=2)["passed"]


def test_a_guard_that_reads_the_next_candles_is_found(tmp_path, guarded, monkeypatch):
    honest = MarketWatch._readings

    def early(self, made, rows):
        found = honest(self, made, rows)
        return [found[min(i + 8, len(found) - 1)] for i in range(len(found))]

    monkeypatch.setattr(MarketWatch, "_readings", early)
    assert guilty(probed(tmp_path, *guarded, cuts=2)) == {"decision and equity"}


RUNS = {
    "candles": ("encoding.name=jkx",),
    "factors of two instruments": beside_a_companion(),
    "longer candles": ("features.period=2",),
    "several members": (
        'members=[{name="charts"}, {name="jkx", changes={"encoding.name"="jkx"}}]',
        "consensus.regime_length=24",
    ),
    "spectra": ("encoding.name=spectrogram", "model.name=lenet5_relu", "model.width=1.0", "model.depth=1.0"),
    "trees": ("boosting.engine=histogram", "boosting.components=4", "boosting.rounds=12", "boosting.leaf_samples=10"),
    "likeness": LIKENESS,
}


@pytest.fixture(scope="module", params=RUNS)
def asked(request, tmp_path_factory):
    """A run, its candles, and the same that end at a time."""
    home = tmp_path_factory.mktemp("asked")
    assert set(FACTORS) < set(RUNS["factors of two instruments"])
    recipe = micro_recipe(home, "data.synthetic.n_candles=600", "training.epochs=1", *RUNS[request.param])
    run = bootstrap.train(recipe, folder=home / "run", progress_bar=False)
    candles = bootstrap.load_candles(run.recipe)
    end = len(candles.series[0]) - 40
    close_ms = int(candles.series[0].close_time_ms[end])

    def until(series):
        return tuple(one.head(int(np.searchsorted(one.close_time_ms, close_ms, side="right"))) for one in series)

    cut = replace(candles, series=until(candles.series), companions=until(candles.companions))
    return SimpleNamespace(kind=request.param, run=run, at=utc(close_ms), whole=candles, cut=cut)


def test_nothing_that_is_told_of_a_decision_peeks(asked, monkeypatch):
    if asked.kind == "several members":
        whole, known = (explain_consensus(asked.run, at=asked.at, candles=one) for one in (asked.whole, asked.cut))
        assert whole.to_dict() == known.to_dict()
        return
    methods = ("occlusion",) if asked.kind in ("likeness", "trees") else METHODS
    for method in methods:
        whole, known = (
            explain_decision(asked.run, at=asked.at, method=method, candles=one) for one in (asked.whole, asked.cut)
        )
        assert np.array_equal(whole.explanation.attribution, known.explanation.attribution), method
        assert whole.to_dict() == known.to_dict(), method
    if asked.kind == "likeness":
        said = []
        for candles in (asked.whole, asked.cut):
            monkeypatch.setitem(bootstrap.similar.__globals__, "candles_of", lambda _run, candles=candles: candles)
            said.append(bootstrap.similar(asked.run, at=asked.at).to_dict())
        assert said[0] == said[1]
