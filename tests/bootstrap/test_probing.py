"""The probe of a recipe: honest recipes pass, planted leaks are caught."""

import numpy as np
import pytest
import torch
from tests.fakes.micro import micro_recipe

from triptych.bootstrap import probing
from triptych.bootstrap.building import build_encoding
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.probing import BEYOND, ROWS, SteadyPredictor, leak_probe, opinionated, probes_of
from triptych.domain import Signal
from triptych.domain.errors import NotEnoughData
from triptych.features import targets
from triptych.images import AbstractEncoding
from triptych.inference import AbstractPredictor
from triptych.strategies import AbstractStrategy


def recipe(tmp_path, *overrides):
    return micro_recipe(tmp_path, "data.synthetic.n_candles=600", *overrides)


def failing(found) -> list[str]:
    return [row["name"] for row in found["results"] if not row["passed"]]


def test_an_honest_recipe_passes_and_every_probe_compares_something(tmp_path):
    found = leak_probe(recipe(tmp_path, "data.synthetic.instruments=2"), cuts=3)
    assert found["passed"]
    assert found["sentence"] == "No peeking found: 10 probes agree at 3 cuts of each history."
    names = ["image (gasf)", "prediction", "decision and equity", "label (direction)", "label thresholds"]
    assert [(row["instrument"], row["name"]) for row in found["results"]] == [
        (symbol, name) for symbol in ("ALFA-USDT", "BRAVO-USDT") for name in names
    ]
    assert {row["compared"] for row in found["results"] if "label" not in row["name"]} == {3 * ROWS}
    assert all(row["compared"] >= 3 * ROWS for row in found["results"])


@pytest.mark.parametrize("horizon", [23, 24, 60])
def test_labels_with_a_far_horizon_are_compared_too(tmp_path, horizon):
    """They settle later than the rows before a cut that are enough for everything else."""
    found = leak_probe(recipe(tmp_path, f"target.horizon={horizon}"), cuts=2)
    assert found["passed"]
    label = next(row for row in found["results"] if row["name"].startswith("label ("))
    assert label["compared"] == 2 * ROWS


def test_the_decisions_that_are_probed_are_not_all_the_same(tmp_path):
    """A probe of a strategy that never trades would prove nothing."""
    one = recipe(tmp_path)
    (series,) = load_candles(one).series
    predictor = probing.TorchPredictor(opinionated(one, series), length=16)
    decide = probes_of(one, predictor)[2].compute
    targets_and_equity = decide(series, np.arange(300, 324))
    assert len(np.unique(targets_and_equity[:, 0])) > 1
    assert len(np.unique(targets_and_equity[:, 1])) > 10


def test_the_probed_network_is_the_same_every_time_and_leaves_chance_as_it_was(tmp_path):
    one = recipe(tmp_path, "model.drop_rate=0.5", "model.drop_path_rate=0.5")
    (series,) = load_candles(one).series
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first, second = opinionated(one, series).state_dict(), opinionated(one, series).state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)


class Scaled(AbstractEncoding):
    """Wraps an encoding and scales its images by something they must not know."""

    def __init__(self, inner: AbstractEncoding, scale) -> None:
        super().__init__()
        self.inner, self.scale = inner, scale
        self.length, self.channels, self.height, self.width = inner.length, inner.channels, inner.height, inner.width

    def forward(self, window_BTF):
        return self.inner(window_BTF) * self.scale(window_BTF)


def test_an_encoding_that_scales_by_its_batch_is_caught(tmp_path, monkeypatch):
    def by_the_batch(windows):
        return windows[:, -1, 3][:, None, None, None] / windows.max()

    monkeypatch.setattr(probing, "build_encoding", lambda one: Scaled(build_encoding(one), by_the_batch))
    found = leak_probe(recipe(tmp_path), cuts=3)
    assert failing(found) == ["image (gasf)"]
    assert found["sentence"] == "PEEKING: image (gasf) of ALFA-USDT changed when the future was taken away."


def test_an_encoding_that_remembers_the_highest_price_of_all_is_caught(tmp_path, monkeypatch):
    class Remembering:
        highest = 0.0

        def __call__(self, window):
            self.highest = max(self.highest, float(window.max()))
            return 1.0 / self.highest

    monkeypatch.setattr(probing, "build_encoding", lambda one: Scaled(build_encoding(one), Remembering()))
    assert failing(leak_probe(recipe(tmp_path), cuts=6)) == ["image (gasf)"]


def test_thresholds_that_use_future_volatility_are_caught(tmp_path, monkeypatch):
    honest = targets.thresholds

    def peeking(series, config):
        return tuple(np.roll(limit, -3) for limit in honest(series, config))  # the volatility three candles later

    monkeypatch.setattr(targets, "thresholds", peeking)
    monkeypatch.setattr(probing, "thresholds", peeking)
    assert "label thresholds" in failing(leak_probe(recipe(tmp_path), cuts=3))


def test_labels_scaled_by_the_volatility_of_all_history_are_caught(tmp_path, monkeypatch):
    honest = targets.label

    def peeking(recipe, series):
        scale = float(np.std(np.diff(np.log(series.close)))) * 3
        return honest(series, recipe.target.model_copy(update={"threshold": "fixed", "up": scale, "down": scale}))

    monkeypatch.setattr(probing, "labels_of", peeking)
    assert failing(leak_probe(recipe(tmp_path), cuts=12)) == ["label (direction)"]


class Ahead(AbstractPredictor):
    """Answers each window of a batch with what an honest predictor says of the next one."""

    def __init__(self, inner):
        self.inner, self.length, self.name = inner, inner.length, inner.name

    def probabilities(self, windows):
        return self.inner.probabilities(np.concatenate([windows[1:], windows[-1:]]))


def test_a_predictor_that_looks_one_candle_ahead_is_caught(tmp_path, monkeypatch):
    honest = probing.TorchPredictor
    monkeypatch.setattr(probing, "TorchPredictor", lambda *a, **o: Ahead(honest(*a, **o)))
    found = leak_probe(recipe(tmp_path), cuts=6)
    assert "prediction" in failing(found)
    assert "decision and equity" in failing(found)
    row = next(row for row in found["results"] if row["name"] == "prediction")
    assert row["differing"] == len(found["cuts"])  # the last candle before each cut, and only that


class Hidden(AbstractStrategy):
    """Remembers the surest prediction it has ever seen, whatever history it saw it in."""

    surest = 0.0

    def decide(self, prediction, current_target):
        self.surest = max(self.surest, prediction.probability_buy)
        target = 1.0 if prediction.probability_buy >= self.surest else 0.0
        return Signal(symbol=prediction.symbol, time_ms=prediction.time_ms, target=target, reason="hidden")


def test_a_strategy_with_hidden_state_is_caught(tmp_path, monkeypatch):
    hidden = Hidden()
    monkeypatch.setattr(probing, "create_strategy", lambda *_: hidden)
    assert failing(leak_probe(recipe(tmp_path), cuts=6)) == ["decision and equity"]


def test_of_many_instruments_some_may_be_chosen_evenly(tmp_path):
    found = leak_probe(recipe(tmp_path, "data.synthetic.instruments=5"), cuts=1, instruments=3)
    assert list(dict.fromkeys(row["instrument"] for row in found["results"])) == [
        "ALFA-USDT", "CHARLIE-USDT", "ECHO-USDT",
    ]  # fmt: skip
    assert found["passed"]


def test_what_has_no_values_at_all_is_not_called_peeking(tmp_path, monkeypatch):
    monkeypatch.setattr(
        probing,
        "labels_of",
        lambda recipe, series: targets.label(series, recipe.target.model_copy(update={"horizon": 100_000})),
    )
    found = leak_probe(recipe(tmp_path), cuts=2)
    assert not found["passed"]
    assert found["sentence"] == (
        "Nothing could be compared of label (direction) of ALFA-USDT: there are no values to look at."
    )


def test_a_history_too_short_to_cut_is_refused(tmp_path):
    with pytest.raises(NotEnoughData, match=r"^The leak probe needs more than 126 candles to cut, was given 120\."):
        leak_probe(micro_recipe(tmp_path, "data.synthetic.n_candles=120"))


class Counting(AbstractPredictor):
    """Notes the size of every batch."""

    length, name = 2, "counting"

    def __init__(self):
        self.sizes = []

    def probabilities(self, windows):
        self.sizes.append(len(windows))
        return np.repeat(windows[:, -1, :1], 3, axis=1).astype(np.float32)


def test_a_steady_predictor_asks_in_batches_of_one_size_and_answers_in_order():
    inner = Counting()
    steady = SteadyPredictor(inner, size=4)
    windows = np.arange(10.0)[:, None, None] * np.ones((1, 2, 5))
    np.testing.assert_array_equal(steady.probabilities(windows)[:, 0], np.arange(10))
    assert inner.sizes == [4, 4, 4]
    assert steady.probabilities(windows[:0]).shape == (0, 3)


def test_the_uncut_side_sees_as_far_beyond_the_cut_as_is_said(tmp_path):
    one = recipe(tmp_path)
    (series,) = load_candles(one).series
    inner = Counting()
    inner.length = 16
    at = np.arange(300, 300 + ROWS)
    predict = probes_of(one, inner)[1].compute
    assert len(predict(series, at)) == len(predict(series.head(at[-1] + 1), at)) == ROWS
    assert inner.sizes == [ROWS + BEYOND] * 2


def test_the_report_of_the_probe_holds_cuts_in_order(tmp_path):
    found = leak_probe(recipe(tmp_path, "data.synthetic.instruments=2"), cuts=3)
    assert found["cuts"] == sorted(set(found["cuts"]))
    assert 3 <= len(found["cuts"]) <= 12
