import itertools
import json

import numpy as np
import optuna
import pytest
from sklearn.metrics import matthews_corrcoef
from tests.fakes.tuning import search_recipe

from triptych import bootstrap
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.tuning.luck import return_matrix
from triptych.bootstrap.tuning.page import leaderboard_table
from triptych.bootstrap.tuning.past import Past
from triptych.bootstrap.tuning.results import gather_results, one_class_verdict, outcome_words
from triptych.bootstrap.tuning.scoring import judged_of
from triptych.bootstrap.tuning.study import Place, create_study
from triptych.bootstrap.tuning.worker import Search
from triptych.domain.errors import RecipeError, RunError
from triptych.settings.searching import candidate, longest_reach, search_plan


def searched(recipe, folder, **options):
    return bootstrap.tune(recipe, folder=folder, **{"refits": False, **options})


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return search_recipe(tmp_path_factory.mktemp("recipe"))


@pytest.fixture(scope="module")
def tuned(recipe, tmp_path_factory):
    return bootstrap.tune(recipe, folder=tmp_path_factory.mktemp("runs") / "search")


def test_every_trial_has_its_row_and_its_files(tuned, recipe):
    results = tuned.results
    assert len(results["leaderboard"]) == 5
    assert sum(results["counts"].values()) == 5
    assert results["counts"]["judged"] >= 3
    assert json.loads((tuned.folder / "tuning.json").read_text()) == json.loads(json.dumps(results))
    for row in results["leaderboard"]:
        assert set(row["changes"]) == {"model.width", "training.learning_rate"}
        assert row["measured"]["p50_ms"] > 0
        assert row["measured"]["parameters"] == row["measured_here"]["parameters"]


def test_the_recipe_itself_is_the_first_trial(tuned):
    first = next(row for row in tuned.results["leaderboard"] if row["trial"] == 0)
    assert first["preset"] == "the recipe"
    assert first["changes"] == {"model.width": 0.5, "training.learning_rate": 0.01}
    assert first["stage"] == 1


def test_sizes_open_from_small_to_large(tuned):
    rows = sorted(tuned.results["leaderboard"], key=lambda row: row["trial"])
    assert [row["stage"] for row in rows][:3] == [1, 1, 1]
    assert {row["changes"]["model.width"] for row in rows[:3]} == {0.5}
    assert rows[3]["stage"] == 2


def test_the_skill_is_the_mean_of_the_folds(tuned):
    for row in tuned.results["leaderboard"]:
        if row["outcome"] == "judged":
            assert row["mcc"] == pytest.approx(sum(row["fold_mcc"]) / 2, abs=2e-3)  # the folds are nearly as long


def test_the_chosen_one_follows_the_rule(tuned):
    results = tuned.results
    judged = {row["trial"]: row for row in results["leaderboard"] if row["outcome"] == "judged"}
    best = max(judged.values(), key=lambda row: row["mcc"])
    within = [row for row in judged.values() if row["mcc"] >= best["mcc"] - best["mcc_error"]]
    cheapest = min(row["measured"]["parameters"] for row in within)
    assert judged[results["chosen"]]["measured"]["parameters"] == cheapest
    assert results["chosen"] in results["pareto"]


def test_the_winner_is_trained_anew_and_judged_once_on_its_test(tuned):
    winner = tuned.results["winner"]
    run = bootstrap.open_run(tuned.folder.parent / winner["run"].rpartition("/")[2])
    row = next(one for one in tuned.results["leaderboard"] if one["trial"] == winner["trial"])
    assert run.recipe.training.learning_rate == row["changes"]["training.learning_rate"]
    assert run.recipe.name == "micro-tuned"
    assert winner["test"]["n"] == json.loads((run.folder / "evaluation.json").read_text())["n"]
    assert winner["verdict"]["sentence"].endswith(".")
    assert (run.artifact / "model.onnx").exists()
    assert winner["within_budget"] is True


def test_every_candidate_that_was_looked_at_counts_as_a_trial(tuned):
    ledger = json.loads((tuned.folder.parent / "trials.json").read_text())
    (marks,) = ledger.values()
    candidates = {row["candidate"] for row in tuned.results["leaderboard"]}
    assert candidates <= {mark[:16] for mark in marks}
    assert len(marks) == len(candidates) + 1  # and the winner under its own name
    assert tuned.results["winner"]["trials"] == len(marks)


def test_the_report_holds_its_figures_and_needs_nothing_else(tuned):
    page = (tuned.folder / "report.html").read_text()
    for words in (
        "Pareto front",
        "History",
        "Parallel coordinates",
        "Probability of backtest overfitting",
        "All trials",
    ):
        assert words in page
    assert 'src="http' not in page
    assert "<script src" not in page


def test_the_same_seed_finds_the_same_candidates_and_skills(recipe, tuned, tmp_path):
    again = searched(recipe, tmp_path / "search").results

    def facts(results):
        return [
            (row["trial"], row["changes"], row["mcc"], row["sharpe"], row["outcome"]) for row in results["leaderboard"]
        ]

    assert facts(again) == facts(tuned.results)
    assert again["chosen"] == tuned.results["chosen"]
    assert again["overfitting"] == tuned.results["overfitting"]


def test_a_search_that_was_ended_early_goes_on_as_if_it_had_not_been(recipe, tuned, tmp_path):
    short = recipe.model_copy(update={"tune": recipe.tune.model_copy(update={"trials": 2})})
    first = searched(short, tmp_path / "search")
    assert len(first.results["leaderboard"]) == 2
    whole = searched(recipe, tmp_path / "search").results
    assert [row["changes"] for row in whole["leaderboard"]] == [row["changes"] for row in tuned.results["leaderboard"]]


def test_a_search_without_time_begins_nothing(recipe, tmp_path):
    hurried = recipe.model_copy(update={"tune": recipe.tune.model_copy(update={"timeout_s": 1e-6})})
    with pytest.raises(RecipeError) as caught:
        searched(hurried, tmp_path / "search")
    assert str(caught.value) == (
        "None of 0 candidates came to its end: no trial has ended. Raise tune.trials or "
        "tune.timeout_s, mend [tune.space], "
        "or raise tune.budget."
    )


def test_the_returns_of_all_candidates_stand_side_by_side(recipe, tuned):
    candles = load_candles(recipe)
    study = create_study(Place(folder=tuned.folder, recipe=recipe, data_hash=candles.hash))
    matrix = return_matrix(study, tuned.folder)
    judged = {row["candidate"] for row in tuned.results["leaderboard"] if row["outcome"] == "judged"}
    assert matrix.shape[1] == len(judged)
    assert np.isfinite(matrix).all()
    assert tuned.results["overfitting"]["strategies"] == len(judged)
    assert tuned.results["overfitting_by_sharpe"]["strategies"] == len(judged)


def test_overfitting_is_reckoned_by_what_the_search_chooses_by(recipe, tuned):
    found = tuned.results["overfitting"]
    assert (found["blocks"], found["rows"]) == (16, 16)  # two folds of eight parts each
    homes = [tuned.folder / "candidates" / row["candidate"] for row in tuned.results["leaderboard"]
             if row["outcome"] == "judged"]  # fmt: skip
    for home in homes:
        kept, said = json.loads((home / "result.json").read_text()), judged_of(home)
        assert len(said) == kept["n"]
        folds = [matthews_corrcoef(one["label"], one["said"]) for _, one in said.group_by("fold", maintain_order=True)]
        assert folds == pytest.approx(kept["folds"])
    among = tuned.results["overfitting_among"]
    assert sorted(among["ranked"]) == sorted(
        row["trial"] for row in tuned.results["leaderboard"] if row["outcome"] == "judged"
    )
    page = (tuned.folder / "report.html").read_text()
    assert f"candidates of trials {', '.join(str(number) for number in among['ranked'])}." in page


def test_the_search_never_sees_the_test_part(recipe):
    candles = load_candles(recipe)
    dataset = Dataset.of(recipe, candles)
    past = Past.of(recipe, candles, recipe.window.length)
    start = dataset.folds[0].test.start_ms
    assert all(int(one.close_time_ms[-1]) <= start for one in past.candles.series)
    inner = Dataset.of(past.recipe(recipe), past.candles)
    assert [fold.test.stop_ms <= start for fold in inner.folds] == [True, True]
    assert len(inner.folds) == 2


def test_windows_of_every_length_are_judged_on_the_same_decisions(recipe):
    past = Past.of(recipe, load_candles(recipe), 24)
    times = []
    for length in (12, 24):
        changed = recipe.model_copy(update={"window": recipe.window.model_copy(update={"length": length})})
        inner = Dataset.of(past.recipe(changed), past.candles)
        times.append([inner.samples(fold.test).time_ms.tolist() for fold in inner.folds])
    assert times[0] == times[1]


def test_windows_of_longer_candles_are_judged_on_the_same_decisions(recipe, tmp_path):
    wide = search_recipe(tmp_path, space={"window.length": [12, 16], "features.period": [1, 2]})
    past = Past.of(recipe, load_candles(recipe), longest_reach(wide, search_plan(wide)))
    times = []
    for length, period in ((12, 1), (16, 1), (12, 2), (16, 2)):
        changed = candidate(recipe, {"window.length": length, "features.period": period})
        inner = Dataset.of(past.recipe(changed), past.candles)
        times.append([inner.samples(fold.test).time_ms.tolist() for fold in inner.folds])
    assert times[0] == times[1] == times[2] == times[3]
    assert all(len(fold) > 20 for fold in times[0])


@pytest.mark.parametrize(
    ("changes", "differs"),
    [({"seed": 4}, "recipe differs"), ({"tune": {"folds": 3}}, "search differs")],
    ids=["recipe", "search"],
)
def test_a_folder_of_another_search_is_refused(recipe, tuned, changes, differs):
    other = recipe.model_copy(update={key: value for key, value in changes.items() if key != "tune"})
    if "tune" in changes:
        other = other.model_copy(update={"tune": recipe.tune.model_copy(update=changes["tune"])})
    with pytest.raises(RunError) as caught:
        searched(other, tuned.folder)
    assert str(caught.value) == (
        f"{tuned.folder} belongs to another search: {differs}. Choose another --out for a search of "
        f"its own, or repeat the "
        "command that began this one."
    )


def test_a_study_of_other_candles_is_refused(recipe, tuned):
    with pytest.raises(RunError, match="belongs to another search: candles differs"):
        create_study(Place(folder=tuned.folder, recipe=recipe, data_hash="other"))


def test_a_trial_that_a_dead_worker_left_begins_again(recipe, tuned, tmp_path):
    place = Place(folder=tmp_path / "search", recipe=recipe, data_hash=load_candles(recipe).hash)
    study = create_study(place)
    params = {"model.width": 0, "training.learning_rate": 0.02}
    study.enqueue_trial(params)
    left = study.ask()
    left.suggest_int("model.width", 0, 0)
    left.suggest_float("training.learning_rate", 1e-3, 1e-1, log=True)
    left.set_user_attr("worker", "nobody")
    results = searched(recipe, tmp_path / "search").results
    again = [row for row in results["leaderboard"] if row["changes"].get("training.learning_rate") == 0.02]
    assert [(row["outcome"] in ("judged", "given up")) for row in again] == [True]
    assert results["counts"]["worker died"] == 1
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    assert states.count(optuna.trial.TrialState.FAIL) == 1
    assert len(states) == 6  # five that ended and the one that died


def test_when_the_time_is_up_a_candidate_stops_between_epochs_and_is_taken_up_again(recipe, tuned, tmp_path):
    candles = load_candles(recipe)
    place = Place(folder=tmp_path / "search", recipe=recipe, data_hash=candles.hash)
    ticks = itertools.count(1)  # asked before the trial, and before the only epoch of each of its two folds
    search = Search(place, candles, lambda _: None, clock=lambda: float(next(ticks)))
    search.run(deadline=2.5, after_trial=lambda _: None)
    (row,) = gather_results(search.study, place)["leaderboard"]
    assert (row["outcome"], row["reason"]) == ("stopped", "the time was up in fold 2, after 0 epochs")
    assert (search.home(candidate(recipe, row["changes"])) / "folds" / "0" / "answers.npz").exists()
    assert search.progress().done == 0
    search.run(deadline=None, after_trial=lambda _: None)
    rows = gather_results(search.study, place)["leaderboard"]
    assert len(rows) == 1 + recipe.tune.trials
    again = next(one for one in rows if one["trial"] == 1)
    undisturbed = next(one for one in tuned.results["leaderboard"] if one["trial"] == 0)
    assert (again["changes"], again["mcc"]) == (undisturbed["changes"], undisturbed["mcc"])


def test_what_says_one_class_is_told_of_in_leaderboard_report_and_verdict(tuned):
    results = json.loads(json.dumps(tuned.results))
    row = next(one for one in results["leaderboard"] if one["trial"] == results["chosen"])
    verdict = results["winner"]["verdict"]
    assert one_class_verdict(verdict, results["leaderboard"], {**row, "says_only": ""}) == verdict
    for one in results["leaderboard"]:
        one["says_only"] = "hold"
    assert outcome_words(row) == "judged, says hold only"
    assert leaderboard_table(results).rows[0][-1].text.endswith("says hold only")
    found = one_class_verdict(verdict, results["leaderboard"], row)
    assert found["sentence"] == "The search found nothing: its winner says hold only."
    assert found["reasons"][0] == (
        "The chosen candidate says hold only, whatever it sees: it has learned nothing. All judged candidates say one "
        "class only."
    )
    assert (found["claims_edge"], found["checks"][0]["passed"]) == (False, False)


def test_long_words_of_the_table_of_trials_go_on_in_the_next_line(tuned):
    row = leaderboard_table(tuned.results).rows[0]
    assert [cell.tone for cell in row[-2:]] == ["words", "words"]
    assert "td.words { text-align: left; white-space: normal;" in (tuned.folder / "report.html").read_text()
