import numpy as np
import pytest
from tests.fakes.market import series_of, walk

from triptych.domain import Vote
from triptych.domain.errors import ArtifactError
from triptych.inference.base import AbstractPredictor, AbstractView
from triptych.inference.combiner import Combiner
from triptych.inference.consensus import ConsensusPredictor
from triptych.inference.recorded import RecordedPredictor


class Momentum(AbstractPredictor):
    """Believes that the last `length` candles go on; `faith` says how much."""

    def __init__(self, length, faith, companions=()):
        self.length, self.faith, self.companions, self.name = length, faith, companions, f"momentum-{length}"

    def probabilities(self, windows):
        lean = np.tanh(self.faith * np.log(windows[:, -1, 3] / windows[:, 0, 3])) / 3
        third = np.full(len(lean), 1 / 3)
        return np.stack([third - lean, third, third + lean], axis=1).astype(np.float32)


class View(AbstractView):
    def __init__(self, series):
        self.series = series

    def history(self, symbol, length):
        return None if len(self.series) < length else self.series.between(len(self.series) - length, len(self.series))


def consensus(method="agreement", **options):
    combiner = Combiner(method=method, members=("fast", "slow"), weights=(0.5, 0.5), regime_length=8, **options)
    return ConsensusPredictor({"fast": Momentum(3, 20), "slow": Momentum(6, 10)}, combiner, name="both")


def test_one_after_the_other_and_in_batches_it_says_the_same_with_every_vote():
    series = walk(60, seed=3)
    predictor = consensus()
    assert predictor.length == 9  # the regime looks back furthest
    batch = predictor.predictions_over(series, np.arange(8, 60))
    for end, expected in zip(range(8, 60), batch, strict=True):
        one = predictor.predict_now(View(series.head(end + 1)), "AAA", expected.time_ms)
        assert one == expected
        assert [vote.model for vote in one.votes] == ["fast", "slow"]
    assert {one.allowed for one in batch} == {-1, 0, 1}
    rows = predictor.over(series, np.arange(8, 60))
    assert rows[0].tolist() == pytest.approx(
        [batch[0].probability_sell, batch[0].probability_hold, batch[0].probability_buy]
    )


def test_a_vote_is_that_of_the_member_alone():
    series = walk(40, seed=3)
    (one,) = consensus().predictions_over(series, np.array([39]))
    alone = Momentum(6, 10).over(series, np.array([39]))[0].astype(float).tolist()
    assert one.votes[1] == Vote(
        model="slow", probability_sell=alone[0], probability_hold=alone[1], probability_buy=alone[2]
    )


def test_where_a_member_has_no_answer_there_is_none():
    predictor = consensus()
    assert predictor.predict_now(View(walk(8)), "AAA", 0) is None  # no regime yet
    (unknown, known) = predictor.predictions_over(walk(40), np.array([7, 8]))
    assert not unknown.is_usable
    assert known.is_usable


def test_changing_the_future_changes_no_prediction():
    series = walk(80, seed=5)
    values = series.values.copy()
    np.random.default_rng(1).shuffle(values[50:])
    ends = np.arange(8, 50)
    assert consensus().predictions_over(series_of(values), ends) == consensus().predictions_over(series, ends)


def test_a_record_keeps_votes_and_what_is_allowed():
    series = walk(40, seed=3)
    predictor = consensus()
    start, end = int(series.close_time_ms[20]), int(series.close_time_ms[30])
    recorded = RecordedPredictor.record(predictor, [series], start_ms=start, end_ms=end)
    found = recorded.predict_now(View(series.head(26)), "AAA", int(series.close_time_ms[25]))
    (expected,) = predictor.predictions_over(series, np.array([25]))
    assert found == expected


def test_companions_are_those_of_all_members():
    combiner = Combiner(method="vote", members=("a", "b"), weights=(0.5, 0.5), regime_length=8)
    members = {"a": Momentum(3, 1, ("XYZ",)), "b": Momentum(3, 1, ("XYZ", "QQQ"))}
    assert ConsensusPredictor(members, combiner).companions == ("XYZ", "QQQ")


def test_a_combiner_of_other_members_is_refused():
    combiner = Combiner(method="vote", members=("a", "b"), weights=(0.5, 0.5), regime_length=8)
    with pytest.raises(ArtifactError) as caught:
        ConsensusPredictor({"b": Momentum(3, 1), "a": Momentum(3, 1)}, combiner)
    assert str(caught.value) == (
        "The combiner was made for a, b, and the members are b, a. Name the same members in the same order."
    )


def test_it_has_no_window_of_its_own():
    with pytest.raises(ArtifactError, match=r"A consensus has no window of its own: its members read different ones\."):
        consensus().probabilities(np.zeros((1, 9, 5)))
