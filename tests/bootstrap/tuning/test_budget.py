import pytest
from tests.fakes.tuning import search_recipe

from triptych import bootstrap
from triptych.bootstrap.tuning import measuring, winner
from triptych.domain.errors import DataError, RecipeError
from triptych.inference.profile import Profile, Timing
from triptych.settings import load_recipe
from triptych.training.tuning.limits import Measured


def searched(recipe, folder, **options):
    return bootstrap.tune(recipe, folder=folder, **{"refits": False, **options})


@pytest.fixture
def known_costs(monkeypatch):
    """Costs that do not depend on the machine: a millisecond for each tenth of the width."""

    def measure_candidate(recipe, config):
        width = recipe.model.width
        return Measured(p50_ms=10 * width, p99_ms=20 * width, memory_mb=width, parameters=int(10_000 * width))

    for module in (measuring, winner):
        monkeypatch.setattr(module, "measure_candidate", measure_candidate)


def test_what_is_beyond_the_budget_is_rejected_before_it_is_trained(known_costs, tmp_path):
    recipe = search_recipe(tmp_path, **{"budget.latency_ms": 6.0, "stages": 1, "cost": "latency", "trials": 6})
    tuned = searched(recipe, tmp_path / "search")
    by_outcome = {}
    for row in tuned.results["leaderboard"]:
        by_outcome.setdefault(row["outcome"], []).append(row)
    assert {row["changes"]["model.width"] for row in by_outcome["judged"]} == {0.5}
    assert {row["changes"]["model.width"] for row in by_outcome["budget"]} <= {0.75, 1.0}
    for row in by_outcome["budget"]:
        assert row["reason"] == f"latency p50 {10 * row['changes']['model.width']:.3g} ms, the budget is 6 ms"
        assert row["fold_mcc"] == []
        assert row["candidate"] is None
    judged = {row["candidate"] for row in by_outcome["judged"] + by_outcome.get("given up", [])}
    folders = (tuned.folder / "candidates").iterdir()
    assert {folder.name for folder in folders if not folder.name.startswith(".")} == judged


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"latency_ms": 2.0}, "2.0 ms of latency p50, the smallest measured was 5 ms"),
        ({"latency_ms": 2.0, "quantile": "p99"}, "2.0 ms of latency p99, the smallest measured was 10 ms"),
        ({"memory_mb": 0.1}, "0.1 MB of memory, the smallest measured was 0.5 MB"),
        ({"parameters": 1000}, "1000 parameters, the smallest measured was 5,000"),
    ],
)
def test_a_budget_that_nothing_can_meet_is_an_error_with_the_smallest_measured(known_costs, tmp_path, budget, words):
    recipe = search_recipe(tmp_path, **{f"budget.{key}": value for key, value in budget.items()}, trials=3)
    with pytest.raises(RecipeError) as caught:
        searched(recipe, tmp_path / "search")
    assert str(caught.value) == (
        f"None of 12 candidates meets the budget: {words}. Raise tune.budget, or let [tune.space] "
        f"reach smaller networks, "
        "shorter windows or smaller images."
    )


def test_a_second_measurement_beyond_the_budget_puts_the_chosen_one_out(known_costs, tmp_path, monkeypatch):
    recipe = search_recipe(tmp_path, **{"budget.latency_ms": 8.0, "stages": 1, "cost": "latency", "trials": 5})
    first = searched(recipe, tmp_path / "search").results

    def slower(candidate, config):
        width = candidate.model.width
        slow = 100.0 if width == chosen_width else 1.0
        return Measured(p50_ms=slow, p99_ms=slow, memory_mb=1.0, parameters=1)

    row = next(one for one in first["leaderboard"] if one["trial"] == first["chosen"])
    chosen_width = row["changes"]["model.width"]
    monkeypatch.setattr(winner, "measure_candidate", slower)
    told = []
    widths = {one["changes"]["model.width"] for one in first["leaderboard"] if one["outcome"] == "judged"}
    if widths == {chosen_width}:
        with pytest.raises(RecipeError):
            searched(recipe, tmp_path / "search", tell=told.append)
    else:
        again = searched(recipe, tmp_path / "search", tell=told.append).results
        assert again["chosen"] not in again["refused"]
        assert first["chosen"] in again["refused"]
    assert any(line.endswith("is out: measured once more, latency p50 100 ms, the budget is 8 ms.") for line in told)


def test_latency_is_that_of_the_other_machine_when_its_profile_is_given(known_costs, tmp_path, monkeypatch):
    def machine(factor):
        networks = {"reference": Timing(p50_ms=factor, p99_ms=factor)}
        return Profile(threads=1, networks=networks, steps=networks)

    from triptych.bootstrap.tuning import search

    monkeypatch.setattr(search, "profile", lambda **_: machine(1.0))
    path = machine(3.0).save(tmp_path / "pc.json")
    recipe = search_recipe(tmp_path, **{"budget.latency_ms": 16.0, "stages": 1, "trials": 4})
    results = searched(recipe, tmp_path / "search", profile_file=path).results
    for row in results["leaderboard"]:
        assert row["measured"]["p50_ms"] == pytest.approx(3 * row["measured_here"]["p50_ms"])
    assert {row["changes"]["model.width"] for row in results["leaderboard"] if row["outcome"] == "judged"} == {0.5}
    assert results["profile"]["threads"] == 1
    with pytest.raises(Exception, match="belongs to another search: profile differs"):
        searched(recipe, tmp_path / "search")


def test_a_profile_of_another_number_of_threads_is_refused_before_anything_is_measured(tmp_path):
    timing = {"reference": Timing(p50_ms=1.0, p99_ms=1.0)}
    path = Profile(threads=2, networks=timing, steps=timing).save(tmp_path / "pc.json")
    with pytest.raises(DataError, match="was made with 2 CPU threads, and the search measures with 1"):
        searched(search_recipe(tmp_path), tmp_path / "search", profile_file=path)
    assert not (tmp_path / "search").exists()


def test_rejected_candidates_are_none_of_the_trials(known_costs, tmp_path):
    recipe = search_recipe(tmp_path, **{"budget.latency_ms": 8.0, "stages": 1, "prune_below": 0.0, "trials": 5})
    outcomes = [row["outcome"] for row in searched(recipe, tmp_path / "search").results["leaderboard"]]
    assert outcomes.count("judged") == 5
    assert outcomes.count("budget") >= 1


def test_the_error_of_a_budget_tells_what_could_not_be_built_apart(known_costs, tmp_path):
    space = {"window.length": {"choices": [8, 16], "grows": False}}
    recipe = search_recipe(tmp_path, trials=3, stages=1)
    space |= recipe.tune.model_dump(mode="json")["space"]
    recipe = search_recipe(tmp_path, trials=3, stages=1, space=space, **{"budget.latency_ms": 2.0})
    with pytest.raises(RecipeError) as caught:
        searched(recipe, tmp_path / "search")
    assert str(caught.value).startswith("None of 12 candidates meets the budget: 2.0 ms of latency p50, ")


def test_impossible_shapes_are_given_up_with_their_reason(tmp_path):
    recipe = search_recipe(tmp_path, trials=4, stages=1)
    space = {"window.length": {"choices": [8, 16], "grows": False}, **recipe.tune.model_dump(mode="json")["space"]}
    recipe = search_recipe(tmp_path, trials=4, stages=1, space=space)
    results = searched(recipe, tmp_path / "search").results
    impossible = [row for row in results["leaderboard"] if row["outcome"] == "impossible"]
    assert {row["changes"]["window.length"] for row in impossible} <= {8}
    for row in impossible:
        assert row["reason"].startswith("lenet5 reads images of at least")


def test_what_seems_too_slow_is_measured_again_before_it_is_rejected(tmp_path, monkeypatch):
    busy = iter([50.0, 40.0])

    def measure_candidate(recipe, config):
        p50_ms = next(busy, 5.0)
        return Measured(p50_ms=p50_ms, p99_ms=2 * p50_ms, memory_mb=1.0, parameters=1)

    for module in (measuring, winner):
        monkeypatch.setattr(module, "measure_candidate", measure_candidate)
    recipe = search_recipe(tmp_path, **{"budget.latency_ms": 8.0, "stages": 1, "trials": 1})
    (row,) = searched(recipe, tmp_path / "search").results["leaderboard"]
    assert (row["outcome"], row["measured"]["p50_ms"]) == ("judged", 5.0)


def test_a_candidate_that_is_too_large_is_not_timed(monkeypatch, tmp_path):
    def never(call):
        raise AssertionError("timed")

    monkeypatch.setattr(measuring, "measure", never)
    recipe = search_recipe(tmp_path, **{"budget.parameters": 10, "budget.latency_ms": 1.0, "trials": 2})
    with pytest.raises(RecipeError) as caught:
        searched(recipe, tmp_path / "search")
    assert "1.0 ms of latency p50, nothing was worth timing; 10 parameters, the smallest measured was " in str(
        caught.value
    )


@pytest.mark.parametrize(("timed", "called"), [("step", ["step"]), ("window", ["window"])])
def test_what_the_search_says_is_what_is_timed(monkeypatch, timed, called):
    found = []
    monkeypatch.setattr(measuring, "step_call", lambda *_, **__: found.append("step") or (lambda: None))
    monkeypatch.setattr(measuring, "prediction_call", lambda *_, **__: found.append("window") or (lambda: None))
    recipe = load_recipe("sequence", ())
    measuring.measure_candidate(recipe, recipe.tune.model_copy(update={"timed": timed}))
    assert found == called


def test_a_draw_without_a_step_is_impossible_where_steps_are_timed():
    recipe = load_recipe("sequence", (), {"model.sequence.pool": "mean"})
    with pytest.raises(RecipeError) as caught:
        measuring.measure_candidate(recipe, recipe.tune.model_copy(update={"timed": "step"}))
    assert str(caught.value) == (
        "It cannot be asked candle by candle, and the latency of a step is searched for. Leave it out of [tune.space], "
        "or set tune.timed to window."
    )
