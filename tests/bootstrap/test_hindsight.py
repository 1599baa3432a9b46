"""What a model says, and earns, at times from which it has learned is said to be no out-of-sample result."""

import json

import numpy as np
import polars as pl
import pytest

from triptych import bootstrap
from triptych.bootstrap import open_run
from triptych.bootstrap.explaining import explain_decision
from triptych.bootstrap.hindsight import hindsight_behind, learned_until_ms, tell_of_past_market
from triptych.bootstrap.predicting import learned_note, predict
from triptych.bootstrap.session_models import open_models
from triptych.domain import utc
from triptych.inference import fingerprint
from triptych.live.journal import Journal, StepRecorded
from triptych.market.store import to_ms

QUARTER_MS = 900_000


@pytest.fixture
def models(trained):
    return open_models([open_run(trained)])


@pytest.fixture
def until(trained):
    """Close of the last candle that could teach the model, UTC ms: where its test begins."""
    return to_ms(open_run(trained).record["splits"][-1]["test"]["start"])


def played(run, tape, journal, settings, start_ms):
    """What a session from a close on tells first, and its outcome."""
    said = []
    outcome = bootstrap.trade_on_paper(
        [run], tape, settings=settings, journal=journal, start_ms=start_ms, tell=said.append
    )
    return [one for one in said if "has learned from candles of this time" in one], outcome


def cut_tape(tape, path, until_ms):
    """The tape as it stood at a time."""
    frame = pl.read_parquet(tape)
    frame.filter(pl.col("timestamp").dt.epoch("ms") + QUARTER_MS <= until_ms).write_parquet(path)
    return path


def test_a_session_in_the_time_of_training_says_so_at_the_start_and_with_its_figures(
    trained, tape, tmp_path, settings, until
):
    start, end = until - 9 * QUARTER_MS, until + 5 * QUARTER_MS
    cut = cut_tape(tape, tmp_path / "cut.parquet", end)
    said, outcome = played(trained, cut, tmp_path / "j.db", settings, start)
    after = utc(until + QUARTER_MS).replace(" ", "T")
    sentence = (
        f"The model has learned from candles of this time (run until {utc(until)} UTC): 10 of the 15 closes traded are "
        "not later, and what is earned at them is no out-of-sample result. Trade a later tape, or only what comes "
        f"after: --from {after}, with a new journal."
    )
    assert said == [f"WARNING: {sentence}"]
    assert outcome.decisions == 15
    assert outcome.to_dict()["hindsight"] == {
        "learned_until": {"run": utc(until)}, "closes": 15, "seen": 10, "note": sentence,
    }  # fmt: skip
    said, outcome = played(trained, cut, tmp_path / "new.db", settings, to_ms(after))  # what it was told to do
    assert (said, outcome.decisions) == ([], 5)
    assert outcome.hindsight.to_dict() | {"learned_until": {}} == {
        "learned_until": {}, "closes": 5, "seen": 0, "note": "",
    }  # fmt: skip


def test_a_tape_that_ends_where_the_model_has_learned_asks_for_a_later_one(trained, tape, tmp_path, settings, until):
    cut = cut_tape(tape, tmp_path / "cut.parquet", until)
    (said,), outcome = played(trained, cut, tmp_path / "j.db", settings, until - 3 * QUARTER_MS)
    assert "all of the 4 closes traded are not later" in said
    assert said.endswith("result. Trade a later tape, with a new journal.")
    assert said == f"WARNING: {outcome.hindsight.sentence}"


def test_a_session_that_goes_on_does_not_forget_what_its_account_has_earned_before(
    trained, tape, tmp_path, settings, until
):
    cut = cut_tape(tape, tmp_path / "cut.parquet", until)
    played(trained, cut, tmp_path / "j.db", settings, until - 3 * QUARTER_MS)
    later = cut_tape(tape, tmp_path / "later.parquet", until + 2 * QUARTER_MS)
    said, outcome = played(trained, later, tmp_path / "j.db", settings, until - 3 * QUARTER_MS)
    assert said == []  # nothing that is about to be traded was learned from
    assert (outcome.decisions, outcome.hindsight.closes, outcome.hindsight.seen) == (2, 6, 4)


def test_closes_that_another_model_has_decided_on_are_not_laid_to_this_one(
    models, tmp_path, trained, tape, settings, until
):
    cut = cut_tape(tape, tmp_path / "cut.parquet", until)
    played(trained, cut, tmp_path / "j.db", settings, until - 3 * QUARTER_MS)
    found = hindsight_behind(models, Journal.read(tmp_path / "j.db", "micro"), on_tape=True)
    assert (found.closes, found.seen) == (4, 4)
    entries = Journal.read(tmp_path / "j.db", "micro").entries(kinds=(StepRecorded,))
    assert {entry.record.model.rpartition(" ")[2] for entry in entries} == {fingerprint(models.first)[:12]}

    class Renamed(Journal):
        def entries(self, **options):
            for entry in super().entries(**options):
                object.__setattr__(entry.record, "model", "micro 0123456789ab")
                yield entry

    found = hindsight_behind(models, Renamed.read(tmp_path / "j.db", "micro"), on_tape=True)
    assert (found.closes, found.seen) == (4, 0)


def test_explain_paper_and_the_card_agree_on_when_the_model_stopped_learning(models, trained, until):
    run = open_run(trained)
    assert learned_until_ms(models.first) == until
    assert explain_decision(run, at=utc(until)).learned_from_it
    assert not explain_decision(run, at=utc(until + QUARTER_MS)).learned_from_it


def test_a_market_that_lives_in_the_time_of_training_is_told_of(models, until):
    said = []
    tell_of_past_market(models, until, said.append)
    assert said == []
    tell_of_past_market(models, until - 1, said.append)
    assert said == [
        f"WARNING: The newest close of this market was at {utc(until - 1)} UTC, and the model has learned from candles "
        f"until {utc(until)} UTC: what is earned before that is no out-of-sample result. Serve a later tape, with a "
        "new journal."
    ]


def test_predictions_say_each_whether_their_candles_were_learned_from(trained, tape, until):
    frame = predict(trained, tape)
    times = frame["time"].dt.epoch("ms").to_numpy()
    np.testing.assert_array_equal(frame["learned_from_it"].to_numpy(), times <= until)
    learned = int((times <= until).sum())
    assert 0 < learned < len(frame)
    assert learned_note(frame) == (
        f"The model has learned from candles of this time: {learned} of the {len(frame)} predictions, until "
        f"{utc(until)} UTC, are no out-of-sample ones. Judge it by later candles, or by the run's own report."
    )
    assert learned_note(predict(trained, tape, last=100)) == ""


def test_the_command_line_prints_it_with_the_figures_and_in_json(triptych, trained, tape, tmp_path, until):
    cut = cut_tape(tape, tmp_path / "cut.parquet", until + QUARTER_MS)
    command = ("live", trained, "--tape", cut, "--from", utc(until), "--set", "name=micro", "--set",
               "model_deadline_seconds=60")  # fmt: skip
    said = triptych(*command, "--journal", tmp_path / "a.db", "--quiet")
    assert said.status == 0
    assert "Note: The model has learned from candles of this time (run until " in said.out
    content = json.loads(triptych(*command, "--journal", tmp_path / "b.db", "--json").out)
    assert content["hindsight"]["seen"] == 1
    assert content["hindsight"]["note"] in said.out
    said = triptych("predict", trained, "--data", cut)
    assert "Note: The model has learned from candles of this time: " in said.out
    assert "learned_from_it" not in said.out


def test_a_consensus_has_learned_until_the_last_of_its_members(models):
    from types import SimpleNamespace

    first = models.first
    older = SimpleNamespace(card=SimpleNamespace(taught_until="2001-01-01 00:00:00"))
    joined = SimpleNamespace(members={"old": older, "new": first})
    assert learned_until_ms(joined) == learned_until_ms(first)
