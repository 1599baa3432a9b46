"""A consensus is explained as a whole: every member's view, the way from votes to decision, and whose vote decided."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.bootstrap.test_consensus import recipe_in
from tests.fakes.micro import call

from triptych import bootstrap
from triptych.bootstrap import explanation_checks
from triptych.bootstrap.explaining_consensus import explain_consensus
from triptych.bootstrap.explaining_surest import explain_surest
from triptych.bootstrap.leaving_out import WITHOUT
from triptych.bootstrap.voting import columns_of
from triptych.domain import utc
from triptych.domain.errors import DataError, NotEnoughData, RecipeError, RunError
from triptych.inference import load_consensus

SMALL = (
    "data.synthetic.instruments=1", "consensus.l2=300", "strategy.score=edge", "strategy.enter=0.01",
    "strategy.exit=0.0", "strategy.margin=0.0",
)  # fmt: skip
THIRD = {
    "name": "sequence",
    "changes": {
        "features.names": ["return_1", "rsi_14"], "encoding.name": "sequence", "encoding.factors": 2,
        "model.name": "gru", "model.width": 0.25, "model.sequence.labels_per_parameter": 0,
    },
}  # fmt: skip


def with_third(recipe):
    return type(recipe).model_validate(
        recipe.model_dump(mode="json") | {"members": [*recipe.model_dump(mode="json")["members"], THIRD]}
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("explained")


@pytest.fixture(scope="module")
def run(home):
    made = bootstrap.train(with_third(recipe_in(home, "stacking", *SMALL)), folder=home / "runs" / "three")
    bootstrap.backtest(made)
    return made


@pytest.fixture(scope="module")
def candles(run):
    return bootstrap.load_candles(run.recipe)


@pytest.fixture(scope="module")
def times(run):
    """Closes of some decisions of the judged part, of which the strategy wants a position or none."""
    decisions = pl.read_parquet(run.folder / "backtest" / "decisions.parquet").slice(1)
    assert decisions["target"].n_unique() == 3
    one_each = decisions.unique("target", keep="last", maintain_order=True)
    chosen = {*one_each["time"].cast(pl.Int64), *decisions["time"].cast(pl.Int64).to_list()[3:-1:60]}
    return [utc(time) for time in sorted(chosen)]


def test_what_is_explained_is_what_the_run_voted_predicted_and_decided(run, candles, times):
    votes = pl.read_parquet(run.folder / "votes.parquet")
    predictions = pl.read_parquet(run.folder / "predictions.parquet")
    decisions = pl.read_parquet(run.folder / "backtest" / "decisions.parquet")
    for at in times:
        found = explain_consensus(run, at=at, candles=candles)
        here = pl.col("time").cast(pl.Int64) == found.time_ms
        for vote in found.votes:
            said = votes.filter(here).select(columns_of(vote.model)).row(0)
            assert (vote.probability_sell, vote.probability_hold, vote.probability_buy) == pytest.approx(said, abs=1e-5)
            seen = found.members[vote.model].explanation.probabilities
            assert seen == pytest.approx(said, abs=1e-4)
        row = predictions.filter(here).row(0, named=True)
        recorded = [row[f"probability_{side}"] for side in ("sell", "hold", "buy")]
        assert found.joint.probabilities == pytest.approx(recorded, abs=1e-5)
        decided = decisions.filter(here).row(0, named=True)
        assert found.target == decided["target"]
        assert decided["reason"].startswith(found.reason.split("; votes")[0].split(" ")[0])
        assert not found.learned_from_it


def test_the_contributions_of_all_members_add_up_to_the_joint_answer(run, candles, times):
    found = explain_consensus(run, at=times[0], candles=candles)
    assert sum(found.joint.of(source) for source in (*found.members, "agreement", "volatility", "trend",
                                                     "what is usual")) == pytest.approx(found.joint.total)  # fmt: skip
    sell, hold, buy = found.joint.probabilities
    own, other = {"sell": (sell, max(hold, buy)), "hold": (hold, max(sell, buy)), "buy": (buy, max(sell, hold))}[
        found.explained
    ]
    assert found.joint.total == pytest.approx(np.log(own / other))


def test_an_explanation_of_a_consensus_knows_no_later_candle(run, candles, times):
    for at in times[:2]:
        whole = explain_consensus(run, at=at, candles=candles)
        cut = replace(candles, series=tuple(
            one.head(int(np.searchsorted(one.close_time_ms, whole.time_ms, side="right"))) for one in candles.series
        ))  # fmt: skip
        known = explain_consensus(run, at=at, candles=cut)
        assert known.to_dict() == whole.to_dict()


def test_without_a_member_it_decides_what_a_consensus_trained_without_it_decides(run, home, candles, times):
    told = []
    two = bootstrap.train(recipe_in(home, "stacking", *SMALL), folder=home / "runs" / "two", tell=told.append)
    assert sum(line.startswith("Taken over from ") for line in told) == 2
    changed = set()
    for at in times:
        (left,) = (one for one in explain_consensus(run, at=at, candles=candles).without if one.name == "sequence")
        other = explain_consensus(two, at=at, candles=candles)
        assert left.probabilities == pytest.approx(other.joint.probabilities, abs=1e-9)
        changed.add(left.changes)
    assert changed


def test_a_member_that_decides_is_named(run, candles, times):
    every = [explain_consensus(run, at=at, candles=candles) for at in times]
    for found in every:
        assert [one.name for one in found.without] == list(found.members)
        for one in found.without:
            assert one.changes == (np.sign(one.target) != np.sign(found.target))
            assert (one.name in found.deciding) == one.changes
            assert (one.name in found.sentence) == one.changes
    assert len({found.deciding for found in every}) > 1


def test_a_run_that_is_too_old_says_what_it_cannot_tell(run, candles, times):
    path = run.fold(1) / WITHOUT
    kept = path.read_bytes()
    path.unlink()
    try:
        found = explain_consensus(run, at=times[0], candles=candles)
    finally:
        path.write_bytes(kept)
    assert found.sentence == (
        "Whose vote decided cannot be told: the run holds nothing that joins the others. Train it again."
    )


def test_a_method_is_used_where_it_fits_and_said_where_it_does_not(run, candles, times):
    found = explain_consensus(run, at=times[0], method="grad_cam", candles=candles)
    assert {name: one.explanation.method for name, one in found.members.items()} == {
        "prices": "grad_cam", "candles": "grad_cam", "sequence": "integrated_gradients",
    }  # fmt: skip
    assert found.methods == {
        "prices": "", "candles": "", "sequence": "grad_cam does not fit its network: integrated_gradients instead",
    }  # fmt: skip


def test_what_is_no_consensus_and_what_it_did_not_decide_is_refused(run, candles, trained):
    with pytest.raises(RunError) as single:
        explain_consensus(bootstrap.open_run(trained))
    assert str(single.value) == f"{trained} is no consensus: one model decides. Explain it by explain_decision."
    with pytest.raises(RunError) as several:
        bootstrap.explain_decision(run)
    members = ", ".join(str(run.folder / "members" / name) for name in ("prices", "candles", "sequence"))
    assert str(several.value) == (
        f"{run.folder} is a consensus, whose members decide each for itself. Explain it by explain_consensus, or one "
        f"of {members}."
    )
    with pytest.raises(DataError):
        explain_consensus(run, at="2001-01-01", candles=candles)


def test_picture_figures_and_tables_tell_votes_and_members(run, capsys, times, tmp_path):
    picture = tmp_path / "why.png"
    said = call(capsys, ("explain", run.folder, "--at", times[0], "--out", picture))
    assert said.status == 0
    for words in ("Votes", "without it", "Member prices", "Member sequence", "Sum: log-odds", "what is usual"):
        assert words in said.out
    with Image.open(picture) as opened:
        assert opened.size == (1600, 1500)
    content = json.loads(picture.with_suffix(".json").read_text())
    assert [one["name"] for one in content["members"]] == ["prices", "candles", "sequence"]
    assert content["total"] == pytest.approx(sum(one["adds"] for one in content["contributions"]))


def test_the_surest_decision_of_each_class_is_explained_by_every_member(run, candles):
    found = explain_surest(run, candles=candles)
    assert [one.explained for one in found] == ["sell", "hold", "buy"]
    frame = pl.read_parquet(run.folder / "predictions.parquet")
    for one, side in zip(found, ("sell", "hold", "buy"), strict=True):
        largest = frame[f"probability_{side}"].max()
        assert one.chosen.startswith(f"The surest {side} of {len(frame):,} decisions of the test: {largest:.1%}, on")
        assert {member.explanation.target for member in one.members.values()} == {side}


def test_every_member_is_checked_at_the_decisions_of_the_consensus(run):
    rows = bootstrap.check_explanations(run, decisions=2, methods=("grad_cam",))
    assert [(row["member"], row["method"]) for row in rows] == [("prices", "grad_cam"), ("candles", "grad_cam")]
    assert all(len(row["correlation"]) == 5 and row["decisions"] == 2 for row in rows)


def test_a_time_before_the_first_window_is_refused_with_the_first_that_can_be_asked_for(run, candles):
    series = candles.series[0]
    early, length = utc(int(series.close_time_ms[2])), load_consensus(run.artifact).joined().length
    first = utc(int(series.close_time_ms[length - 1]))
    with pytest.raises(NotEnoughData) as caught:
        explain_consensus(run, at=early, candles=candles)
    assert str(caught.value) == (
        f"{series.symbol}: 3 candles by {early} are fewer than the {length} that the consensus looks at. The first "
        f"window closes at {first} UTC."
    )


def test_methods_that_no_member_allows_are_refused(run, monkeypatch):
    monkeypatch.setattr(explanation_checks, "methods_of", lambda _artifact: ("occlusion",))
    with pytest.raises(RecipeError) as caught:
        bootstrap.check_explanations(run, decisions=1, methods=("grad_cam",))
    assert str(caught.value) == "No member allows grad_cam. Choose integrated_gradients or occlusion."


def test_the_report_shows_the_votes_of_the_decisions_it_explains(run):
    bootstrap.report(run)
    twin = json.loads((run.folder / "report.json").read_text())
    assert len(twin["explained_votes"]) == 2
    assert len(twin["explanations"]) == 6
    (first, _) = twin["explained_votes"]
    assert [row["from"] for row in first["rows"]] == [
        "prices", "candles", "sequence", "agreement", "volatility", "trend", "what is usual",
    ]  # fmt: skip
    assert "The surest sell of" in first["caption"]
    page = (run.folder / "report.html").read_text()
    assert "what is usual" in page
    assert "Why it decided so" in page
