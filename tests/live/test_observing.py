import numpy as np
import pytest
from tests.fakes.market import walk

from triptych.domain import Prediction
from triptych.inference.reference import NO_REFERENCE, Reference
from triptych.live.failover import Outcome
from triptych.live.monitoring import Metrics
from triptych.live.monitoring.drift import Config
from triptych.live.observing import Observer, measure


class Portfolio:
    equities, mark, held = 10_000.0, 100.0, 20.0

    def equity(self):
        return self.equities

    def last_mark(self, _symbol):
        return self.mark

    def quantity(self, _symbol):
        return self.held


class Engine:
    symbols = ("AAA",)

    def __init__(self):
        self.portfolio = Portfolio()


def said(buy, reference=NO_REFERENCE, identity="m"):
    """What the ladder has come to: a model has said so."""
    prediction = Prediction(
        symbol="AAA", time_ms=0, probability_sell=0.9 - buy, probability_hold=0.1, probability_buy=buy, model="m"
    )
    return Outcome(
        predictions={"AAA": prediction}, level=0, name="m", failures={}, seconds={}, identity=identity,
        reference=reference,
    )  # fmt: skip


NOTHING = Outcome(predictions={"AAA": None}, level=0, name="m", failures={}, seconds={})


def test_equity_drawdown_exposure_and_confidence_are_measured():
    metrics, engine = Metrics(), Engine()
    observer = Observer(metrics, Config(), lambda *_: None)
    observer.on_decision(engine, said(0.7), ["AAA"])
    engine.portfolio.equities = 9_000.0
    observer.on_decision(engine, NOTHING, ["AAA"])
    text = metrics.text().decode()
    assert "triptych_equity_quote 9000.0" in text
    assert metrics.registry.get_sample_value("triptych_drawdown_ratio") == pytest.approx(0.1)
    assert metrics.registry.get_sample_value("triptych_exposure_ratio", {"symbol": "AAA"}) == pytest.approx(2 / 9)
    labels = {"symbol": "AAA", "model": "m"}
    assert metrics.registry.get_sample_value("triptych_confidence_ratio_sum", labels) == pytest.approx(0.7)
    assert metrics.registry.get_sample_value("triptych_confidence_ratio_count", labels) == 1


def run(rights, confidences):
    """Decisions whose predictions were right or wrong at the next close; returns topics and texts of what was told."""
    notes, engine = [], Engine()
    observer = Observer(Metrics(), Config(window=100), lambda *note: notes.append(note))
    for right, confidence in zip(rights, confidences, strict=True):
        observer.on_decision(engine, said(confidence), ["AAA"])
        engine.portfolio.mark *= 1.001 if right else 0.999
    return notes


def test_a_model_that_stops_being_right_is_told_of_and_a_steady_one_is_not():
    rng = np.random.default_rng(0)
    confidences = rng.uniform(0.5, 0.8, 600)
    assert run(rng.random(600) < 0.6, confidences) == []
    notes = run(np.concatenate([rng.random(300) < 0.9, rng.random(300) < 0.2]), confidences)
    assert {(severity, topic, symbol) for severity, topic, _, symbol in notes} == {("warning", "drift", "AAA")}
    assert all("hits" in text for _, _, text, _ in notes)


def test_another_kind_of_confidence_is_told_of():
    rng = np.random.default_rng(1)
    confidences = np.concatenate([rng.uniform(0.46, 0.6, 300), rng.uniform(0.7, 0.89, 300)])
    notes = run(rng.random(600) < 0.5, confidences)
    assert any("confidence: stability index" in text for _, _, text, _ in notes)


def test_the_drawdown_counts_from_the_peak_of_an_earlier_process():
    metrics = Metrics()
    observer = Observer(metrics, Config(), lambda *_: None)
    observer.restore(12_500.0)
    observer.on_decision(Engine(), said(0.7), ["AAA"])
    assert metrics.registry.get_sample_value("triptych_drawdown_ratio") == pytest.approx(0.2)


def test_a_confidence_is_held_against_what_the_model_said_when_it_was_trained():
    notes, engine = [], Engine()
    reference = Reference(quantiles={"confidence": np.linspace(0.5, 0.6, 101)})
    observer = Observer(Metrics(), Config(window=100), lambda *note: notes.append(note))
    for confidence in np.random.default_rng(5).uniform(0.7, 0.8, 120):
        observer.on_decision(engine, said(confidence, reference), ["AAA"])
    assert any("confidence: stability index" in text for _, _, text, _ in notes)
    assert observer.alarms


def test_a_change_that_adwin_finds_is_told_and_is_an_alarm_while_a_window_lasts():
    notes, engine = [], Engine()
    observer = Observer(Metrics(), Config(window=50), lambda *note: notes.append(note))
    rng = np.random.default_rng(6)
    for confidence in [*rng.uniform(0.5, 0.52, 200), *rng.uniform(0.75, 0.77, 60)]:
        observer.on_decision(engine, said(confidence), ["AAA"])
    assert ("warning", "drift", "m: confidence: its mean has changed (ADWIN)", "AAA") in notes
    assert "confidence of AAA: its mean has changed" in observer.alarms


class Seeing(Engine):
    """An engine with candles, and factors that are drawn."""

    def __init__(self):
        super().__init__()
        self._candles = walk(40, seed=9, symbol="AAA")

    def history(self, symbol, length):
        return self._candles.between(len(self._candles) - length, len(self._candles))


def watch_factors(draws, **config):
    """What is measured and told of a model with two factors that were normal in training."""
    metrics, notes, engine = Metrics(), [], Seeing()
    normal = np.random.default_rng(0).normal(size=2_000)
    reference = {name: np.quantile(normal, np.linspace(0, 1, 101)) for name in ("rsi_14", "ema")}
    rows = iter(draws)
    observer = Observer(metrics, Config(window=100, **config), lambda *note: notes.append(note))
    trained = Reference(
        quantiles=reference, length=20,
        factors=lambda _view, _symbol: {**dict(zip(("rsi_14", "ema"), next(rows), strict=True)), "unknown": 1.0},
    )  # fmt: skip
    for _ in range(len(draws)):
        observer.on_decision(engine, said(0.7, trained), ["AAA"])
    labels = {"symbol": "AAA", "model": "m"}

    def value(name):
        return metrics.registry.get_sample_value(f"triptych_feature_{name}_ratio", labels)

    return value, [text for _, topic, text, _ in notes if topic == "drift"], observer


def test_each_factor_is_held_against_training_by_both_distances():
    rng = np.random.default_rng(4)
    value, told, observer = watch_factors(np.stack([rng.normal(size=120), rng.normal(3, 1, size=120)], axis=1))
    assert value("rsi_14_psi") < 0.25
    assert value("ema_psi") > 1
    assert value("rsi_14_ks") < 0.25
    assert value("ema_ks") > 0.7
    assert value("unknown_psi") is None  # training knows nothing of it
    # Half of them, by the default an alarm: told of once, however often it is looked at.
    (text,) = [one for one in told if "factors" in one]
    assert text.startswith("m: 1 of 2 factors are another population, the farthest ema ")
    assert any("1 of 2 factors" in one for one in observer.alarms)


def test_a_single_factor_that_moved_is_shown_and_no_alarm():
    rng = np.random.default_rng(4)
    draws = np.stack([rng.normal(size=120), rng.normal(3, 1, size=120)], axis=1)
    value, told, observer = watch_factors(draws, factor_share=0.6)
    assert value("ema_psi") > 1
    assert not [one for one in (*told, *observer.alarms) if "factors" in one]


def test_a_model_that_was_not_asked_has_not_failed():
    metrics = Metrics()
    outcome = Outcome(
        predictions={}, level=2, name="none", seconds={"big": 0.5}, unasked=frozenset({"small"}),
        failures={"big": "missed its deadline of 0.5 s", "small": "no time was left for it"},
    )  # fmt: skip
    assert measure(metrics, outcome) == "big: missed its deadline of 0.5 s; small: no time was left for it"
    value = metrics.registry.get_sample_value
    assert value("triptych_model_failures_total", {"model": "big"}) == 1
    assert value("triptych_model_failures_total", {"model": "small"}) is None
    assert value("triptych_inference_seconds_count", {"model": "small"}) is None


def test_each_model_is_held_against_its_own_training():
    """A stand-in, or a new model of the same name, is no drift because it is another one."""
    observer, engine, notes = None, Engine(), []
    observer = Observer(Metrics(), Config(window=100), lambda *note: notes.append(note))
    rng = np.random.default_rng(8)
    sure = Reference(quantiles={"confidence": np.linspace(0.7, 0.8, 101)})
    unsure = Reference(quantiles={"confidence": np.linspace(0.5, 0.6, 101)})
    for _ in range(150):
        observer.on_decision(engine, said(rng.uniform(0.7, 0.8), sure, "old"), ["AAA"])
    for _ in range(150):
        observer.on_decision(engine, said(rng.uniform(0.5, 0.6), unsure, "new"), ["AAA"])
    assert (observer.alarms, notes) == ((), [])
    for _ in range(120):
        observer.on_decision(engine, said(rng.uniform(0.7, 0.8), unsure, "new"), ["AAA"])
    assert any("stability index" in text for text in observer.alarms)


def test_an_alarm_of_a_model_that_is_asked_no_more_lapses_when_a_window_has_passed():
    engine, observer = Engine(), Observer(Metrics(), Config(window=100), lambda *_: None)
    sure = Reference(quantiles={"confidence": np.linspace(0.5, 0.6, 101)})
    for confidence in np.random.default_rng(5).uniform(0.7, 0.8, 120):
        observer.on_decision(engine, said(confidence, sure, "first"), ["AAA"])
    alarms = observer.alarms
    assert any("stability index" in text for text in alarms)
    for _ in range(100):
        observer.on_decision(engine, NOTHING, ["AAA"])
    assert observer.alarms == alarms
    observer.on_decision(engine, NOTHING, ["AAA"])
    assert observer.alarms == ()
