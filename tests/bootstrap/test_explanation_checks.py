from dataclasses import replace

import pytest

from triptych import bootstrap
from triptych.bootstrap import explanation_checks
from triptych.bootstrap.explanation_checks import check_explanations
from triptych.inference.explain import Deletion


@pytest.fixture(scope="module")
def run(trained):
    return bootstrap.open_run(trained)


def test_checks_are_made_of_the_methods_asked_for(run):
    rows = check_explanations(run, decisions=1, methods=("grad_cam", "occlusion"))
    assert [row["method"] for row in rows] == ["grad_cam", "occlusion"]
    for row in rows:
        assert len(row["correlation"]) == 5
        assert row["flat"] == 1 or 0.0 <= row["beaten"] <= 1.0
        assert row["interval"] is None  # of one decision
        assert row["gain_interval"] is None
        assert row["correlation_interval"] == [None] * 5


def test_every_mean_of_several_decisions_has_an_interval_that_holds_it(run):
    (row,) = check_explanations(run, decisions=4, methods=("occlusion",))
    assert row["decisions"] == 4
    least, mean, most = row["certainty"]
    assert 1 / 3 <= least <= mean <= most <= 1.0
    assert row["gain"] == pytest.approx(row["random_area"] - row["area"])
    pairs = [(row["beaten"], row["interval"]), (row["gain"], row["gain_interval"])]
    pairs += list(zip(row["correlation"], row["correlation_interval"], strict=True))
    for value, (low, high) in pairs:
        assert low - 1e-12 <= value <= high + 1e-12


def test_no_two_decisions_that_are_checked_share_a_candle(run, monkeypatch):
    seen, honest = [], explanation_checks.window_at
    nothing = Deletion(curve=(), area=0.0, random_area=0.0, beaten=0.0)
    monkeypatch.setattr(explanation_checks, "cascade", lambda *_, **__: [])  # what takes the time
    monkeypatch.setattr(explanation_checks, "deletion", lambda *_, **__: nothing)

    def noted(recipe, candles, series, end):
        seen.append(end)
        return honest(recipe, candles, series, end)

    monkeypatch.setattr(explanation_checks, "window_at", noted)
    check_explanations(run, decisions=100, methods=("occlusion",))
    apart = [b - a for a, b in zip(sorted(seen), sorted(seen)[1:], strict=False)]
    assert len(seen) > 3
    assert min(apart) >= 16


def test_decisions_without_heat_are_left_out_of_the_check_and_counted(run, monkeypatch):
    honest, asked = explanation_checks.explain, []

    def flat(*arguments, **options):
        asked.append(1)
        found = honest(*arguments, **options)
        return replace(found, attribution=0.0 * found.attribution) if len(asked) != 2 else found

    monkeypatch.setattr(explanation_checks, "explain", flat)
    (row,) = check_explanations(run, decisions=3, methods=("occlusion",))
    assert (row["decisions"], row["flat"]) == (3, 2)
    assert row["area"] is not None
    (row,) = check_explanations(run, decisions=2, methods=("occlusion",))
    assert (row["flat"], row["correlation"], row["area"], row["interval"]) == (2, [None] * 5, None, None)


def test_maps_that_lose_their_heat_when_weights_are_shuffled_are_counted(run, monkeypatch):
    honest = explanation_checks.cascade

    def silenced(*arguments, **options):
        stages = honest(*arguments, **options)
        return [*stages[:3], *(replace(stage, correlation=None) for stage in stages[3:])]

    monkeypatch.setattr(explanation_checks, "cascade", silenced)
    (row,) = check_explanations(run, decisions=2, methods=("occlusion",))
    assert row["shuffled_flat"][3:] == [2, 2]
    assert row["correlation"][3:] == [None, None]
    assert row["correlation_interval"][3:] == [None, None]
